/* Networks that nobody may connect from, as the API has them. */
import { parseEnd } from '../../state/times.js';
import type { WebOptions } from '../options.js';
import type { Route } from './route.js';
import * as schema from './schemas.js';

export function banRoutes({ state }: WebOptions): Route[] {
  return [
    {
      ...{ method: 'GET', path: '/bans', scope: 'bans:read', summary: 'Bans that are in force' },
      answer: schema.bans,
      act: () =>
        state.bans.list().map(({ network, since, until }) => ({
          network,
          since: new Date(since).toISOString(),
          until: until === null ? null : new Date(until).toISOString(),
        })),
    },
    {
      ...{
        method: 'POST',
        path: '/bans',
        scope: 'bans:write',
        summary: 'Bans a network, whose sessions end',
      },
      ...{ body: schema.newBan, answer: schema.madeBan, made: true },
      act: ({ administration, body }) =>
        administration.ban(String(body['network']), parseEnd(String(body['until'] ?? 'never'))),
    },
    {
      ...{ method: 'DELETE', path: '/bans/:network', scope: 'bans:write', summary: 'Ends a ban' },
      act: async ({ administration, part }) => {
        await administration.unban(part('network'));
      },
    },
  ];
}

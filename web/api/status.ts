/* What the daemon does, and what was done with it, as the API has it. */
import { readAudit } from '../../state/audit-reading.js';
import type { WebOptions } from '../options.js';
import type { Route } from './route.js';
import * as schema from './schemas.js';

const DEFAULT_ENTRIES = 200;

export function statusRoutes({ state, ask }: WebOptions): Route[] {
  return [
    {
      ...{ method: 'GET', path: '/status', scope: 'status:read', summary: 'What the daemon does' },
      answer: schema.status,
      act: async () => {
        const { sessions, startedAt, ...status } = await ask({ type: 'status' });
        return { ...status, sessions: sessions.length, startedAt: new Date(startedAt).toISOString() };
      },
    },
    {
      ...{ method: 'GET', path: '/sessions', scope: 'status:read', summary: 'Sessions that are open' },
      answer: schema.sessions,
      act: async () => {
        const { sessions } = await ask({ type: 'status' });
        return sessions.map((session) => ({ ...session, since: new Date(session.since).toISOString() }));
      },
    },
    {
      ...{ method: 'GET', path: '/audit', scope: 'audit:read' },
      summary: 'What administrators and users did, newest first',
      ...{ query: schema.auditQuery, answer: schema.audit },
      act: ({ query: { user = '', text = '', before = '', limit = '' } }) =>
        readAudit(state.paths, { user, text, before, limit: Number(limit) || DEFAULT_ENTRIES }),
    },
  ];
}

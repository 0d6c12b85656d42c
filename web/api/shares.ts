/* Groups and shares, as the API has them. */
import { groupName, shareName, type GroupName, type ShareName } from '../../protocol/ids.js';
import {
  groupOf,
  newShareOf,
  shareFieldsOf,
  shareSettingsOf,
  userNamesOf,
} from '../../state/share-record.js';
import {
  groupRow,
  groupRows,
  shareRow,
  shareRows,
  type GroupRow,
  type ShareRow,
} from '../../state/share-rows.js';
import type { WebOptions } from '../options.js';
import type { Call, Route } from './route.js';
import * as schema from './schemas.js';

export function shareRoutes({ state, ask }: WebOptions): Route[] {
  const one = async (name: ShareName): Promise<unknown> =>
    shareOf(shareRow(state, await ask({ type: 'status' }), name));
  return [
    {
      ...{ method: 'GET', path: '/shares', scope: 'shares:read', summary: 'All shares, by name' },
      answer: schema.shares,
      act: async () => shareRows(state, await ask({ type: 'status' })).map(shareOf),
    },
    {
      ...{ method: 'POST', path: '/shares', scope: 'shares:write', summary: 'Makes a share' },
      ...{ body: schema.newShare, answer: schema.share, made: true },
      act: async ({ shareAdministration, body }) => {
        const { name: text, ...settings } = body;
        const { name, ...share } = newShareOf(text, settings, state.userDefaults, false);
        await shareAdministration.addShare(name, share);
        return one(name);
      },
    },
    {
      ...{ method: 'GET', path: '/shares/:name', scope: 'shares:read', summary: 'One share' },
      answer: schema.share,
      act: (call) => one(shareIn(call)),
    },
    {
      ...{ method: 'PATCH', path: '/shares/:name', scope: 'shares:write' },
      summary: 'Changes limits, and what groups may do; open sessions follow at once',
      ...{ body: schema.shareChanges, answer: schema.share },
      act: async (call) => {
        const name = shareIn(call);
        await call.shareAdministration.changeShare(name, shareSettingsOf(call.body));
        return one(name);
      },
    },
    {
      ...{ method: 'DELETE', path: '/shares/:name', scope: 'shares:write' },
      summary: 'Removes a share, whose sessions end; its files stay',
      act: (call) => call.shareAdministration.removeShare(shareIn(call), false),
    },
  ];
}

export function groupRoutes({ state }: WebOptions): Route[] {
  const one = (name: GroupName): unknown => shownGroup(groupRow(state, name));
  return [
    {
      ...{ method: 'GET', path: '/groups', scope: 'shares:read', summary: 'All groups, by name' },
      answer: schema.groups,
      act: () => groupRows(state).map(shownGroup),
    },
    {
      ...{ method: 'POST', path: '/groups', scope: 'shares:write', summary: 'Makes a group' },
      ...{ body: schema.newGroup, answer: schema.group, made: true },
      act: async ({ shareAdministration, body }) => {
        const { name: text, ...others } = body;
        const { name, members } = groupOf(text, others);
        await shareAdministration.addGroup(name, members);
        return one(name);
      },
    },
    {
      ...{ method: 'GET', path: '/groups/:name', scope: 'shares:read', summary: 'One group' },
      answer: schema.group,
      act: (call) => one(groupIn(call)),
    },
    {
      ...{ method: 'PATCH', path: '/groups/:name', scope: 'shares:write' },
      summary: 'Puts users into a group, and takes users out of it; open sessions follow at once',
      ...{ body: schema.groupChanges, answer: schema.group },
      act: async (call) => {
        const { add = [], remove = [] } = call.body;
        const name = groupIn(call);
        const change = { add: userNamesOf(add), remove: userNamesOf(remove) };
        await call.shareAdministration.changeGroup(name, change);
        return one(name);
      },
    },
    {
      ...{ method: 'DELETE', path: '/groups/:name', scope: 'shares:write' },
      summary: 'Removes a group, and what it may do in shares',
      act: async (call) => {
        await call.shareAdministration.removeGroup(groupIn(call));
      },
    },
  ];
}

/** EINVAL. */
function shareIn(call: Call): ShareName {
  return shareName(call.part('name'));
}

/** EINVAL. */
function groupIn(call: Call): GroupName {
  return groupName(call.part('name'));
}

function shareOf({ share, use, sessions }: ShareRow): unknown {
  const createdAt = new Date(share.createdAt).toISOString();
  return { ...shareFieldsOf(share), use: use ?? null, sessions, createdAt };
}

function shownGroup({ name, members, shares }: GroupRow): unknown {
  return { name, members, shares: Object.fromEntries(shares.map((share) => [share.name, share.access])) };
}

/* The page of groups and shares, and the forms in it. */
import {
  groupName,
  shareName,
  userName,
  type GroupName,
  type ShareName,
  type UserName,
} from '../protocol/ids.js';
import { Failure } from '../protocol/failure.js';
import { noSuchGroup } from '../state/groups.js';
import { describeGrants, type ShareAdministration, type ShareLimits } from '../state/share-administration.js';
import { groupRows, shareRows } from '../state/share-rows.js';
import { noSuchShare, type Access } from '../state/shares.js';
import { parseCount, parseSize } from '../state/sizes.js';
import type { Site } from './forms.js';
import type { WebOptions } from './options.js';
import { groupPage, sharePage, sharesPage } from './pages/shares.js';

export function shareSite({ page, action }: Site, { state, ask }: WebOptions): void {
  page('/shares', '/shares', async (session) => {
    const rows = shareRows(state, await ask({ type: 'status' }));
    return sharesPage(rows, groupRows(state), state.userDefaults, session);
  });
  page('/shares/:name', '/shares', async (session, request) => {
    const name = shareIn(request.params);
    const row = shareRows(state, await ask({ type: 'status' })).find(({ share }) => share.name === name);
    if (row === undefined) throw noSuchShare(name);
    return sharePage(row, groupRows(state), session);
  });
  page('/groups/:name', '/shares', (session, request) => {
    const name = groupIn(request.params);
    const row = groupRows(state).find((group) => group.name === name);
    if (row === undefined) throw noSuchGroup(name);
    return groupPage(row, session);
  });

  action(
    '/shares',
    () => '/shares',
    async ({ shares }, fields) => {
      const name = shareName(fields.get('name') ?? '');
      const access = accessOf(fields);
      if (access === undefined) throw unknownAccess();
      const grants = [{ group: groupName(fields.get('group') ?? ''), access }];
      await shares.addShare(name, { ...limitsIn(fields), grants, adopt: false });
      return `Share ${name} added, for ${describeGrants(grants)}.`;
    },
  );
  const ofShare = (
    path: string,
    next: (name: string) => string,
    act: (administration: ShareAdministration, name: ShareName, fields: URLSearchParams) => Promise<string>,
  ): void =>
    action(
      `/shares/:name/${path}`,
      ({ name = '' }) => next(encodeURIComponent(name)),
      ({ shares }, fields, parameters) => act(shares, shareIn(parameters), fields),
    );
  const toShare = (name: string): string => `/shares/${name}`;
  ofShare('limits', toShare, async (administration, name, fields) => {
    await administration.changeShare(name, limitsIn(fields));
    return 'Limits changed.';
  });
  ofShare('grant', toShare, async (administration, name, fields) => {
    const group = groupName(fields.get('group') ?? '');
    const { grants } = await administration.changeShare(name, {
      grants: [{ group, access: accessOf(fields) }],
    });
    return grants.length === 0
      ? 'The share is for nobody now.'
      : `The share is for ${describeGrants(grants)} now.`;
  });
  ofShare(
    'remove',
    () => '/shares',
    async (administration, name) => {
      await administration.removeShare(name, false);
      return `Share ${name} removed; its files are left on the server.`;
    },
  );

  action(
    '/groups',
    () => '/shares',
    async ({ shares }, fields) => {
      const name = groupName(fields.get('name') ?? '');
      await shares.addGroup(name, usersIn(fields, 'members'));
      return `Group ${name} added.`;
    },
  );
  const ofGroup = (
    path: string,
    next: (name: string) => string,
    act: (administration: ShareAdministration, name: GroupName, fields: URLSearchParams) => Promise<string>,
  ): void =>
    action(
      `/groups/:name/${path}`,
      ({ name = '' }) => next(encodeURIComponent(name)),
      ({ shares }, fields, parameters) => act(shares, groupIn(parameters), fields),
    );
  ofGroup(
    'members',
    (name) => `/groups/${name}`,
    async (administration, name, fields) => {
      const [add, remove] = [usersIn(fields, 'add'), usersIn(fields, 'remove')];
      await administration.changeGroup(name, { add, remove });
      return [...add.map((user) => `${user} added.`), ...remove.map((user) => `${user} removed.`)].join(' ');
    },
  );
  ofGroup(
    'remove',
    () => '/shares',
    async (administration, name) => {
      const withdrawn = await administration.removeGroup(name);
      const had = withdrawn.length === 0 ? '' : `; it has no part any more in ${withdrawn.join(', ')}`;
      return `Group ${name} removed${had}.`;
    },
  );
}

/** Throws EINVAL. */
function shareIn(parameters: unknown): ShareName {
  return shareName((parameters as { readonly name?: string }).name ?? '');
}

/** Throws EINVAL. */
function groupIn(parameters: unknown): GroupName {
  return groupName((parameters as { readonly name?: string }).name ?? '');
}

/** Throws EINVAL. */
function usersIn(fields: URLSearchParams, field: string): UserName[] {
  const names = (fields.get(field) ?? '').split(/[\s,]+/).filter((name) => name !== '');
  return names.map(userName);
}

/** Undefined: none. Throws EINVAL. */
function accessOf(fields: URLSearchParams): Access | undefined {
  const access = fields.get('access');
  if (access === 'ro' || access === 'rw') return access;
  if (access === 'none') return undefined;
  throw unknownAccess();
}

function unknownAccess(): Failure {
  return new Failure('EINVAL', 'say whether the group may read, or read and write');
}

/** Throws USAGE. */
function limitsIn(fields: URLSearchParams): ShareLimits {
  return {
    quotaBytes: parseSize(fields.get('quota') ?? ''),
    maxFiles: parseCount(fields.get('maxFiles') ?? ''),
  };
}

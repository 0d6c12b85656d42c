/* The page of groups and shares, and the forms in it. */
import { groupName, shareName, userName, type UserName } from '../protocol/ids.js';
import { Failure } from '../protocol/failure.js';
import { describeGrants, type ShareLimits } from '../state/share-administration.js';
import { groupRow, groupRows, shareRow, shareRows } from '../state/share-rows.js';
import type { Access } from '../state/shares.js';
import { parseCount, parseSize } from '../state/sizes.js';
import { formsOf, nameIn, type Site } from './forms.js';
import type { WebOptions } from './options.js';
import { groupPage, sharePage, sharesPage } from './pages/shares.js';

export function shareSite({ page, action }: Site, { state, ask }: WebOptions): void {
  page('/shares', '/shares', async (session) => {
    const rows = shareRows(state, await ask({ type: 'status' }));
    return sharesPage(rows, groupRows(state), state.userDefaults, session);
  });
  page('/shares/:name', '/shares', async (session, request) => {
    const row = shareRow(state, await ask({ type: 'status' }), nameIn(request.params, shareName));
    return sharePage(row, groupRows(state), session);
  });
  page('/groups/:name', '/shares', (session, request) =>
    groupPage(groupRow(state, nameIn(request.params, groupName)), session),
  );

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
  const ofShare = formsOf(action, '/shares', shareName);
  const toShares = (): string => '/shares';
  ofShare('limits', async ({ shares }, name, fields) => {
    await shares.changeShare(name, limitsIn(fields));
    return 'Limits changed.';
  });
  ofShare('grant', async ({ shares }, name, fields) => {
    const group = groupName(fields.get('group') ?? '');
    const { grants } = await shares.changeShare(name, {
      grants: [{ group, access: accessOf(fields) }],
    });
    return grants.length === 0
      ? 'The share is for nobody now.'
      : `The share is for ${describeGrants(grants)} now.`;
  });
  ofShare(
    'remove',
    async ({ shares }, name) => {
      await shares.removeShare(name, false);
      return `Share ${name} removed; its files are left on the server.`;
    },
    toShares,
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
  const ofGroup = formsOf(action, '/groups', groupName);
  ofGroup('members', async ({ shares }, name, fields) => {
    const [add, remove] = [usersIn(fields, 'add'), usersIn(fields, 'remove')];
    await shares.changeGroup(name, { add, remove });
    return [...add.map((user) => `${user} added.`), ...remove.map((user) => `${user} removed.`)].join(' ');
  });
  ofGroup(
    'remove',
    async ({ shares }, name) => {
      const withdrawn = await shares.removeGroup(name);
      const had = withdrawn.length === 0 ? '' : `; it has no part any more in ${withdrawn.join(', ')}`;
      return `Group ${name} removed${had}.`;
    },
    toShares,
  );
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

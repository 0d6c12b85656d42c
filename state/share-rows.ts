/* What there is to show of each share and group: `ftpctl shares` and `groups`, the web page, the API and the metrics. */
import { homeOfShare, type GroupName, type ShareName } from '../protocol/ids.js';
import type { DaemonStatus } from './control.js';
import { noSuchGroup, type Group } from './groups.js';
import type { Use } from './ledger.js';
import { noSuchShare, type Access, type ShareRecord } from './shares.js';
import type { State } from './store.js';

export interface ShareRow {
  readonly share: ShareRecord;
  /** Undefined: never counted. */
  readonly use: Use | undefined;
  /** How many are open. */
  readonly sessions: number;
}

/** A group, and what it is granted. */
export interface GroupRow extends Group {
  readonly shares: readonly { readonly name: ShareName; readonly access: Access }[];
}

/** All groups, by name. */
export function groupRows(state: Pick<State, 'groups' | 'shares'>): GroupRow[] {
  const shares = state.shares.list();
  return state.groups.list().map((group) => ({
    ...group,
    shares: shares.flatMap(({ name, grants }) =>
      grants.filter((grant) => grant.group === group.name).map(({ access }) => ({ name, access })),
    ),
  }));
}

/** All shares, by name. `status`: of the daemon, if one runs. */
export function shareRows(
  { shares, ledger }: Pick<State, 'shares' | 'ledger'>,
  status: Pick<DaemonStatus, 'uses' | 'sessions'> | undefined,
): ShareRow[] {
  const uses = new Map(status?.uses.map((use) => [use.home, use] as const));
  return shares.list().map((share) => {
    const home = homeOfShare(share.name);
    return {
      share,
      // The ledger of a home that is open is behind: its daemon knows.
      use: uses.get(home) ?? ledger.read(home),
      sessions: status?.sessions.filter((one) => one.share === share.name).length ?? 0,
    };
  });
}

/** ENOENT. */
export function shareRow(
  state: Pick<State, 'shares' | 'ledger'>,
  status: Pick<DaemonStatus, 'uses' | 'sessions'>,
  name: ShareName,
): ShareRow {
  const row = shareRows(state, status).find(({ share }) => share.name === name);
  if (row === undefined) throw noSuchShare(name);
  return row;
}

/** ENOENT. */
export function groupRow(state: Pick<State, 'groups' | 'shares'>, name: GroupName): GroupRow {
  const row = groupRows(state).find((group) => group.name === name);
  if (row === undefined) throw noSuchGroup(name);
  return row;
}

/* What there is to show of each user: `ftpctl users`, the web page and the metrics. */
import { isExpired, type Account } from './accounts.js';
import type { DaemonStatus } from './control.js';
import type { Charge, Use } from './ledger.js';
import type { State } from './store.js';

export interface UserRow {
  readonly account: Account;
  /** Without what is in the trash, which makes room by itself; undefined: never counted. */
  readonly use: Use | undefined;
  /** What is in the trash. */
  readonly trashed: Use;
  /** How many are open. */
  readonly sessions: number;
}

type Status = Pick<DaemonStatus, 'uses' | 'sessions'>;

/** All users, by name. `status`: of the daemon, if one runs. */
export function userRows(
  { accounts, ledger }: Pick<State, 'accounts' | 'ledger'>,
  status: Status | undefined,
): UserRow[] {
  const uses = new Map(status?.uses.map((use) => [use.home, use] as const));
  const sessions = new Map<string, number>();
  for (const { user } of status?.sessions ?? []) sessions.set(user, (sessions.get(user) ?? 0) + 1);
  return accounts.list().map((account) => ({
    account,
    // The ledger of a home that is open is behind: its daemon knows.
    ...usesOf(uses.get(account.name) ?? ledger.read(account.name)),
    sessions: sessions.get(account.name) ?? 0,
  }));
}

function usesOf(charge: Charge | undefined): Pick<UserRow, 'use' | 'trashed'> {
  const trashed = charge?.trashed ?? { bytes: 0, files: 0 };
  if (charge === undefined) return { use: undefined, trashed };
  return { use: { bytes: charge.bytes - trashed.bytes, files: charge.files - trashed.files }, trashed };
}

/** How a user may log in, in words. */
export function loginWays(account: Account): string {
  const { disabled, passwordHash, keys } = account;
  if (disabled) return 'disabled';
  if (isExpired(account)) return 'expired';
  const ways = [
    ...(passwordHash === null ? [] : ['password']),
    ...(keys.length === 0 ? [] : [keys.length === 1 ? '1 key' : `${keys.length} keys`]),
  ];
  return ways.length === 0 ? 'none' : ways.join(', ');
}

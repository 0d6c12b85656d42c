/*
 * When users were let in last: what the daemon noted of it (throttle-file.ts), some seconds behind, and who is there now.
 */
import type { Account } from './accounts.js';
import type { DaemonStatus } from './control.js';
import type { StatePaths } from './directory.js';
import { readThrottle, type ThrottleRecord } from './throttle-file.js';

/** Of an account in milliseconds since 1970; undefined: never. `status`: of the daemon, if one runs. */
export function lastLogins(
  { throttle }: Pick<StatePaths, 'throttle'>,
  status: Pick<DaemonStatus, 'sessions'> | undefined,
): (account: Pick<Account, 'name' | 'createdAt'>) => number | undefined {
  const noted = readNoted(throttle);
  const latest = new Map(noted.map(([user, { lastLogin }]) => [user, lastLogin]));
  for (const { user, since } of status?.sessions ?? []) {
    latest.set(user, Math.max(since, latest.get(user) ?? 0));
  }
  return ({ name, createdAt }) => {
    const login = latest.get(name);
    // That of an earlier user of the name is none.
    return login !== undefined && login >= createdAt ? login : undefined;
  };
}

/** Nothing where the file is damaged, which the daemon tells and mends. */
function readNoted(throttle: string): ThrottleRecord['known'] {
  try {
    return readThrottle(throttle)?.known ?? [];
  } catch {
    return [];
  }
}

/*
 * What becomes of a user's sessions and home when the account is changed or removed while the daemon runs.
 */
import type { UserName } from '../protocol/ids.js';
import { isExpired, type Account, type Accounts } from '../state/accounts.js';
import { ownHome } from '../state/home-record.js';
import type { Log } from './log.js';
import type { WorkerPool } from './pool.js';
import type { SessionRecord, Sessions } from './sessions.js';
import type { End } from './share-changes.js';

export interface AccountChangesOptions {
  readonly accounts: Pick<Accounts, 'get'>;
  readonly sessions: Sessions;
  readonly pool: Pick<WorkerPool, 'homeChanged' | 'setBandwidth' | 'closeHome'>;
  readonly log: Log;
  /** Ends them; resolves when they are closed. */
  readonly end: (ending: readonly SessionRecord[], endOf: (record: SessionRecord) => End) => Promise<void>;
  /** Whether who logged in by this key (null: by a password) would still be let in. */
  readonly isLetIn: (account: Account, key: string | null) => boolean;
  /** The account is to be looked at again when it expires. */
  readonly expects: (expiresAt: Account['expiresAt']) => void;
}

export class AccountChanges {
  readonly #options: AccountChangesOptions;

  constructor(options: AccountChangesOptions) {
    this.#options = options;
  }

  /** `reopens`: the home is opened anew, and clients are to connect again. */
  async changed(name: UserName, closeAll: boolean, reopens: boolean): Promise<{ closedSessions: number }> {
    const { accounts, sessions, log, end, isLetIn, expects } = this.#options;
    const account = accounts.get(name);
    if (account === undefined) return this.removed([name]);
    const revoked = ({ key }: SessionRecord): boolean => closeAll || !isLetIn(account, key);
    const ending = sessions
      .ofUser(name)
      .filter((record) => revoked(record) || (reopens && record.share === undefined));
    const reason = isExpired(account) ? 'the account has expired' : 'the account changed';
    const ended = end(ending, (record) => [reason, reopens && !revoked(record)]);
    if (!isExpired(account)) expects(account.expiresAt);
    this.tellWorkers(account, reopens);
    await ended;
    log.info({ user: name, closedSessions: ending.length }, 'account changed');
    return { closedSessions: ending.length };
  }

  /** `reopens`: see WorkerPool.homeChanged(). */
  tellWorkers(account: Account, reopens = false): void {
    const { pool } = this.#options;
    pool.homeChanged(ownHome(account), reopens);
    pool.setBandwidth(account.name, account.bandwidth ?? 0);
  }

  /** Resolves when nothing of these users is open any more. */
  async removed(names: readonly UserName[]): Promise<{ closedSessions: number }> {
    const { sessions, pool, log, end } = this.#options;
    const gone = new Set(names);
    const ending = sessions.list().filter(({ user }) => gone.has(user));
    const closedSessions = ending.length;
    const reason = 'the account was removed';
    const ofShares = end(
      ending.filter(({ share }) => share !== undefined),
      () => [reason, false],
    );
    // However long that takes: what is in the home may be removed then, and the name be another's.
    await Promise.all(names.map((name) => pool.closeHome(name, reason)));
    await ofShares;
    const users = [...new Set(ending.map(({ user }) => user))];
    if (closedSessions > 0)
      log.info({ users, closedSessions }, 'closed what was open of users without an account');
    return { closedSessions };
  }
}

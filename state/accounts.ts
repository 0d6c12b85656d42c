/*
 * The accounts: who may log in, how, and with which quota. Reads are synchronous from lmdb's map; changes are
 * transactions on the disk when they return, seen at once by every other process (which must be told to look: control.ts).
 */
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { UserName } from '../protocol/ids.js';
import type { LedgerEntry } from './ledger.js';
import type { Transactions } from './transaction.js';

/** A client's static key that logs a user in without a password. */
export interface AccountKey {
  /** Base64 of the 32 bytes. */
  readonly publicKey: string;
  readonly comment: string;
}

export interface Account {
  readonly name: UserName;
  /** Apparent bytes; 0: no limit. */
  readonly quotaBytes: number;
  /** Inodes; 0: no limit. */
  readonly maxFiles: number;
  /** Argon2id in libsodium's text form (password.ts); null: no login by password. */
  readonly passwordHash: string | null;
  readonly keys: readonly AccountKey[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** No login, by whatever means. */
  readonly disabled: boolean;
  /** No login from then on: milliseconds since 1970; null: it does not expire. */
  readonly expiresAt: number | null;
  /** See SoftQuota; missing: none, and DEFAULT_GRACE_MS. */
  readonly softBytes?: number;
  readonly graceMs?: number;
  /** Bytes a second that come and go; missing or 0: no limit. */
  readonly bandwidth?: number;
  /** For how long what is removed stays in the trash (milliseconds); missing or 0: there is none. */
  readonly trashMs?: number;
  /** Files have virtual owners (daemon/home/files/virtual-owners.ts); missing in accounts of before: no. */
  readonly posixOwners?: boolean;
}

export function isExpired({ expiresAt }: Pick<Account, 'expiresAt'>, now = Date.now()): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** ENOENT, for whoever names an account that is none. */
export function noSuchUser(name: UserName): Failure {
  return new Failure('ENOENT', `there is no user ${name}: ftpctl users lists them`);
}

/** What adding an account takes of the disk at most, in bytes: two pages. */
const MOST_OF_ACCOUNT = 8192;

export class Accounts {
  readonly #table: Database<Account, string>;
  readonly #ledger: Database<LedgerEntry, string>;
  readonly #transactions: Transactions;

  constructor(
    table: Database<Account, string>,
    ledger: Database<LedgerEntry, string>,
    transactions: Transactions,
  ) {
    this.#table = table;
    this.#ledger = ledger;
    this.#transactions = transactions;
  }

  get(name: UserName): Account | undefined {
    // lmdb-js keeps a snapshot for the rest of the event turn: another process's change would not be seen.
    this.#table.resetReadTxn();
    return this.#table.get(name);
  }

  /** All accounts, by name. */
  list(): Account[] {
    this.#table.resetReadTxn();
    return Array.from(this.#table.getRange(), ({ value }) => value);
  }

  /**
   * Adds accounts, all or none. EEXIST. What a ledger of a former account of the name says is forgotten: a home that was left
   * behind is counted anew.
   */
  create(...added: readonly Account[]): void {
    this.#transactions.run(() => {
      for (const account of added) {
        if (this.#table.doesExist(account.name)) {
          throw new Failure('EEXIST', `there is a user ${account.name} already`);
        }
        this.#table.putSync(account.name, account);
        this.#ledger.removeSync(account.name);
      }
    }, added.length * MOST_OF_ACCOUNT);
  }

  /** Replaces an account by what `change` makes of it, and returns that. ENOENT. */
  update(name: UserName, change: (account: Account) => Account): Account {
    return this.#transactions.run(() => {
      const account = this.#table.get(name);
      if (account === undefined) throw noSuchUser(name);
      const changed = { ...change(account), name };
      this.#table.putSync(name, changed);
      return changed;
    });
  }

  /** Removes an account and its ledger entry; its uploads: State.removeUser. ENOENT. */
  remove(name: UserName): void {
    this.#transactions.run(() => {
      if (!this.#table.doesExist(name)) throw noSuchUser(name);
      this.#table.removeSync(name);
      this.#ledger.removeSync(name);
    });
  }
}

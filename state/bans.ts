/* The networks that nobody may connect from, for ever or for a time. */
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { Transactions } from './transaction.js';

export interface Ban {
  /** See networkOf(). */
  readonly network: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The same; null: for ever. */
  readonly until: number | null;
}

/** Each connection is compared with all of them: some 15 ns each. */
export const MAX_BANS = 10_000;

export class Bans {
  readonly #table: Database<Ban, string>;
  readonly #transactions: Transactions;

  constructor(table: Database<Ban, string>, transactions: Transactions) {
    this.#table = table;
    this.#transactions = transactions;
  }

  /** Those that are in force, by network. */
  list(): Ban[] {
    this.#table.resetReadTxn(); // it may be another process that changed it, as in Accounts
    return this.#all().filter(isInForce);
  }

  /** Bans a network, or bans it for another time; forgets bans that have ended. E2BIG. */
  add(ban: Ban): void {
    this.#transactions.run(() => {
      for (const old of this.#all()) if (!isInForce(old)) this.#table.removeSync(old.network);
      if (!this.#table.doesExist(ban.network) && this.#all().length >= MAX_BANS) {
        throw new Failure('E2BIG', `there are ${MAX_BANS} bans: ban larger networks, or unban some`);
      }
      this.#table.putSync(ban.network, ban);
    });
  }

  /** ENOENT. */
  remove(network: string): void {
    this.#transactions.run(() => {
      const ban = this.#table.get(network);
      if (ban === undefined || !isInForce(ban)) {
        throw new Failure('ENOENT', `${network} is not banned: ftpctl bans lists what is`);
      }
      this.#table.removeSync(network);
    });
  }

  #all(): Ban[] {
    return Array.from(this.#table.getRange(), ({ value }) => value);
  }
}

function isInForce({ until }: Ban): boolean {
  return until === null || until > Date.now();
}

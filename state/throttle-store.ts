/*
 * What the daemon knows of failed logins, and whence users were let in, over its restarts. It is written now and then: a crash
 * loses some seconds of it, and nothing that anybody was promised.
 */
import type { Database } from 'lmdb';
import type { Transactions } from './transaction.js';

/** Whence a user was let in; the latest last. */
export interface KnownPlaces {
  readonly addresses: readonly string[];
  readonly devices: readonly string[];
}

/** `age`: how long before the record the last failure was, in milliseconds. */
type FailureCounts = readonly (readonly [key: string, failures: number, age: number])[];

export interface ThrottleRecord {
  /** When it was made: milliseconds since 1970. */
  readonly at: number;
  readonly known: readonly (readonly [user: string, known: KnownPlaces])[];
  readonly places: FailureCounts;
  readonly users: FailureCounts;
  readonly addresses: FailureCounts;
}

const KEY = 'throttle';

export class ThrottleStore {
  readonly #table: Database<ThrottleRecord, string>;
  readonly #transactions: Transactions;

  constructor(table: Database<ThrottleRecord, string>, transactions: Transactions) {
    this.#table = table;
    this.#transactions = transactions;
  }

  read(): ThrottleRecord | undefined {
    return this.#table.get(KEY);
  }

  /** Written off the thread. */
  async write(record: ThrottleRecord): Promise<void> {
    await this.#transactions.committed(() => this.#table.put(KEY, record));
  }
}

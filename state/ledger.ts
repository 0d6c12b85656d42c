/*
 * The quota ledger: what each home held when it was last at rest. While a home is open its worker keeps the use in
 * memory, and the entry here is marked dirty first, on the disk: after a crash it says "recount", never a wrong figure.
 * It is clean again only when the disk has all that it tells of.
 *
 * Invariant: an entry exists only for an account or a share. A worker that closes a home that was removed writes nothing, nor into the
 * entry of a later one of the name.
 */
import type { Database } from 'lmdb';
import type { HomeName } from '../protocol/ids.js';
import type { Transactions } from './transaction.js';

/** What a home holds: apparent bytes and inodes, as charged against the quota. */
export interface Use {
  readonly bytes: number;
  readonly files: number;
}

export interface Charge extends Use {
  /** Since when it has been over the soft quota: milliseconds since 1970; missing: it is not. */
  readonly overSoftSince?: number | undefined;
  /** What of it is in the trash; missing: nothing is. */
  readonly trashed?: Use | undefined;
}

export interface LedgerEntry extends Charge {
  /** The figures are those of the tree. False: the home is open, or was when the daemon died. */
  readonly clean: boolean;
}

/** The answer of a quota check: what is charged, and what the tree holds. */
export interface QuotaReport {
  readonly home: HomeName;
  readonly ledger: Use;
  readonly tree: Use;
  /** What partial uploads take of that. */
  readonly uploads: Use;
  /** What of either is in the trash. */
  readonly trash: { readonly ledger: Use; readonly tree: Use };
  readonly repaired: boolean;
}

/** Whether two uses are not the same. */
export function usesDiffer(one: Use, other: Use): boolean {
  return one.bytes !== other.bytes || one.files !== other.files;
}

/** Whose use it is: another home of the same name was made at another time. */
export interface ChargedHome {
  readonly name: HomeName;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** When the account or the share was made that has this home; undefined: there is none. */
type CreatedAt = (home: HomeName) => number | undefined;

export class Ledger {
  readonly #table: Database<LedgerEntry, string>;
  readonly #createdAt: CreatedAt;
  readonly #transactions: Transactions;

  constructor(table: Database<LedgerEntry, string>, createdAt: CreatedAt, transactions: Transactions) {
    this.#table = table;
    this.#createdAt = createdAt;
    this.#transactions = transactions;
  }

  /** Undefined: never counted. */
  read(home: HomeName): LedgerEntry | undefined {
    return this.#table.get(home);
  }

  /** To be called before the first change of a home; on the disk when it returns. */
  markDirty(home: HomeName): void {
    this.#transactions.run(() => {
      const entry = this.#table.get(home);
      if (entry?.clean === true) this.#table.putSync(home, { ...entry, clean: false });
    });
  }

  /** What is written of all homes is not believed any more; on the disk when it returns. */
  doubtAll(): void {
    this.#transactions.run(() => {
      for (const { key, value } of Array.from(this.#table.getRange()))
        if (value.clean) this.#table.putSync(key, { ...value, clean: false });
    });
  }

  /** Records the use; on the disk when it returns. `clean`: what it tells of is there before. */
  write({ name, createdAt }: ChargedHome, charge: Charge, clean: boolean): void {
    const { bytes, files, overSoftSince, trashed } = charge;
    this.#transactions.run(() => {
      if (this.#createdAt(name) !== createdAt) return;
      const since = overSoftSince === undefined ? {} : { overSoftSince };
      const inTrash = trashed === undefined || trashed.files === 0 ? {} : { trashed };
      this.#table.putSync(name, { bytes, files, clean, ...since, ...inTrash });
    });
  }
}

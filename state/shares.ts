/*
 * Shares: folders with a home of their own, and which groups may read or write them. A user who is in several groups of a share
 * has the widest of what they are granted.
 *
 * Invariant: a grant is of a group that there is, and nobody has more than MAX_SHARES.
 */
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import { homeOfShare, type GroupName, type ShareName, type UserName } from '../protocol/ids.js';
import { MAX_SHARES } from '../protocol/limits.js';
import type { Share } from '../protocol/shares.js';
import type { Groups } from './groups.js';
import type { HomeRecord } from './home-record.js';
import type { Transactions } from './transaction.js';

export type Access = 'ro' | 'rw';

export interface Grant {
  readonly group: GroupName;
  readonly access: Access;
}

export interface ShareRecord extends Pick<HomeRecord, 'quotaBytes' | 'maxFiles'> {
  readonly name: ShareName;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** One of a group at most. */
  readonly grants: readonly Grant[];
}

export class Shares {
  readonly #table: Database<ShareRecord, string>;
  /** The shares for which the home of a user has directories. */
  readonly #shown: Database<readonly ShareName[], string>;
  readonly #groups: Groups;
  readonly #transactions: Transactions;

  constructor(
    table: Database<ShareRecord, string>,
    shown: Database<readonly ShareName[], string>,
    groups: Groups,
    transactions: Transactions,
  ) {
    this.#table = table;
    this.#shown = shown;
    this.#groups = groups;
    this.#transactions = transactions;
  }

  get(name: ShareName): ShareRecord | undefined {
    this.#table.resetReadTxn(); // it may be another process that changed it, as in Accounts
    return this.#table.get(name);
  }

  /** All shares, by name. */
  list(): ShareRecord[] {
    this.#table.resetReadTxn();
    return this.#all();
  }

  /** Those of a user, by name. */
  of(user: UserName): Share[] {
    return this.ofAny()(user);
  }

  /** Tells those of any user, by name: for who asks of many at once. All shares are read with the first who is in a group. */
  ofAny(): (user: UserName) => Share[] {
    let granted: ReadonlyMap<GroupName, readonly [ShareName, Access][]> | undefined;
    return (user) => {
      const found = new Map<ShareName, boolean>();
      for (const group of this.#groups.of(user)) {
        granted ??= this.#granted();
        for (const [name, access] of granted.get(group) ?? []) {
          found.set(name, access === 'rw' || found.get(name) === true);
        }
      }
      const shares = Array.from(found, ([name, isWritable]) => ({ name, isWritable }));
      return shares.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    };
  }

  /** EEXIST, ENOENT: no such group, E2BIG. What a ledger of a former share of the name says is for the caller to forget. */
  create(record: ShareRecord): void {
    this.#transactions.run(() => {
      if (this.#table.doesExist(record.name)) {
        throw new Failure('EEXIST', `there is a share ${record.name} already: change it with sharemod`);
      }
      this.#put(record, []);
    });
  }

  /** Replaces a share by what `change` makes of it, and returns that. ENOENT, E2BIG. */
  update(name: ShareName, change: (record: ShareRecord) => ShareRecord): ShareRecord {
    return this.#transactions.run(() => {
      const record = this.#table.get(name);
      if (record === undefined) throw noSuchShare(name);
      const changed = { ...change(record), name };
      this.#put(changed, record.grants);
      return changed;
    });
  }

  /** ENOENT. */
  remove(name: ShareName): void {
    this.#transactions.run(() => {
      if (!this.#table.doesExist(name)) throw noSuchShare(name);
      this.#table.removeSync(name);
    });
  }

  /** A group is granted nothing any more; returns the shares where it was. */
  withdraw(group: GroupName): ShareName[] {
    return this.#transactions.run(() => {
      const granted = this.#all().filter(({ grants }) => grants.some((grant) => grant.group === group));
      for (const record of granted) this.#table.putSync(record.name, withGrant(record, group, undefined));
      return granted.map(({ name }) => name);
    });
  }

  /** To be called in the transaction of what gives users more shares. E2BIG. */
  requireFew(users: Iterable<UserName>): void {
    const sharesOf = this.ofAny();
    for (const user of users) {
      if (sharesOf(user).length > MAX_SHARES) {
        throw new Failure('E2BIG', `${user} would have more than the ${MAX_SHARES} shares that one may have`);
      }
    }
  }

  /** The shares for which a user's home was given directories. */
  shown(user: UserName): readonly ShareName[] {
    return this.#shown.get(user) ?? [];
  }

  /** On the disk when it returns. */
  setShown(user: UserName, names: readonly ShareName[]): void {
    this.#transactions.run(() => {
      if (names.length === 0) this.#shown.removeSync(user);
      else this.#shown.putSync(user, names);
    });
  }

  /** `before`: what was granted until now. */
  #put(record: ShareRecord, before: readonly Grant[]): void {
    this.#table.putSync(record.name, record);
    const added = new Set(record.grants.map(({ group }) => group));
    for (const { group } of before) added.delete(group);
    if (added.size === 0) return;
    for (const group of added) this.#groups.require(group);
    const groups = this.#groups.list().filter(({ name }) => added.has(name));
    this.requireFew(new Set(groups.flatMap(({ members }) => members)));
  }

  /** What each group is granted. */
  #granted(): Map<GroupName, [ShareName, Access][]> {
    const granted = new Map<GroupName, [ShareName, Access][]>();
    for (const { name, grants } of this.list()) {
      for (const { group, access } of grants) {
        const some = granted.get(group);
        if (some === undefined) granted.set(group, [[name, access]]);
        else some.push([name, access]);
      }
    }
    return granted;
  }

  #all(): ShareRecord[] {
    return Array.from(this.#table.getRange(), ({ value }) => value);
  }
}

/** The home of a share: its files have no owners. */
export function sharedHome(record: ShareRecord): HomeRecord {
  const { name, createdAt, quotaBytes, maxFiles } = record;
  return { name: homeOfShare(name), createdAt, quotaBytes, maxFiles };
}

/** The share with another grant of a group; undefined: none. */
export function withGrant(record: ShareRecord, group: GroupName, access: Access | undefined): ShareRecord {
  const others = record.grants.filter((grant) => grant.group !== group);
  const grants = access === undefined ? others : [...others, { group, access }];
  return { ...record, grants: grants.toSorted((a, b) => (a.group < b.group ? -1 : 1)) };
}

export function noSuchShare(name: ShareName): Failure {
  return new Failure('ENOENT', `there is no share ${name}: ftpctl shares lists them`);
}

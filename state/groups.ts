/*
 * Groups: lists of users, by which shares are granted (shares.ts). Kept as one key for each membership, so that the groups of a
 * user are found without reading those of all.
 *
 * Invariant: a member is an account: who is removed is in no group any more.
 */
import type { Database } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { GroupName, UserName } from '../protocol/ids.js';
import { noSuchUser } from './accounts.js';
import type { Transactions } from './transaction.js';

export interface GroupRecord {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface Group {
  readonly name: GroupName;
  /** By name. */
  readonly members: readonly UserName[];
}

/** Who comes into a group, and who leaves it. */
export interface GroupChange {
  readonly add: readonly UserName[];
  readonly remove: readonly UserName[];
}

/** Whether there is such a user. */
type IsUser = (name: UserName) => boolean;

export class Groups {
  readonly #table: Database<GroupRecord, string>;
  /** USER/GROUP */
  readonly #members: Database<true, string>;
  readonly #isUser: IsUser;
  readonly #transactions: Transactions;

  constructor(
    table: Database<GroupRecord, string>,
    members: Database<true, string>,
    isUser: IsUser,
    transactions: Transactions,
  ) {
    this.#table = table;
    this.#members = members;
    this.#isUser = isUser;
    this.#transactions = transactions;
  }

  /** All groups, by name. */
  list(): Group[] {
    this.#table.resetReadTxn(); // it may be another process that changed it, as in Accounts
    const members = new Map<string, UserName[]>();
    for (const name of this.#table.getKeys()) members.set(name, []);
    for (const key of this.#members.getKeys()) {
      const [user, group] = partsOf(key);
      members.get(group)?.push(user);
    }
    return Array.from(members, ([name, users]) => ({ name: name as GroupName, members: users }));
  }

  /** The groups of a user. */
  of(user: UserName): Set<GroupName> {
    this.#members.resetReadTxn();
    return new Set(Array.from(this.#members.getKeys(keysOf(user)), (key) => partsOf(key)[1]));
  }

  /** ENOENT. */
  require(name: GroupName): void {
    this.#table.resetReadTxn();
    if (!this.#table.doesExist(name)) throw noSuchGroup(name);
  }

  /** EEXIST, ENOENT: one of them is no user. */
  create(name: GroupName, members: readonly UserName[]): void {
    this.#transactions.run(() => {
      if (this.#table.doesExist(name)) throw new Failure('EEXIST', `there is a group ${name} already`);
      this.#table.putSync(name, { createdAt: Date.now() });
      this.change(name, { add: members, remove: [] });
    });
  }

  /** ENOENT: there is no such group, one who comes is no user, or one who leaves is no member. */
  change(name: GroupName, { add, remove }: GroupChange): void {
    this.#transactions.run(() => {
      if (!this.#table.doesExist(name)) throw noSuchGroup(name);
      for (const user of add) {
        if (!this.#isUser(user)) throw noSuchUser(user);
        this.#members.putSync(keyOf(user, name), true);
      }
      for (const user of remove) {
        if (!this.#members.removeSync(keyOf(user, name))) {
          throw new Failure('ENOENT', `${user} is not in the group ${name}`);
        }
      }
    });
  }

  /** ENOENT. */
  remove(name: GroupName): void {
    this.#transactions.run(() => {
      if (!this.#table.doesExist(name)) throw noSuchGroup(name);
      this.#table.removeSync(name);
      for (const key of Array.from(this.#members.getKeys())) {
        if (partsOf(key)[1] === name) this.#members.removeSync(key);
      }
    });
  }

  /** The user is in no group any more. */
  forget(user: UserName): void {
    this.#transactions.run(() => {
      for (const key of Array.from(this.#members.getKeys(keysOf(user)))) this.#members.removeSync(key);
    });
  }
}

export function noSuchGroup(name: GroupName): Failure {
  return new Failure('ENOENT', `there is no group ${name}: ftpctl groups lists them`);
}

function keyOf(user: UserName, group: GroupName): string {
  return `${user}/${group}`;
}

/** No name has a slash. */
function partsOf(key: string): [UserName, GroupName] {
  return key.split('/') as [UserName, GroupName];
}

/** The range of a user's keys: '0' is the character after '/'. */
function keysOf(user: UserName): { start: string; end: string } {
  return { start: `${user}/`, end: `${user}0` };
}

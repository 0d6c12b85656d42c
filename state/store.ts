/*
 * The state of a server in one lmdb environment: accounts, groups, shares, the quota ledger, resumable uploads, digests of files,
 * bans, tokens. The
 * daemon's threads and ftpctl open it at once; lmdb's reader table and writer lock keep them apart, so there is no owner
 * to ask.
 *
 * Commits are synchronous to the disk (no overlappingSync): a ledger marked dirty stays dirty after a power cut.
 * They cost an fsync, which is why nothing here is written per request.
 */
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { open, type Database, type RootDatabase } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import { homeOfShare, shareOfHome, type GroupName, type ShareName, type UserName } from '../protocol/ids.js';
import { Accounts, type Account } from './accounts.js';
import { ApiTokens, type ApiToken } from './api-tokens.js';
import { damageOf } from './database-check.js';
import { Bans, type Ban } from './bans.js';
import { preparePrivateDirectory, statePaths, type StatePaths } from './directory.js';
import { DigestStore, type DigestRecord } from './digests.js';
import { Groups, type Group, type GroupChange, type GroupRecord } from './groups.js';
import { Ledger, type LedgerEntry } from './ledger.js';
import { MIN_PASSWORD } from './password-rules.js';
import { closeToOthers } from './privacy.js';
import { Room } from './room.js';
import { requireSchema } from './schema.js';
import { Shares, type ShareRecord } from './shares.js';
import { stateFailure, Transactions } from './transaction.js';
import { UploadStore, type UploadRecord } from './uploads.js';

const PRIVATE_MODE = 0o600;

export interface UserDefaults extends Pick<Account, 'trashMs'> {
  /** Undefined: it has to be said for each. */
  readonly quotaBytes?: number;
  readonly maxFiles: number;
}

/** What belongs together: each of the later ones may name the earlier ones. */
export interface Added {
  readonly accounts: readonly Account[];
  readonly groups: readonly Group[];
  readonly shares: readonly ShareRecord[];
}

export interface State {
  readonly paths: StatePaths;
  readonly accounts: Accounts;
  readonly groups: Groups;
  readonly shares: Shares;
  readonly ledger: Ledger;
  readonly uploads: UploadStore;
  readonly digests: DigestStore;
  readonly bans: Bans;
  readonly apiTokens: ApiTokens;
  /** Removes an account with its memberships, ledger, uploads and digests, in one transaction. ENOENT. */
  removeUser(name: UserName): void;
  /** Changes a group. ENOENT; E2BIG: somebody would have too many shares. */
  changeGroup(name: GroupName, change: GroupChange): void;
  /** Removes a group and what it is granted; returns the shares where that was something. ENOENT. */
  removeGroup(name: GroupName): ShareName[];
  /** Adds a share. What a ledger of a former one of the name says is forgotten. EEXIST, ENOENT, E2BIG. */
  addShare(record: ShareRecord): void;
  /** Adds accounts, then groups of them and of those that there are, then shares of such groups: all or none. EEXIST, ENOENT, E2BIG. */
  addAll(added: Added): void;
  /** Removes a share with its ledger, uploads and digests, in one transaction. ENOENT. */
  removeShare(name: ShareName): void;
  /** Where the daemon of this state keeps the homes (absolute), as it last started; undefined before. */
  homes: string | undefined;
  /** The random id of that directory (homes-marker.ts). */
  homesId: string | undefined;
  /** The boot of the daemon that runs, or that ended otherwise than in order (boot.ts). */
  runningIn: string | undefined;
  /** What a new user gets who is given nothing else, as the daemon's configuration says. */
  userDefaults: UserDefaults;
  /** Characters that a new password has at least, as the daemon's configuration says. */
  minPassword: number;
  /** Of the administrator's password at the web page (password.ts); undefined: nobody can sign in. */
  webPasswordHash: string | undefined;
  /** Writes a copy of all of it, as it is at one moment, into a new file; others may change it meanwhile. */
  copyTo(path: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the state in `directory`, making both where they are missing; `readOnly` makes nothing and throws ENOENT.
 * Throws a Failure that names the directory.
 */
export function openState(directory: string, options: { readOnly?: boolean } = {}): State {
  const paths = statePaths(directory);
  const readOnly = options.readOnly === true;
  if (readOnly) {
    if (!existsSync(paths.database)) {
      throw new Failure(
        'ENOENT',
        `${directory} holds no state: name the server's state directory by --state`,
      );
    }
  } else {
    preparePrivateDirectory(directory, 'state directory');
    closeToOthers(paths);
  }
  let root: RootDatabase | undefined;
  let room: Pick<Room, 'require' | 'close'> = NO_ROOM;
  try {
    requireUndamaged(paths);
    if (!readOnly) {
      // lmdb would make its files as the umask allows: they hold password hashes.
      for (const path of [paths.database, `${paths.database}-lock`]) makePrivateFile(path);
      room = new Room(paths.database);
      // To be opened it needs none: who is only read from can log in.
      if (statSync(paths.database).size === 0) room.require();
    }
    root = open({
      path: paths.database,
      noSubdir: true,
      overlappingSync: false,
      // A batch has a promise that is nobody's: its rejection, on a full disk, would end the thread.
      eventTurnBatching: false,
      readOnly,
      maxDbs: 16,
    });
    return tablesOf(paths, root, room, readOnly);
  } catch (error) {
    void root?.close();
    room.close();
    if (error instanceof Failure) throw error;
    throw new Failure(
      'EACCES',
      `${paths.database} cannot be opened: ${error instanceof Error ? error.message : 'unknown error'}`,
      { cause: error },
    );
  }
}

/** EIO: lmdb would end the process. */
function requireUndamaged({ directory, database }: StatePaths): void {
  const damage = existsSync(database) ? damageOf(database) : undefined;
  if (damage === undefined) return;
  const advice = `restore ${directory} from a backup, or move the file away and make its users anew`;
  throw new Failure('EIO', `${database} is damaged (${damage}): ${advice}`);
}

/** Of who only reads. */
const NO_ROOM: Pick<Room, 'require' | 'close'> = {
  require() {
    throw new Failure('EROFS', 'the state was opened to be read only');
  },
  close: () => undefined,
};

function tablesOf(
  paths: StatePaths,
  root: RootDatabase,
  room: Pick<Room, 'require' | 'close'>,
  readOnly: boolean,
): State {
  const transactions = new Transactions(root, room);
  const settings = openTable<string>(root, 'settings');
  const accountTable = openTable<Account>(root, 'accounts');
  const isNew = Array.from(accountTable.getKeys({ limit: 1 })).length === 0;
  requireSchema(settings, transactions, { directory: paths.directory, readOnly, isNew });
  const ledgerTable = openTable<LedgerEntry>(root, 'ledger');
  const uploadTable = openTable<UploadRecord>(root, 'uploads');
  const digestTable = openTable<DigestRecord>(root, 'digests');
  const shareTable = openTable<ShareRecord>(root, 'shares');
  const ledger = new Ledger(
    ledgerTable,
    (home) => {
      const share = shareOfHome(home);
      return (share === undefined ? accountTable.get(home) : shareTable.get(share))?.createdAt;
    },
    transactions,
  );
  const accounts = new Accounts(accountTable, ledgerTable, transactions);
  const groups = new Groups(
    openTable<GroupRecord>(root, 'groups'),
    openTable<true>(root, 'members'),
    (name) => accountTable.doesExist(name),
    transactions,
  );
  const shares = new Shares(shareTable, openTable<readonly ShareName[]>(root, 'shown'), groups, transactions);
  const set = (key: string, value: string | undefined): void =>
    transactions.run(() => {
      if (value === undefined) settings.removeSync(key);
      else settings.putSync(key, value);
    });
  const addShare = (record: ShareRecord): void =>
    transactions.run(() => {
      shares.create(record);
      ledgerTable.removeSync(homeOfShare(record.name));
    });
  const uploads = new UploadStore(uploadTable, transactions);
  const digests = new DigestStore(digestTable, transactions);
  const bans = new Bans(openTable<Ban>(root, 'bans'), transactions);
  const apiTokens = new ApiTokens(openTable<ApiToken>(root, 'apiTokens'), transactions);
  return {
    paths,
    accounts,
    groups,
    shares,
    ledger,
    uploads,
    digests,
    bans,
    apiTokens,
    removeUser(name) {
      transactions.run(() => {
        accounts.remove(name);
        groups.forget(name);
        shares.setShown(name, []);
        uploads.removeAll(name);
        digests.removeAll(name);
      });
    },
    changeGroup(name, change) {
      transactions.run(() => {
        groups.change(name, change);
        shares.requireFew(change.add);
      });
    },
    removeGroup(name) {
      return transactions.run(() => {
        groups.remove(name);
        return shares.withdraw(name);
      });
    },
    addShare,
    addAll(added) {
      transactions.run(() => {
        accounts.create(...added.accounts);
        for (const { name, members } of added.groups) groups.create(name, members);
        for (const share of added.shares) addShare(share);
      });
    },
    removeShare(name) {
      transactions.run(() => {
        const home = homeOfShare(name);
        shares.remove(name);
        ledgerTable.removeSync(home);
        uploads.removeAll(home);
        digests.removeAll(home);
      });
    },
    get homes() {
      return settings.get('homes');
    },
    set homes(directory) {
      set('homes', directory);
    },
    get homesId() {
      return settings.get('homesId');
    },
    set homesId(id) {
      set('homesId', id);
    },
    get runningIn() {
      return settings.get('runningIn');
    },
    set runningIn(boot) {
      set('runningIn', boot);
    },
    get userDefaults() {
      return JSON.parse(settings.get('userDefaults') ?? '{"maxFiles":0}') as UserDefaults; // written below
    },
    set userDefaults(defaults) {
      set('userDefaults', JSON.stringify(defaults));
    },
    get minPassword() {
      return Number(settings.get('minPassword') ?? MIN_PASSWORD);
    },
    set minPassword(characters) {
      set('minPassword', String(characters));
    },
    get webPasswordHash() {
      settings.resetReadTxn(); // it may be another process that changed it, as in Accounts
      return settings.get('webPasswordHash');
    },
    set webPasswordHash(hash) {
      set('webPasswordHash', hash);
    },
    async copyTo(path) {
      try {
        await root.backup(path, false);
      } catch (error) {
        throw stateFailure(error);
      }
    },
    async close() {
      await root.close();
      room.close();
    },
  };
}

function openTable<T>(root: RootDatabase, name: string): Database<T, string> {
  try {
    return root.openDB<T, string>({ name });
  } catch (error) {
    throw stateFailure(error);
  }
}

/**
 * Only where it is missing, and without opening it else: lmdb holds a POSIX lock on its lock file, and a process loses
 * those with the first descriptor of the file that it closes. The next process would believe to be alone and
 * clear the table of readers under us (MDB_BAD_RSLOT).
 */
function makePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', PRIVATE_MODE));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

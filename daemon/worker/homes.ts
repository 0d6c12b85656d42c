/*
 * The homes that are open on one worker. A home opens with its first use, stays while a session or a lost client's
 * handles need it, and closes (which leaves a clean ledger) when nothing does.
 *
 * Invariant: of each home there is at most one that is open, and nothing uses it while it closes: a use that comes then waits
 * and opens it again. So does one that comes with another word on owners while the sessions are being ended for it: clients then know
 * nothing of before, as after a restart. The main thread is told of every close.
 */
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { shareOfHome, type HomeName, type ShareName, type UserName } from '../../protocol/ids.js';
import { SHARED_DIRECTORY, type Share } from '../../protocol/shares.js';
import type { HomeRecord } from '../../state/home-record.js';
import type { Use } from '../../state/ledger.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import type { State } from '../../state/store.js';
import type { HomeLimits } from '../home/quota/soft-limit.js';
import { showShares } from '../home/shared-directories.js';
import { UserHome } from '../home/user-home.js';
import type { Log } from '../log.js';
import type { WorkerReport } from './worker-messages.js';

interface OpenHome {
  readonly home: Promise<UserHome>;
  /** Set when it is open: until then it may be counted, for minutes. */
  opened?: UserHome;
  /** Sessions, checks and other uses that run. */
  uses: number;
  /** HomeRecord.posixOwners, as it was opened. */
  readonly owners: boolean;
  /** Its sessions are being ended, so that it can be opened with another word on owners. */
  ending: boolean;
  /** Called when nothing uses it, so that it can be closed to be opened otherwise. */
  onUnused: (() => void)[];
  lastUse: number;
  /** The last showShares() that is under way: one after the other. */
  showing?: Promise<void> | undefined;
  /** Set when it closes. */
  closed?: Promise<void>;
}

export interface HomesOptions {
  readonly state: State;
  /** The directory of all homes. */
  readonly directory: string;
  readonly leaseTermMs: number;
  readonly maxOpenFiles: number;
  readonly uploadKeepMs: number;
  readonly firstReserved: number;
  readonly log: Log;
  readonly transferLog: Log;
  onClosed(home: HomeName, lastUse: number): void;
}

/** Of a home: nobody else's. */
const OWN_MODE = 0o700;

export class Homes {
  readonly #options: HomesOptions;
  readonly #open = new Map<HomeName, OpenHome>();

  constructor(options: HomesOptions) {
    this.#options = options;
  }

  /** Runs something with a home, which stays open meanwhile. `use`: see worker-messages.ts. */
  async use<T>(record: HomeRecord, use: number, run: (home: UserHome) => Promise<T>): Promise<T> {
    const { name } = record;
    for (;;) {
      const open = this.#open.get(name);
      if (open?.closed !== undefined) await open.closed;
      else if (open === undefined || open.owners === hasOwners(record)) break;
      else if (open.uses === 0) await this.#close(name, open);
      else if (open.ending) await new Promise<void>((resolve) => open.onUnused.push(resolve));
      // Nobody has told its sessions to end, and they may go on for days.
      else break;
    }
    let entry = this.#open.get(name);
    if (entry === undefined) {
      const owners = hasOwners(record);
      entry = {
        ...{ home: this.#openHome(record), uses: 0, owners },
        ...{ ending: false, onUnused: [], lastUse: use },
      };
      this.#open.set(name, entry);
    }
    entry.uses += 1;
    entry.lastUse = use;
    try {
      const home = await entry.home;
      entry.opened = home;
      applySettings(home, record);
      return await run(home);
    } finally {
      this.#unused(name, entry);
    }
  }

  /** Gives a user's own home the directories of these shares, where it is open. Never rejects. */
  showShares(name: HomeName, user: UserName, shares: readonly Share[]): Promise<void> {
    const entry = this.#open.get(name);
    // The home of a share shows none.
    if (entry?.opened === undefined || entry.closed !== undefined || name !== user) return Promise.resolve();
    const { opened } = entry;
    const names = shares.map((share) => share.name);
    const show = (): Promise<void> => this.#show(opened, user, names);
    const showing = entry.showing === undefined ? show() : entry.showing.then(show);
    entry.showing = showing;
    // The session for which it is done may end meanwhile.
    entry.uses += 1;
    return showing.finally(() => {
      if (entry.showing === showing) entry.showing = undefined;
      this.#unused(name, entry);
    });
  }

  async #show(home: UserHome, user: UserName, names: readonly ShareName[]): Promise<void> {
    const { state, log, transferLog } = this.#options;
    try {
      const former = state.shares.shown(user);
      const both = [...new Set([...former, ...names])].toSorted();
      // First: what is made before something fails is removed with its share, too.
      if (both.length > former.length) state.shares.setShown(user, both);
      const hidden = await showShares(home, { user, names, former });
      for (const share of hidden) {
        transferLog.warn(
          { user, share },
          `a share is not shown: ${SHARED_DIRECTORY}/${share} is no directory`,
        );
      }
      if (both.length > names.length) state.shares.setShown(user, names);
    } catch (error) {
      log.warn({ user, error }, 'the directories of shares were not made');
    }
  }

  /** The record of a home changed. `reopens`: its sessions are being ended. */
  async changed(record: HomeRecord, reopens: boolean): Promise<void> {
    const entry = this.#open.get(record.name);
    if (entry === undefined) return;
    entry.ending = (reopens || entry.ending) && entry.owners !== hasOwners(record);
    applySettings(await entry.home, record);
  }

  /** The use of each open home, and how many units of leases clients hold in all of them. */
  report(): Pick<WorkerReport, 'uses' | 'leases'> {
    const uses: WorkerReport['uses'][number][] = [];
    let leases = 0;
    for (const [home, { opened }] of this.#open) {
      // Also of one that is closing: the ledger has not its figures yet.
      if (opened === undefined) continue;
      const { bytes, files, trashed } = opened.status();
      uses.push({ home, bytes, files, trashed });
      leases += opened.leases.held;
    }
    return { uses, leases };
  }

  /** Closes a home, also with handles of lost clients. Its sessions have ended. */
  async close(name: HomeName): Promise<void> {
    const entry = this.#open.get(name);
    if (entry !== undefined) await this.#close(name, entry);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open].map(([name, entry]) => this.#close(name, entry)));
  }

  #openHome(record: HomeRecord): Promise<UserHome> {
    const { state, leaseTermMs, maxOpenFiles, uploadKeepMs, firstReserved, log, transferLog } = this.#options;
    const directory = join(this.#options.directory, record.name);
    return Promise.resolve().then(() => {
      makeHome(directory, state.ledger.read(record.name));
      if (closeToOthers(directory)) log.warn({ directory }, 'the home was open to others of this machine');
      return UserHome.open({
        record,
        directory,
        ledger: state.ledger,
        uploads: state.uploads,
        digests: state.digests,
        leaseTermMs,
        maxOpenFiles,
        uploadKeepMs,
        firstReserved,
        log,
        transferLog: withShare(transferLog, record.name),
        onIdle: () => this.#closeIfIdle(record.name),
      });
    });
  }

  /** One use less. */
  #unused(name: HomeName, entry: OpenHome): void {
    entry.uses -= 1;
    if (entry.uses === 0) for (const go of entry.onUnused.splice(0)) go();
    this.#closeIfIdle(name);
  }

  #closeIfIdle(name: HomeName): void {
    const entry = this.#open.get(name);
    if (entry === undefined || entry.uses > 0 || entry.closed !== undefined) return;
    entry.home.then(
      (home) => {
        const { sessions, clients } = home.status();
        if (sessions === 0 && clients === 0 && entry.uses === 0) void this.#close(name, entry);
      },
      () => void this.#close(name, entry), // it did not open: the next use tries again
    );
  }

  #close(name: HomeName, entry: OpenHome): Promise<void> {
    entry.closed ??= entry.home
      .then((home) => home.close())
      .catch((error: unknown) =>
        this.#options.log.error({ home: name, error }, 'a home did not open or close well'),
      )
      .finally(() => {
        this.#open.delete(name);
        this.#options.onClosed(name, entry.lastUse);
      });
    return entry.closed;
  }
}

/**
 * Makes the home of who has none. EIO where files were charged to it: what is gone is not begun anew as if nothing were, but
 * when the administrator has restored it, or made an empty directory in its place.
 */
function makeHome(directory: string, charged: Use | undefined): void {
  const isNew = charged === undefined || (charged.bytes === 0 && charged.files === 0);
  if (isNew) mkdirSync(directory, { recursive: true, mode: OWN_MODE });
  else if (!existsSync(directory)) {
    throw new Failure(
      'EIO',
      'the home is gone from the server: its administrator has to restore it, or to make an empty one',
    );
  }
}

/**
 * Lets nobody else of the server's machine in, also where the directory was there before: files in it may be for all to read,
 * and have set-group-id directories. Returns whether somebody was let in. Throws EPERM where the directory is another's.
 */
function closeToOthers(directory: string): boolean {
  const isOpen = (statSync(directory).mode & 0o7777 & ~OWN_MODE) !== 0;
  if (isOpen) chmodSync(directory, OWN_MODE);
  return isOpen;
}

/** What a record says of its home, and may say otherwise at any time. */
function applySettings(home: UserHome, record: HomeRecord): void {
  home.trash.keepMs = record.trashMs ?? 0;
  home.setLimits(limitsOf(record));
}

function limitsOf(record: HomeRecord): HomeLimits {
  return { bytes: record.quotaBytes, files: record.maxFiles, soft: softQuotaOf(record) };
}

function hasOwners({ posixOwners }: HomeRecord): boolean {
  return posixOwners === true;
}

/** Whose lines say in which share something was done. */
function withShare(log: Log, home: HomeName): Log {
  const share = shareOfHome(home);
  if (share === undefined) return log;
  const add = (level: keyof Log) => (fields: Record<string, unknown>, message: string) =>
    log[level]({ share, ...fields }, message);
  return { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
}

/*
 * The homes that are open on one worker. A home opens with its first use, stays while a session or a lost client's
 * handles need it, and closes (which leaves a clean ledger) when nothing does.
 *
 * Invariant: of each user there is at most one open home, and nothing uses it while it closes: a use that comes then waits
 * and opens it again. So does one that comes with another word on owners while the sessions are being ended for it: clients then know
 * nothing of before, as after a restart. The main thread is told of every close.
 */
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../protocol/failure.js';
import type { UserName } from '../protocol/ids.js';
import type { Account } from '../state/accounts.js';
import type { Use } from '../state/ledger.js';
import { softQuotaOf } from '../state/soft-quota.js';
import type { State } from '../state/store.js';
import type { HomeLimits } from './home/soft-limit.js';
import { UserHome } from './home/user-home.js';
import type { Log } from './log.js';
import { Pace, type Line } from './pace.js';
import type { WorkerReport } from './worker-messages.js';

interface OpenHome {
  readonly home: Promise<UserHome>;
  readonly pace: Pace;
  /** Set when it is open: until then it may be counted, for minutes. */
  opened?: UserHome;
  /** Sessions, checks and other uses that run. */
  uses: number;
  /** Account.posixOwners, as it was opened. */
  readonly owners: boolean;
  /** Its sessions are being ended, so that it can be opened with another word on owners. */
  ending: boolean;
  /** Called when nothing uses it, so that it can be closed to be opened otherwise. */
  onUnused: (() => void)[];
  lastUse: number;
  /** Set when it closes. */
  closed?: Promise<void>;
}

/** What a session works with. */
export interface InUse {
  readonly home: UserHome;
  readonly pace: Pace;
}

export interface HomesOptions {
  readonly state: State;
  /** The directory of all homes. */
  readonly directory: string;
  readonly leaseTermMs: number;
  readonly maxOpenFiles: number;
  readonly uploadKeepMs: number;
  readonly firstReserved: number;
  readonly line: Line;
  readonly log: Log;
  readonly transferLog: Log;
  onClosed(user: UserName, lastUse: number): void;
}

/** Of a home: nobody else's. */
const OWN_MODE = 0o700;

export class Homes {
  readonly #options: HomesOptions;
  readonly #open = new Map<UserName, OpenHome>();

  constructor(options: HomesOptions) {
    this.#options = options;
  }

  /** Runs something with the home of an account, which stays open meanwhile. `use`: see worker-messages.ts. */
  async use<T>(account: Account, use: number, run: (inUse: InUse) => Promise<T>): Promise<T> {
    const { name } = account;
    for (;;) {
      const open = this.#open.get(name);
      if (open?.closed !== undefined) await open.closed;
      else if (open === undefined || open.owners === hasOwners(account)) break;
      else if (open.uses === 0) await this.#close(name, open);
      else if (open.ending) await new Promise<void>((resolve) => open.onUnused.push(resolve));
      // Nobody has told its sessions to end, and they may go on for days.
      else break;
    }
    let entry = this.#open.get(name);
    if (entry === undefined) {
      const owners = hasOwners(account);
      entry = {
        ...{ home: this.#openHome(account), pace: new Pace(this.#options.line), uses: 0, owners },
        ...{ ending: false, onUnused: [], lastUse: use },
      };
      this.#open.set(name, entry);
    }
    entry.uses += 1;
    entry.lastUse = use;
    entry.pace.own = account.bandwidth ?? 0;
    try {
      const home = await entry.home;
      entry.opened = home;
      applySettings(home, account);
      return await run({ home, pace: entry.pace });
    } finally {
      entry.uses -= 1;
      if (entry.uses === 0) for (const go of entry.onUnused.splice(0)) go();
      this.#closeIfIdle(name);
    }
  }

  /** An account changed. `reopens`: its sessions are being ended. */
  async accountChanged(account: Account, reopens: boolean): Promise<void> {
    const entry = this.#open.get(account.name);
    if (entry === undefined) return;
    entry.ending = (reopens || entry.ending) && entry.owners !== hasOwners(account);
    entry.pace.own = account.bandwidth ?? 0;
    applySettings(await entry.home, account);
  }

  /** The use of each open home, and how many units of leases clients hold in all of them. */
  report(): Pick<WorkerReport, 'uses' | 'leases'> {
    const uses: WorkerReport['uses'][number][] = [];
    let leases = 0;
    for (const [user, { opened }] of this.#open) {
      // Also of one that is closing: the ledger has not its figures yet.
      if (opened === undefined) continue;
      const { bytes, files, trashed } = opened.status();
      uses.push({ user, bytes, files, trashed });
      leases += opened.leases.held;
    }
    return { uses, leases };
  }

  /** Closes a user's home, also with handles of lost clients. Its sessions have ended. */
  async close(user: UserName): Promise<void> {
    const entry = this.#open.get(user);
    if (entry !== undefined) await this.#close(user, entry);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open].map(([user, entry]) => this.#close(user, entry)));
  }

  #openHome(account: Account): Promise<UserHome> {
    const { state, leaseTermMs, maxOpenFiles, uploadKeepMs, firstReserved, log, transferLog } = this.#options;
    const directory = join(this.#options.directory, account.name);
    return Promise.resolve().then(() => {
      makeHome(directory, state.ledger.read(account.name));
      if (closeToOthers(directory)) log.warn({ directory }, 'the home was open to others of this machine');
      return UserHome.open({
        account,
        directory,
        ledger: state.ledger,
        uploads: state.uploads,
        digests: state.digests,
        leaseTermMs,
        maxOpenFiles,
        uploadKeepMs,
        firstReserved,
        log,
        transferLog: withUser(transferLog, account.name),
        onIdle: () => this.#closeIfIdle(account.name),
      });
    });
  }

  #closeIfIdle(user: UserName): void {
    const entry = this.#open.get(user);
    if (entry === undefined || entry.uses > 0 || entry.closed !== undefined) return;
    entry.home.then(
      (home) => {
        const { sessions, clients } = home.status();
        if (sessions === 0 && clients === 0 && entry.uses === 0) void this.#close(user, entry);
      },
      () => void this.#close(user, entry), // it did not open: the next use tries again
    );
  }

  #close(user: UserName, entry: OpenHome): Promise<void> {
    entry.closed ??= entry.home
      .then((home) => home.close())
      .catch((error: unknown) =>
        this.#options.log.error({ user, error }, 'a home did not open or close well'),
      )
      .finally(() => {
        this.#open.delete(user);
        this.#options.onClosed(user, entry.lastUse);
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

/** What an account says of its home, and may say otherwise at any time. */
function applySettings(home: UserHome, account: Account): void {
  home.trash.keepMs = account.trashMs ?? 0;
  home.setLimits(limitsOf(account));
}

function limitsOf(account: Account): HomeLimits {
  return { bytes: account.quotaBytes, files: account.maxFiles, soft: softQuotaOf(account) };
}

function hasOwners({ posixOwners }: Account): boolean {
  return posixOwners === true;
}

function withUser(log: Log, user: UserName): Log {
  const add = (level: keyof Log) => (fields: Record<string, unknown>, message: string) =>
    log[level]({ user, ...fields }, message);
  return { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
}

/*
 * The homes that are open on one worker. A home opens with its first use, stays while a session or a lost client's
 * handles need it, and closes (which leaves a clean ledger) when nothing does.
 *
 * Invariant: of each user there is at most one open home, and nothing uses it while it closes: a use that comes then waits
 * and opens it again. The main thread is told of every close.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UserName } from '../protocol/ids.js';
import type { Account } from '../state/accounts.js';
import type { Use } from '../state/ledger.js';
import type { State } from '../state/store.js';
import { UserHome } from './home/user-home.js';
import type { Log } from './log.js';

interface OpenHome {
  readonly home: Promise<UserHome>;
  /** Sessions, checks and other uses that run. */
  uses: number;
  lastUse: number;
  /** Set when it closes. */
  closed?: Promise<void>;
}

export interface HomesOptions {
  readonly state: State;
  /** The directory of all homes. */
  readonly directory: string;
  readonly leaseTermMs: number;
  readonly maxOpenFiles: number;
  readonly firstReserved: number;
  readonly log: Log;
  readonly transferLog: Log;
  onClosed(user: UserName, lastUse: number): void;
}

export class Homes {
  readonly #options: HomesOptions;
  readonly #open = new Map<UserName, OpenHome>();

  constructor(options: HomesOptions) {
    this.#options = options;
  }

  /** Runs something with the home of an account, which stays open meanwhile. `use`: see worker-messages.ts. */
  async use<T>(account: Account, use: number, run: (home: UserHome) => Promise<T>): Promise<T> {
    const { name } = account;
    for (;;) {
      const closing = this.#open.get(name)?.closed;
      if (closing === undefined) break;
      await closing;
    }
    let entry = this.#open.get(name);
    if (entry === undefined) {
      entry = { home: this.#openHome(account), uses: 0, lastUse: use };
      this.#open.set(name, entry);
    }
    entry.uses += 1;
    entry.lastUse = use;
    try {
      const home = await entry.home;
      home.setLimits(limitsOf(account));
      return await run(home);
    } finally {
      entry.uses -= 1;
      this.#closeIfIdle(name);
    }
  }

  /** An account's limits changed. */
  async accountChanged(account: Account): Promise<void> {
    const entry = this.#open.get(account.name);
    if (entry !== undefined) (await entry.home).setLimits(limitsOf(account));
  }

  /** The use of each open home. */
  async uses(): Promise<(Use & { user: UserName })[]> {
    const uses: (Use & { user: UserName })[] = [];
    for (const [user, { home, closed }] of this.#open) {
      if (closed !== undefined) continue;
      const { bytes, files } = (await home).status();
      uses.push({ user, bytes, files });
    }
    return uses;
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
    const { state, leaseTermMs, maxOpenFiles, firstReserved, log, transferLog } = this.#options;
    const directory = join(this.#options.directory, account.name);
    return Promise.resolve().then(() => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return UserHome.open({
        account,
        directory,
        ledger: state.ledger,
        uploads: state.uploads,
        digests: state.digests,
        leaseTermMs,
        maxOpenFiles,
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

function limitsOf({ quotaBytes, maxFiles }: Account): { bytes: number; files: number } {
  return { bytes: quotaBytes, files: maxFiles };
}

function withUser(log: Log, user: UserName): Log {
  const add = (level: keyof Log) => (fields: Record<string, unknown>, message: string) =>
    log[level]({ user, ...fields }, message);
  return { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') };
}

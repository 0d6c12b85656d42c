/**
 * The shares of a mount's user: which there are, and the homes of those that a program has gone into.
 *
 * Invariants:
 * - A share is entered (logged in to) when it is first looked up, once for all who look it up at the same time, and stays
 *   so. Where that fails, or its session has ended, the next lookup tries again.
 * - What the kernel knows of a share that was left, or whose session has ended, is ESTALE for ever: no number of a node or a
 *   handle is given twice.
 * - A share that was left is still written back, or what it had is lost and told (filesystem/losses.ts); the end of the mount
 *   waits for that.
 */
import { Failure, type FailureKind } from '../../protocol/failure.js';
import type { HandleId, NodeId, ShareName } from '../../protocol/ids.js';
import type { Share } from '../../protocol/shares.js';
import type { Filesystem, KernelCaches } from '../operations.js';
import { homeOf, HomeNumbers, MAX_HOMES } from './home-numbers.js';
import { InodeTags } from './inode-tags.js';
import { NumberedHome, numberedCaches } from './numbered-home.js';

/** The home of a share, as it is opened for the mount. */
export interface ShareHome {
  readonly filesystem: Filesystem;
  /** Why it answers nothing any more; undefined: it does. */
  readonly ended: Failure | undefined;
  /** Whether it may be written to has changed. */
  rightsChanged(): void;
}

export interface SharesOptions<Home extends ShareHome> {
  /** Of the login. */
  readonly shares: readonly Share[];
  readonly caches: KernelCaches;
  readonly log: { warn(details: object, message: string): void };
  /**
   * Logs in to a share, and opens its home. `isWritable` is as the server says at any time; the signal aborts when nobody
   * wants it any more. Throws what logging in throws.
   */
  enter(name: ShareName, isWritable: () => boolean, caches: KernelCaches, signal: AbortSignal): Promise<Home>;
  /** A share that was left has been written back, as far as that went. */
  left(home: Home): void;
}

/** A share that was entered, with the kernel's numbers. */
interface Entered<Home extends ShareHome> {
  readonly name: ShareName;
  readonly home: Home;
  readonly numbered: NumberedHome;
}

/** A share that is being entered. */
interface Entering<Home extends ShareHome> {
  readonly entered: Promise<Entered<Home>>;
  readonly stop: AbortController;
}

export class Shares<Home extends ShareHome> {
  readonly #options: SharesOptions<Home>;
  #shares: ReadonlyMap<string, Share>;
  readonly #entering = new Map<ShareName, Entering<Home>>();
  readonly #entered = new Map<ShareName, Entered<Home>>();
  /** Those entered, by the index of their numbers. */
  readonly #byIndex = new Map<number, Entered<Home>>();
  readonly #leaving = new Map<Entered<Home>, Promise<void>>();
  /** Why those could not be entered that could not when it was tried last. */
  readonly #reasons = new Map<ShareName, string>();
  readonly #tags = new InodeTags();
  #nextIndex = 1;
  /** Below it, of logins that failed. */
  readonly #freeIndexes: number[] = [];
  #over = false;

  constructor(options: SharesOptions<Home>) {
    this.#options = options;
    this.#shares = byName(options.shares);
    this.#tags.give(options.shares.map(({ name }) => name));
  }

  get any(): boolean {
    return this.#shares.size > 0;
  }

  /** `name`: as it is in a directory, latin1. */
  get(name: string): Share | undefined {
    return this.#shares.get(name);
  }

  /** The home of a number of the kernel that is not the user's own home's. ESTALE. */
  of(number: NodeId | HandleId): NumberedHome {
    return this.#of(number).numbered;
  }

  /** The same; undefined: it is of a share that was left. */
  ifThere(number: NodeId | HandleId): NumberedHome | undefined {
    return this.#byIndex.get(homeOf(number))?.numbered;
  }

  /** The same for what changes something. EROFS where the share may only be read. */
  toChange(number: NodeId | HandleId): NumberedHome {
    const { name, numbered } = this.#of(number);
    if (!this.#isWritable(name)) throw new Failure('EROFS', `the share ${name} may only be read`);
    return numbered;
  }

  #of(number: NodeId | HandleId): Entered<Home> {
    const entered = this.#byIndex.get(homeOf(number));
    if (entered === undefined) throw new Failure('ESTALE');
    return entered;
  }

  #isWritable(name: ShareName): boolean {
    return this.#shares.get(name)?.isWritable === true;
  }

  /** The home of a share that was entered and answers; undefined: enter() is to be called. */
  known(name: ShareName): NumberedHome | undefined {
    const entered = this.#entered.get(name);
    if (entered?.home.ended === undefined) return entered?.numbered;
    this.#leave(entered);
    return undefined;
  }

  /** Enters a share. Throws what the server says, as a failure of a file system. */
  async enter(name: ShareName): Promise<NumberedHome> {
    if (this.#over) throw new Failure('ENOTCONN', 'the mount has ended');
    let entering = this.#entering.get(name);
    if (entering === undefined) {
      entering = this.#begin(name);
      this.#entering.set(name, entering);
    }
    return (await entering.entered).numbered;
  }

  #begin(name: ShareName): Entering<Home> {
    const stop = new AbortController();
    const entered = this.#enter(name, stop.signal)
      .catch((thrown: unknown) => {
        const failure = Failure.from(thrown);
        if (!stop.signal.aborted) this.#tell(name, failure.message);
        throw shownFailure(failure);
      })
      .finally(() => this.#entering.delete(name));
    return { entered, stop };
  }

  /** Logs why a share could not be entered, and not again for each lookup. */
  #tell(share: ShareName, reason: string): void {
    if (this.#reasons.get(share) === reason) return;
    this.#reasons.set(share, reason);
    this.#options.log.warn({ share, reason }, 'a share could not be entered');
  }

  async #enter(name: ShareName, signal: AbortSignal): Promise<Entered<Home>> {
    const index = this.#takeIndex();
    const numbers = new HomeNumbers(index);
    const caches = numberedCaches(this.#options.caches, numbers);
    let home: Home;
    try {
      home = await this.#options.enter(name, () => this.#isWritable(name), caches, signal);
    } catch (error) {
      // The kernel was told none of its numbers.
      this.#freeIndexes.push(index);
      throw error;
    }
    const numbered = new NumberedHome(home.filesystem, numbers, this.#tags.of(name));
    const entered = { name, home, numbered };
    if (signal.aborted) {
      this.#writeBack(entered);
      throw new Failure('ENOENT', `the share ${name} is gone`);
    }
    this.#reasons.delete(name);
    this.#entered.set(name, entered);
    this.#byIndex.set(index, entered);
    return entered;
  }

  /** ENFILE. */
  #takeIndex(): number {
    const free = this.#freeIndexes.pop();
    if (free !== undefined) return free;
    if (this.#nextIndex >= MAX_HOMES)
      throw new Failure('ENFILE', 'too many shares were entered: mount again');
    return this.#nextIndex++;
  }

  /** These are the user's from now on. Returns the names that there were not before, and those that there are no more. */
  update(shares: readonly Share[]): ShareName[] {
    const before = this.#shares;
    this.#shares = byName(shares);
    const changed: ShareName[] = [];
    for (const { name, isWritable } of before.values()) {
      const now = this.#shares.get(name);
      if (now === undefined) {
        changed.push(name);
        this.#entering.get(name)?.stop.abort();
        const entered = this.#entered.get(name);
        if (entered !== undefined) this.#leave(entered);
        this.#tags.takeBack(name);
        this.#reasons.delete(name);
      } else if (now.isWritable !== isWritable) this.#entered.get(name)?.home.rightsChanged();
    }
    for (const { name } of this.#shares.values()) if (!before.has(name)) changed.push(name);
    this.#tags.give(shares.map(({ name }) => name));
    return changed;
  }

  #leave(entered: Entered<Home>): void {
    if (this.#entered.get(entered.name) === entered) this.#entered.delete(entered.name);
    this.#byIndex.delete(homeOf(entered.numbered.root));
    this.#writeBack(entered);
  }

  #writeBack(entered: Entered<Home>): void {
    const { name, home } = entered;
    const written = home.filesystem
      .destroy()
      .catch((thrown: unknown) => {
        const reason = Failure.from(thrown).message;
        this.#options.log.warn({ share: name, reason }, 'a share was not left in order');
      })
      .then(() => {
        this.#leaving.delete(entered);
        this.#options.left(home);
      });
    this.#leaving.set(entered, written);
  }

  /** The homes that were entered, and of those that were left what is not written back yet. */
  get homes(): Iterable<{ readonly name: ShareName; readonly home: Home }> {
    return new Set([...this.#entered.values(), ...this.#leaving.keys()]);
  }

  /** Writes all of them back. */
  async destroy(): Promise<void> {
    this.#over = true;
    for (const { stop } of this.#entering.values()) stop.abort();
    await Promise.allSettled([...this.#entering.values()].map(({ entered }) => entered));
    for (const entered of [...this.#entered.values()]) this.#writeBack(entered);
    await Promise.all(this.#leaving.values());
  }
}

function byName(shares: readonly Share[]): ReadonlyMap<string, Share> {
  return new Map(shares.map((share) => [share.name, share]));
}

/** What a program is told of a login that failed: of what it knows nothing about, that it may not. */
const SHOWN: Partial<Record<FailureKind, FailureKind>> = {
  EBUSY: 'EUSERS',
  ECANCELED: 'ENOTCONN',
  EKEYEXPIRED: 'EACCES',
  EKEYREJECTED: 'EACCES',
  ENOKEY: 'EACCES',
  HOSTKEY: 'EACCES',
};

function shownFailure(failure: Failure): Failure {
  const kind = SHOWN[failure.kind];
  return kind === undefined ? failure : new Failure(kind, failure.message, { cause: failure });
}

/*
 * When the changes of a home are on the disk: its file system is synced some time after the first change that is not, and
 * whenever somebody asks (sync). Then the marks say so, and the clients are told.
 *
 * Invariant: `durable` of a client is what was applied when a sync began that has ended well, and all syncs since that of its
 * former `durable`: a failure is told by the kernel once, and what it is about is not on the disk after the next sync either.
 * So what is not durable then is applied no more, and the clients send it again. Syncs run on a thread, one at a time for a
 * home: who asks while one runs gets the next one, together with all others.
 */
import type { ConfinedTree } from './disk/confined.js';
import type { Marks } from './operations/marks.js';
import { onDiskThread } from './disk/disk-threads.js';

/** From the first change that is not durable to the sync (milliseconds). */
const SYNC_AFTER_MS = 2000;

export interface DurabilityOptions {
  readonly tree: Pick<ConfinedTree, 'root'>;
  /** Those of all clients of the home. */
  readonly marks: () => Iterable<Pick<Marks, 'applied' | 'setDurable'>>;
  /** The marks' `durable` moved. */
  readonly onDurable: () => void;
  /** A sync failed: what is not durable may be lost. Called before those who asked for it are told. */
  readonly onFailed: (error: unknown) => void;
  /** For tests. */
  readonly sync?: ((tree: Pick<ConfinedTree, 'root'>) => Promise<void>) | undefined;
  readonly afterMs?: number;
}

export class Durability {
  readonly #options: DurabilityOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Something changed since the last sync began; or did before, for a daemon that was killed left what it had not synced. */
  #dirty = true;
  #changes = 0;
  #running: Promise<void> | undefined;
  #failed = false;
  /** Of those who asked while one was running. */
  #next: Promise<void> | undefined;

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** Whether all that was done is on the disk. */
  get reached(): boolean {
    return !this.#failed && !this.#dirty && this.#running === undefined;
  }

  /** How many changes there were of which changed() was told. */
  get changes(): number {
    return this.#changes;
  }

  /** To be called before each change of what the home holds: it is not synced for that alone, as what is uploaded in pieces. */
  changing(): void {
    this.#dirty = true;
  }

  /** To be called with each change that clients are told of when it is durable. */
  changed(): void {
    this.#dirty = true;
    this.#changes += 1;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.sync().catch(() => undefined);
    }, this.#options.afterMs ?? SYNC_AFTER_MS).unref();
  }

  /** Resolves when all that was done before is on the disk. EIO, ENOSPC, EDQUOT: something of it is not, and may be lost. */
  sync(): Promise<void> {
    // Nothing changed since the last one began: there is nothing to wait for but its end.
    if (!this.#dirty && this.#next === undefined) return this.#running ?? Promise.resolve();
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#start();
    this.#next = this.#running.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return this.#next;
  }

  /** Resolves when the last sync has ended, well or not, and nothing is left to be synced. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#running !== undefined || this.#dirty) {
      await (this.#dirty ? this.sync() : this.#running)?.catch(() => undefined);
    }
  }

  #startNext(): Promise<void> {
    this.#next = undefined;
    return this.#start();
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dirty = false;
    const running = this.#run().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #run(): Promise<void> {
    const { tree, marks, onDurable, onFailed } = this.#options;
    const applied = [...marks()].map((mark) => ({ mark, number: mark.applied }));
    try {
      await (this.#options.sync ?? syncTree)(tree);
    } catch (error) {
      this.#failed = true;
      onFailed(error);
      throw error;
    }
    for (const { mark, number } of applied) {
      try {
        mark.setDurable(number);
      } catch {
        // It counts as long as this process lives; an older one on the disk does no harm (marks.ts).
      }
    }
    onDurable();
  }
}

function syncTree(tree: Pick<ConfinedTree, 'root'>): Promise<void> {
  return onDiskThread(tree, 'syncfs', tree.root);
}

/**
 * Inode numbers of one kind that the server gave ahead: as many are kept as are used in about a second, within bounds, as
 * each costs the server a descriptor or a directory. Pure but for the time, which is an argument.
 */
import { MAX_GRANTED_INODES } from '../../protocol/limits.js';
import type { FileId } from '../../protocol/references.js';

const FEWEST = 16;
/** What was asked for less than this ago and is used up was too little (milliseconds). */
const SOON_MS = 1_000;
/** What lasted longer than this was too much. */
const LONG_MS = 60_000;
/** A server that had none is asked again after this long (milliseconds), if nobody waits. */
const AGAIN_MS = 1_000;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (failure: Error) => void;
}

export class GrantedIds {
  readonly #ids: FileId[] = [];
  #target = FEWEST;
  #askedAt = Number.NEGATIVE_INFINITY;
  #noneAt = Number.NEGATIVE_INFINITY;
  #waiting: Waiting[] = [];

  take(): FileId | undefined {
    return this.#ids.shift();
  }

  /** One that was taken, and not used. */
  putBack(id: FileId): void {
    this.#ids.unshift(id);
  }

  /** Resolves when there may be one; rejects with what fail() says. */
  wait(): Promise<void> {
    if (this.#ids.length > 0) return Promise.resolve();
    this.#noneAt = Number.NEGATIVE_INFINITY;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  get awaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Some that were given were used: for who waits, the server may have more now. */
  used(): void {
    if (this.awaited) this.#noneAt = Number.NEGATIVE_INFINITY;
  }

  /** How many are to be asked for; 0 while there are enough. */
  toAsk(now: number): number {
    if (this.#ids.length > this.#target / 2 || now - this.#noneAt < AGAIN_MS) return 0;
    return this.#target - this.#ids.length;
  }

  /** They are asked for. */
  asked(now: number): void {
    if (now - this.#askedAt < SOON_MS) this.#target = Math.min(2 * this.#target, MAX_GRANTED_INODES);
    else if (now - this.#askedAt > LONG_MS) this.#target = Math.max(this.#target / 2, FEWEST);
    this.#askedAt = now;
  }

  /** What the server gave. */
  add(ids: readonly FileId[], now: number): void {
    if (ids.length === 0) {
      this.#noneAt = now;
      return;
    }
    this.#ids.push(...ids);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
  }

  /** There are none to wait for. */
  fail(failure: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(failure);
  }

  /** The server does not know them any more. */
  forget(): void {
    this.#ids.length = 0;
  }
}

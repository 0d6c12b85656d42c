/**
 * Inode numbers of one kind that the server gave ahead: as many are kept as are used in about a second, within bounds, as
 * each costs the server a descriptor or a directory. Pure but for the time, which is an argument.
 */
import { MAX_GRANTED_INODES } from '../../protocol/limits.js';
import type { FileId } from '../../protocol/references.js';

const FEWEST = 16;
/** For so long they are to last (milliseconds). */
const ENOUGH_MS = 1_000;
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
  /** Since then. */
  #used = 0;
  #noneAt = Number.NEGATIVE_INFINITY;
  #waiting: Waiting[] = [];

  take(): FileId | undefined {
    const id = this.#ids.shift();
    if (id !== undefined) this.#used += 1;
    return id;
  }

  /** One that was taken, and not used. */
  putBack(id: FileId): void {
    this.#ids.unshift(id);
    this.#used -= 1;
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

  /** How many are to be asked for now; 0 while there are enough. */
  ask(now: number): number {
    if (this.#ids.length > this.#target / 2 || now - this.#noneAt < AGAIN_MS) return 0;
    const enough = Math.ceil((this.#used * ENOUGH_MS) / Math.max(1, now - this.#askedAt));
    // A burst may follow another one: what lasts too long is halved.
    this.#target = Math.min(Math.max(enough, this.#target >> 1, FEWEST), MAX_GRANTED_INODES);
    this.#askedAt = now;
    this.#used = 0;
    return this.#target - this.#ids.length;
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

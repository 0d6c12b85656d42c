/*
 * The live account of one home: apparent bytes and inodes, against limits that may change at any time.
 *
 * Invariant: what a change may add is reserved before the change, and what it did not add is released after it, in the
 * same synchronous stretch; so whenever anyone else looks, `used` is exactly what the home holds, and it passes
 * a limit only where the limit was lowered below it. Reserving nothing is never refused, so that a home over its
 * limit can still be read, written in place, and emptied.
 */
import { Failure } from '../../protocol/failure.js';
import type { Use } from '../../state/ledger.js';

export class Quota {
  #bytes: number;
  #files: number;
  #limits: Use;
  readonly #beforeChange: () => void;

  /** `beforeChange` is called before each change of the home; if it throws, the change is not made. Limit 0: none. */
  constructor(used: Use, limits: Use, beforeChange: () => void) {
    this.#bytes = used.bytes;
    this.#files = used.files;
    this.#limits = limits;
    this.#beforeChange = beforeChange;
  }

  get used(): Use {
    return { bytes: this.#bytes, files: this.#files };
  }

  get limits(): Use {
    return this.#limits;
  }

  setLimits(limits: Use): void {
    this.#limits = limits;
  }

  /** To be called before a change of the home that may release but adds nothing. */
  prepare(): void {
    this.#beforeChange();
  }

  /** Whether reserve() would be granted. */
  hasRoom(bytes: number, files: number): boolean {
    return (
      (bytes === 0 || this.#limits.bytes === 0 || this.#bytes + bytes <= this.#limits.bytes) &&
      (files === 0 || this.#limits.files === 0 || this.#files + files <= this.#limits.files)
    );
  }

  /** Charges before a change. EDQUOT, and nothing is charged; EFBIG where the sum could not be counted any more. */
  reserve(bytes: number, files: number): void {
    this.#beforeChange();
    if (!this.hasRoom(bytes, files)) {
      const what = this.hasRoom(bytes, 0) ? 'number of files' : 'disk space';
      throw new Failure('EDQUOT', `the quota of ${what} is used up`);
    }
    if (this.#bytes + bytes > Number.MAX_SAFE_INTEGER)
      throw new Failure('EFBIG', 'the home would pass 2^53 bytes');
    this.#bytes += bytes;
    this.#files += files;
  }

  /** Gives back after a change. Not below 0: a file that grew behind the daemon's back gives back what it never paid. */
  release(bytes: number, files: number): void {
    this.#bytes = Math.max(0, this.#bytes - bytes);
    this.#files = Math.max(0, this.#files - files);
  }

  /** Replaces the use by a count of the tree. */
  correct(used: Use): void {
    this.#beforeChange();
    this.#bytes = used.bytes;
    this.#files = used.files;
  }
}

/**
 * The buffers that file data passes through: blocks of one maximal read or write, shared by all transfers of a
 * process, so that memory is bounded however many files are on their way.
 *
 * Invariant: who acquired a block gives it back once, when nothing reads or writes it any more.
 */
import { MAX_BYTES_IN_FLIGHT, MAX_DATA } from '../../protocol/limits.js';

export const BLOCK_BYTES = MAX_DATA;

/** No more than the window of a session, so that no request waits for the window with a copy of its data. */
const BLOCKS = MAX_BYTES_IN_FLIGHT / BLOCK_BYTES;

export class BlockPool {
  readonly #free: Buffer[] = [];
  readonly #waiting: ((block: Buffer) => void)[] = [];
  #allocated = 0;

  /** A block of BLOCK_BYTES with whatever is in it; waits, first come first served, while all are in use. */
  acquire(): Promise<Buffer> {
    const block = this.#free.pop();
    if (block !== undefined) return Promise.resolve(block);
    if (this.#allocated < BLOCKS) {
      this.#allocated += 1;
      return Promise.resolve(Buffer.allocUnsafeSlow(BLOCK_BYTES));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(block: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(block);
    else next(block);
  }
}

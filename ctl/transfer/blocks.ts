/**
 * The buffers that file data passes through: blocks of one maximal read or write, or smaller ones, shared by all transfers of a
 * command, so that memory is bounded however many files are on their way, and what a broken line or a kill costs, too.
 *
 * Invariant: who acquired a block gives it back once, when nothing reads or writes it any more.
 */
import { MAX_DATA } from '../../protocol/limits.js';

export const BLOCK_BYTES = MAX_DATA;

/**
 * So much is on its way at most, and so much is sent twice after an interruption. A line that is broken has no more on it: by
 * Linux's default a connection sends 4 MiB ahead of what is acknowledged (tcp_wmem). Half the window of a session, so that no
 * request waits for the window with a copy of its data.
 */
const BLOCKS = 8;

/** The least: less would be mostly messages. */
const MIN_BLOCK_BYTES = 16 * 1024;
/** Under a limit the blocks are of a part of a second. */
const BLOCKS_PER_SECOND = 8;

/** The size of blocks under a limit (bytes a second): a power of two, so that checkpoints are where blocks end. */
export function blockBytes(limit: number): number {
  const bytes = 2 ** Math.floor(Math.log2(limit / BLOCKS_PER_SECOND));
  return Math.min(BLOCK_BYTES, Math.max(MIN_BLOCK_BYTES, bytes));
}

export class BlockPool {
  /** Bytes of a block. */
  readonly bytes: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((block: Buffer) => void)[] = [];
  #allocated = 0;

  constructor(bytes = BLOCK_BYTES) {
    this.bytes = bytes;
  }

  /** A block with whatever is in it; waits, first come first served, while all are in use. */
  acquire(): Promise<Buffer> {
    const block = this.#free.pop();
    if (block !== undefined) return Promise.resolve(block);
    if (this.#allocated < BLOCKS) {
      this.#allocated += 1;
      return Promise.resolve(Buffer.allocUnsafeSlow(this.bytes));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Moves something by other means than a block, which counts as one meanwhile. */
  async during<T>(move: () => Promise<T>): Promise<T> {
    const block = await this.acquire();
    try {
      return await move();
    } finally {
      this.release(block);
    }
  }

  release(block: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(block);
    else next(block);
  }
}

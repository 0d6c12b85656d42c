/**
 * Reading ahead of a program that reads a file in order, one object for each open file.
 *
 * The kernel asks for at most its own readahead at a time (128 KiB in an unprivileged mount), which over a line of
 * 20 ms is 6 MB/s. So blocks beyond what is asked for are requested early, several at once. The window doubles
 * whenever the program had to wait and else stays: it ends where bandwidth times delay needs it, unmeasured.
 *
 * Invariants:
 * - Blocks are contiguous and in the order of the file. A block is kept until it was read to its end.
 * - Data of a block that was dropped (own write, change elsewhere, seek) reaches only reads that waited for it then.
 * - All files together hold at most READ_BUDGET bytes of blocks that nobody waits for.
 *
 * An arriving block is handed to waiting reads where it was decrypted; only what nobody waits for is copied.
 */
import { giveBuffer, takeBuffer } from '../../protocol/buffer-pool.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_DATA } from '../../protocol/limits.js';
import { interrupted, onInterrupt, type Interruptible } from '../remote/interruption.js';
import type { Eventually } from './operations.js';

/** Gets data of the file; the data is a view, valid only during the call. */
export type Arrival = (failure: Failure | undefined, data: Buffer | undefined) => void;
export type Fetch = (offset: number, length: number, arrival: Arrival) => void;
export type Reply = (pieces: readonly Buffer[]) => void;

const KiB = 1024;
const MIN_WINDOW = 128 * KiB;
/** 80 ms of a line of 100 MB/s. */
const MAX_WINDOW = 8 * 1024 * KiB;
/** The kernel sends the reads of one readahead at once, and they may overtake each other by this much. */
const DISORDER = 1024 * KiB;

/** Bytes of blocks in all files of a mount. */
const READ_BUDGET = 32 * 1024 * KiB;

/** What all open files of a mount may hold together. */
export class ReadBudget {
  #bytes = 0;
  /** The longest ago used first. */
  readonly #users = new Set<ReadAhead>();

  /** Whether there are `bytes` more; takes them from files that were not read for longer where needed. */
  take(bytes: number, user: ReadAhead): boolean {
    for (const other of this.#users) {
      if (this.#bytes + bytes <= READ_BUDGET) break;
      if (other !== user) other.drop();
    }
    if (this.#bytes + bytes > READ_BUDGET) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Takes what a program waits for, whatever it is. */
  force(bytes: number): void {
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  used(user: ReadAhead): void {
    this.#users.delete(user);
    this.#users.add(user);
  }

  ended(user: ReadAhead): void {
    this.#users.delete(user);
  }
}

/** One read(2) that waits for blocks. */
interface Waiting {
  readonly offset: number;
  readonly end: number;
  readonly blocks: readonly Block[];
  readonly reply: Reply;
  settle(failure?: Failure): void;
  done: boolean;
}

class Block {
  readonly offset: number;
  /** Bytes asked for. */
  readonly length: number;
  /** Bytes there are: fewer at the end of the file; undefined until they arrive. */
  received: number | undefined;
  /** Those from `keptFrom` on; before are none that were not read. */
  data: Buffer | undefined;
  keptFrom = 0;
  /** No read begins here any more. */
  dropped = false;
  /** Reads that wait for its arrival. */
  waiting: Waiting[] = [];
  /** Reads that wait for this block or another one, and need its data. */
  readers = 0;

  constructor(offset: number, length: number) {
    this.offset = offset;
    this.length = length;
  }

  get end(): number {
    return this.offset + this.length;
  }

  /** Whether it has, or will have, what is from this place on. */
  holds(offset: number): boolean {
    return offset >= this.offset + this.keptFrom;
  }

  /** Gives the data back where nobody needs them. */
  release(): void {
    if (!this.dropped || this.readers > 0 || this.data === undefined) return;
    giveBuffer(this.data);
    this.data = undefined;
  }
}

export class ReadAhead {
  readonly #fetch: Fetch;
  readonly #budget: ReadBudget;
  #blocks: Block[] = [];
  /** Where a program that reads in order goes on. */
  #position = 0;
  #window = 0;

  constructor(fetch: Fetch, budget: ReadBudget) {
    this.#fetch = fetch;
    this.#budget = budget;
  }

  /** The first `length` bytes are on their way by other means; the returned function takes them. */
  expect(length: number): Arrival {
    const block = new Block(0, length);
    this.#budget.force(length);
    this.#blocks = [block];
    return (failure, data) => {
      if (failure === undefined && data === undefined) {
        this.#fetch(0, length, (late, bytes) => this.#arrived(block, late, bytes));
      } else {
        this.#arrived(block, failure, data);
      }
    };
  }

  /** `size` is that of the file, where it is known: nothing is asked for beyond. */
  read(
    offset: number,
    length: number,
    size: number | undefined,
    reply: Reply,
    caller: Interruptible,
  ): Eventually<void> {
    // The kernel asks for whole pages.
    const end = Math.min(offset + length, size ?? Number.POSITIVE_INFINITY);
    if (end <= offset) return reply([]);
    this.#budget.used(this);
    if (!this.#continues(offset)) {
      this.drop();
      this.#window = 0;
      this.#position = end;
      if (offset !== 0) return this.#readOne(offset, end, reply, caller);
    }
    this.#position = Math.max(this.#position, end);
    this.#cover(offset, end);
    if (size !== undefined) this.#ahead(end, size);
    return this.#serve(offset, end, reply, caller);
  }

  /** Forgets what was read ahead; reads that wait still get it. */
  drop(): void {
    for (const block of this.#blocks) this.#discard(block);
    this.#blocks = [];
  }

  close(): void {
    this.drop();
    this.#budget.ended(this);
  }

  #continues(offset: number): boolean {
    const [first] = this.#blocks;
    if (first === undefined) return offset === this.#position && offset > 0;
    return offset >= first.offset && offset <= this.#position + DISORDER;
  }

  /** Requests what the read needs and no block has. */
  #cover(offset: number, end: number): void {
    let tail = this.#blocks.at(-1)?.end;
    if (tail === undefined || offset > tail) {
      this.drop();
      tail = offset;
    }
    while (tail < end) {
      const length = Math.min(end - tail, MAX_DATA);
      this.#budget.force(length);
      this.#request(tail, length);
      tail += length;
    }
  }

  /** Requests what will be needed. */
  #ahead(end: number, size: number): void {
    let tail = this.#blocks.at(-1)?.end ?? end;
    const limit = Math.min(size, end + this.#window);
    while (tail < limit) {
      // Up to a multiple of the largest piece. A small rest waits until it has grown, unless the file ends there.
      const length = Math.min(limit - tail, MAX_DATA - (tail % MAX_DATA));
      if (tail + length < size && length < Math.min(this.#window / 2, MAX_DATA - (tail % MAX_DATA))) return;
      if (!this.#budget.take(length, this)) return;
      this.#request(tail, length);
      tail += length;
    }
  }

  #request(offset: number, length: number): void {
    const block = new Block(offset, length);
    this.#blocks.push(block);
    this.#fetch(offset, length, (failure, data) => this.#arrived(block, failure, data));
  }

  #serve(offset: number, end: number, reply: Reply, caller: Interruptible): Eventually<void> {
    const blocks = this.#blocks.filter((block) => block.offset < end && block.end > offset);
    // Overtaken by a read of what follows, so that this part was not kept.
    if (blocks[0]?.holds(offset) !== true) return this.#readOne(offset, end, reply, caller);
    if (blocks.every((block) => block.received !== undefined)) {
      reply(pieces(blocks, offset, end));
      this.#passed(end);
      return undefined;
    }
    this.#window = Math.min(Math.max(2 * this.#window, MIN_WINDOW), MAX_WINDOW);
    return new Promise((resolve, reject) => {
      const endWatch = onInterrupt(caller, () => waiting.settle(interrupted()));
      const waiting: Waiting = {
        offset,
        end,
        blocks,
        reply,
        done: false,
        settle(failure) {
          if (waiting.done) return;
          waiting.done = true;
          endWatch?.();
          for (const block of blocks) {
            block.readers--;
            block.release();
          }
          if (failure === undefined) resolve();
          else reject(failure);
        },
      };
      for (const block of blocks) {
        block.readers++;
        if (block.received === undefined) block.waiting.push(waiting);
      }
    });
  }

  #arrived(block: Block, failure: Failure | undefined, data: Buffer | undefined): void {
    const waiting = block.waiting;
    block.waiting = [];
    if (data === undefined) {
      if (!block.dropped) {
        const from = this.#blocks.indexOf(block);
        for (const each of this.#blocks.splice(from)) this.#discard(each);
      }
      for (const each of waiting) each.settle(failure ?? new Failure('EIO'));
      return;
    }
    block.received = data.length;
    const ready = waiting.filter(
      (each) => !each.done && each.blocks.every((other) => other.received !== undefined),
    );
    block.data = data;
    let served = 0;
    for (const each of ready) {
      each.reply(pieces(each.blocks, each.offset, each.end));
      served = Math.max(served, each.end);
    }
    // The data are a view: what may still be of use is copied, from where nobody has read.
    const needed = block.readers > ready.length;
    block.keptFrom = needed ? 0 : Math.min(Math.max(served - block.offset, 0), data.length);
    block.data = undefined;
    if (block.keptFrom < data.length && (needed || !block.dropped)) {
      block.data = takeBuffer(data.length - block.keptFrom);
      data.copy(block.data, 0, block.keptFrom);
    }
    for (const each of ready) each.settle();
    if (served > 0) this.#passed(served);
  }

  /** Everything before this place was read. */
  #passed(end: number): void {
    const kept = this.#blocks.findIndex((block) => block.end > end || block.received === undefined);
    for (const block of this.#blocks.splice(0, kept < 0 ? this.#blocks.length : kept)) this.#discard(block);
  }

  #discard(block: Block): void {
    if (block.dropped) return;
    block.dropped = true;
    this.#budget.give(block.length);
    block.release();
  }

  /** A read out of order: just that. */
  #readOne(offset: number, end: number, reply: Reply, caller: Interruptible): Promise<void> {
    return new Promise((resolve, reject) => {
      let open = true;
      const endWatch = onInterrupt(caller, () => {
        open = false;
        reject(interrupted());
      });
      this.#fetch(offset, Math.min(end - offset, MAX_DATA), (failure, data) => {
        endWatch?.();
        if (!open) return;
        if (data === undefined) reject(failure ?? new Failure('EIO'));
        else {
          reply([data]);
          resolve();
        }
      });
    });
  }
}

/** What the blocks have of [offset, end): up to the end of the file. */
function pieces(blocks: readonly Block[], offset: number, end: number): Buffer[] {
  const found: Buffer[] = [];
  for (const block of blocks) {
    const { data, keptFrom, received = 0 } = block;
    const from = Math.max(offset - block.offset, 0);
    const to = Math.min(end - block.offset, received);
    if (data !== undefined && to > from) found.push(data.subarray(from - keptFrom, to - keptFrom));
    if (received < block.length) break;
  }
  return found;
}

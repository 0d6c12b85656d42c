/**
 * Reading one open file, and reading ahead of a program that reads it in order.
 *
 * The kernel asks for at most its own readahead at a time (128 KiB in an unprivileged mount), which over a line of
 * 20 ms is 6 MB/s. So blocks beyond what is asked for are requested early, several at once. The window grows while the
 * program has to wait, up to what keeps the line busy (bandwidth.ts). A program that reads here and there pays for its reads
 * one by one, until the whole file is cheaper (whole-file.ts).
 *
 * Invariants:
 * - Blocks are disjoint and in the order of the file; there may be gaps. What a read gets is put together by assemble(), which
 *   checks each byte's place; where one is missing, the read is asked for by itself.
 * - A block is kept until it was read to its end. One that is shorter than asked for is where the file ended then: it serves
 *   those who wait, and no later read.
 * - Data of a block that was dropped (own write, change elsewhere, seek) reach only reads that waited for it then. It is
 *   cancelled where there are none.
 * - What nobody waits for is within the budget of all files, and is asked for only behind what somebody waits for.
 * - The kernel reads ahead, too, some MiB, and does not say which of its reads are that: of one file, what the line has no room
 *   for is not sent before it has. A read of another file would wait behind it.
 *
 * An arriving block is handed to waiting reads where it was decrypted; only what nobody waits for is copied.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_DATA } from '../../protocol/limits.js';
import type { FileId } from '../../protocol/references.js';
import type { Eventually } from '../operations.js';
import { interrupted, onInterrupt, type Interruptible } from '../remote/interruption.js';
import type { Bandwidth } from './bandwidth.js';
import { Block, type Reply, type Waiting } from './block.js';
import type { Holder, ReadBudget } from './budget.js';
import type { CachedFile, FileCache } from './cache.js';
import type { Arrival, Cancel, Fetch } from './fetch.js';
import { assemble } from './pieces.js';
import { WholeFile } from './whole-file.js';

export type { Reply } from './block.js';

export interface ReaderParts {
  /** The file; its id may change. */
  readonly file: { readonly id: FileId };
  readonly fetch: Fetch;
  readonly bandwidth: Bandwidth;
  readonly budget: ReadBudget;
  readonly cache: FileCache;
}

const KiB = 1024;
/** The window of a file that was read in order once: the kernel's readahead. */
const FIRST_WINDOW = 128 * KiB;
/** How much the window grows when the program had to wait. */
const GROWTH = 4;
/** The kernel sends the reads of one readahead at once, and they may overtake each other by this much. */
const DISORDER = 1024 * KiB;

export class Reader implements Holder {
  readonly #file: { readonly id: FileId };
  readonly #fetch: Fetch;
  readonly #bandwidth: Bandwidth;
  readonly #budget: ReadBudget;
  readonly #cache: FileCache;
  readonly #whole: WholeFile;
  #blocks: Block[] = [];
  /** Blocks that are asked for when there is room; then some of the file are under way. */
  #unsent: Block[] = [];
  #underWay = 0;
  /** Where a program that reads in order goes on. */
  #position = 0;
  /** Bytes that are asked for beyond what was read; 0: the program does not read in order. */
  #window = 0;

  constructor({ file, fetch, bandwidth, budget, cache }: ReaderParts) {
    this.#file = file;
    this.#fetch = fetch;
    this.#bandwidth = bandwidth;
    this.#budget = budget;
    this.#cache = cache;
    this.#whole = new WholeFile(fetch, bandwidth, cache);
  }

  /**
   * Reads at most MAX_DATA bytes; answered in the same call where they are here. `size` is that of the file, where it is
   * believed: nothing is asked for beyond. Undefined: nothing is asked for ahead.
   */
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
    const cached = size === undefined ? undefined : this.#cache.find(this.#file.id);
    if (cached?.read(offset, end, reply) === true) {
      if (offset === this.#position) this.#position = end;
      return undefined;
    }
    if (size !== undefined && cached?.expected === true) {
      return this.#whenArrived(cached, () => this.read(offset, length, size, reply, caller), caller);
    }
    this.#budget.used(this);
    if (!this.#continues(offset)) {
      this.#clear();
      this.#window = 0;
      this.#position = end;
      if (offset > 0) return this.#readAtRandom(offset, end, size, reply, caller);
    }
    this.#position = Math.max(this.#position, end);
    // First what is waited for.
    for (const gap of this.#missing(offset, end)) this.#demand(gap.start, gap.end);
    const blocks = this.#blocks.filter((block) => block.start < end && block.end > offset);
    const waits = blocks.some(({ arrived }) => !arrived);
    if (waits) this.#grow();
    if (size !== undefined && this.#unsent.length === 0) this.#ahead(end, size);
    return waits
      ? this.#wait(offset, end, blocks, reply, caller)
      : this.#answer(offset, end, blocks, reply, caller);
  }

  /** The file's data changed, or may have: what was read ahead is of no use; reads that wait still get it. */
  drop(): void {
    this.#clear();
    this.#whole.cancel();
  }

  close(): void {
    this.drop();
    this.#budget.ended(this);
  }

  #clear(): void {
    const blocks = this.#blocks;
    this.#blocks = [];
    for (const block of blocks) this.#discard(block);
  }

  /** Whether a read goes on where the program is, or a little before or behind: reads overtake each other. */
  #continues(offset: number): boolean {
    if (offset === this.#position) return offset > 0;
    if (this.#window === 0 && this.#blocks.length === 0) return false;
    if (this.#blocks.some(({ start, end }) => start <= offset && offset < end)) return true;
    return this.#window > 0 && Math.abs(offset - this.#position) <= DISORDER;
  }

  #grow(): void {
    const first = Math.min(FIRST_WINDOW, this.#bandwidth.worthOneRoundTrip);
    this.#window = this.#window === 0 ? first : Math.min(GROWTH * this.#window, this.#bandwidth.window);
  }

  /** The parts of [from, to) that no block has. */
  #missing(from: number, to: number): { start: number; end: number }[] {
    const gaps = [];
    let at = from;
    for (const { start, end } of this.#blocks) {
      if (end <= at) continue;
      if (start >= to) break;
      if (start > at) gaps.push({ start: at, end: start });
      at = end;
    }
    if (at < to) gaps.push({ start: at, end: to });
    return gaps;
  }

  /** Requests what is waited for. */
  #demand(start: number, end: number): void {
    const piece = this.#bandwidth.isKnown ? this.#bandwidth.piece : MAX_DATA;
    for (let at = start; at < end; at += piece) {
      const length = Math.min(end - at, piece);
      this.#budget.force(length);
      this.#request(at, length, false);
    }
  }

  /** Requests what will be needed, from `from` on. */
  #ahead(from: number, size: number): void {
    const limit = Math.min(size, from + this.#window);
    const { piece } = this.#bandwidth;
    for (const gap of this.#missing(from, limit)) {
      for (let at = gap.start; at < gap.end;) {
        // Up to a multiple of a piece. A small rest waits until it has grown, unless the file ends there.
        const whole = piece - (at % piece);
        const length = Math.min(gap.end - at, whole);
        if (at + length === limit && limit < size && length < Math.min(this.#window / 2, whole)) return;
        if (!this.#bandwidth.admits(length) || !this.#budget.take(length, this)) return;
        this.#request(at, length, true);
        at += length;
      }
    }
  }

  #request(start: number, length: number, ahead: boolean): void {
    const block = new Block(start, length);
    const index = this.#blocks.findLastIndex((other) => other.start < start);
    this.#blocks.splice(index + 1, 0, block);
    this.#unsent.push(block);
    this.#send(ahead);
  }

  /** Sends what is not sent, as far as there is room. */
  #send(ahead: boolean): void {
    for (let [block] = this.#unsent; block !== undefined; [block] = this.#unsent) {
      if (this.#underWay > 0 && !ahead && this.#bandwidth.isFull(block.charge)) return;
      this.#unsent.shift();
      if (!block.isOfUse) continue;
      const sent = block;
      this.#underWay++;
      block.cancel = this.#ask(block.start, block.charge, ahead, (failure, data) => {
        this.#underWay--;
        this.#arrived(sent, failure, data);
        this.#send(false);
      });
    }
  }

  #ask(offset: number, length: number, ahead: boolean, arrival: Arrival): Cancel {
    const flight = this.#bandwidth.sent(length, ahead);
    return this.#fetch(offset, length, (failure, data) => {
      flight.arrived(data?.length ?? 0);
      arrival(failure, data);
    });
  }

  #wait(
    offset: number,
    end: number,
    blocks: readonly Block[],
    reply: Reply,
    caller: Interruptible,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let endWatch: (() => void) | undefined;
      const waiting: Waiting = {
        ...{ offset, end, blocks, reply, caller },
        settle(outcome) {
          endWatch?.();
          for (const block of blocks) {
            block.readers.delete(waiting);
            block.release();
          }
          if (outcome instanceof Failure) reject(outcome);
          else resolve(outcome);
        },
      };
      for (const block of blocks) block.readers.add(waiting);
      endWatch = onInterrupt(caller, () => waiting.settle(interrupted()));
    });
  }

  /** Answers from blocks that have all come. */
  #answer(
    offset: number,
    end: number,
    blocks: readonly Block[],
    reply: Reply,
    caller: Interruptible,
  ): Eventually<void> {
    const last = blocks.find((block) => block.last);
    const stop = Math.min(end, last?.end ?? end);
    const pieces = assemble(blocks, offset, stop);
    if (pieces === undefined) return this.#readOne(offset, end, reply, caller);
    reply(pieces);
    this.#consumed(offset, stop);
    return undefined;
  }

  /** These bytes were read: nobody needs them again. */
  #consumed(offset: number, end: number): void {
    for (const block of this.#blocks) {
      const bytes = Math.min(end, block.end) - Math.max(offset, block.start);
      if (bytes > 0 && block.arrived) block.unread -= bytes;
    }
    this.#keepOnly((block) => !block.arrived || (block.unread > 0 && block.end > this.#position - DISORDER));
  }

  #keepOnly(isOfUse: (block: Block) => boolean): void {
    const useless = this.#blocks.filter((block) => !isOfUse(block));
    if (useless.length === 0) return;
    this.#blocks = this.#blocks.filter(isOfUse);
    for (const block of useless) this.#discard(block);
  }

  #discard(block: Block): void {
    if (block.dropped) return;
    block.dropped = true;
    this.#budget.give(block.charge);
    block.release();
  }

  #arrived(block: Block, failure: Failure | undefined, data: Buffer | undefined): void {
    const { dropped } = block;
    block.arrived = true;
    if (data === undefined) return this.#failed(block, failure ?? new Failure('EIO'));
    block.data = data;
    block.last = data.length < block.end - block.start;
    block.end = block.start + data.length;
    block.unread = data.length;
    const ready = [...block.readers].filter(({ blocks }) => blocks.every(({ arrived }) => arrived));
    const outcomes = ready.map(({ offset, end, blocks, reply, caller }) =>
      this.#answer(offset, end, blocks, reply, caller),
    );
    // The data are a view: what may still be of use is copied, from where nobody has read.
    const needed = block.readers.size > ready.length;
    const from = needed ? block.start : readFrom(block.start, ready);
    if (needed || (!block.dropped && !block.last && from < block.end)) block.keep(from);
    else block.data = undefined;
    for (const [index, waiting] of ready.entries()) waiting.settle(outcomes[index]);
    if (block.last && !dropped) this.#keepOnly((other) => other.start < block.start);
  }

  /** Neither this block nor what follows is worth anything: who reads on asks again, and gets an error of its own. */
  #failed(block: Block, failure: Failure): void {
    if (!block.dropped) this.#keepOnly((other) => other.start < block.start);
    for (const waiting of [...block.readers]) waiting.settle(failure);
  }

  /** A read out of order: just that. What it cost counts towards fetching the whole file. */
  #readAtRandom(
    offset: number,
    end: number,
    size: number | undefined,
    reply: Reply,
    caller: Interruptible,
  ): Promise<void> {
    const waited = (ms: number): void => {
      if (size !== undefined) this.#whole.waited(ms, this.#file.id, size);
    };
    return this.#readOne(offset, end, reply, caller, waited);
  }

  #readOne(
    offset: number,
    end: number,
    reply: Reply,
    caller: Interruptible,
    waited?: (ms: number) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let open = true;
      let endWatch: (() => void) | undefined;
      const sentAt = this.#bandwidth.now();
      const cancel = this.#ask(offset, Math.min(end - offset, MAX_DATA), false, (failure, data) => {
        endWatch?.();
        if (!open) return;
        if (data === undefined) return reject(failure ?? new Failure('EIO'));
        reply([data]);
        resolve();
        waited?.(this.#bandwidth.now() - sentAt);
      });
      endWatch = onInterrupt(caller, () => {
        open = false;
        cancel();
        reject(interrupted());
      });
    });
  }

  /** The file is on its way into the cache: reads it when it has come, or is known not to come. */
  #whenArrived(cached: CachedFile, read: () => Eventually<void>, caller: Interruptible): Promise<void> {
    return new Promise((resolve, reject) => {
      let open = true;
      const endWatch = onInterrupt(caller, () => {
        open = false;
        reject(interrupted());
      });
      cached.whenArrived(() => {
        endWatch?.();
        if (!open) return;
        try {
          resolve(read());
        } catch (thrown) {
          reject(Failure.from(thrown));
        }
      });
    });
  }
}

/** Where the first byte is that none of these reads got, of those from `start` on. */
function readFrom(start: number, reads: readonly Waiting[]): number {
  let at = start;
  for (const { offset, end } of reads.toSorted((a, b) => a.offset - b.offset)) {
    if (offset <= at) at = Math.max(at, end);
  }
  return at;
}

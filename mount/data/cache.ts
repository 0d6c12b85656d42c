/**
 * Data of files that were fetched before a program asked for them: small ones in the order of their directory
 * (fetch-ahead.ts), whole ones that are read at random (whole-file.ts).
 *
 * Invariants:
 * - Data are valid until they are dropped; what was on its way when its file was dropped is not kept.
 * - What was read once is let go: the kernel has it.
 * - All of it is within the budget.
 */
import { giveBuffer, SMALL_BUFFER, takeBuffer } from '../../protocol/transport/buffer-pool.js';
import { sameId, type FileId } from '../../protocol/references.js';
import type { Holder, ReadBudget } from './budget.js';
import { assemble } from './pieces.js';

interface Chunk {
  readonly start: number;
  readonly end: number;
  /** View of `buffer`. */
  readonly data: Buffer;
  readonly buffer: Buffer;
  /** Bytes that nobody has read. */
  unread: number;
}

/** What is here of one file, and on its way. */
export class CachedFile implements Holder {
  readonly id: FileId;
  readonly #budget: ReadBudget;
  readonly #dropped: (file: CachedFile) => void;
  /** In the order of the file, disjoint. */
  #chunks: Chunk[] = [];
  #expected = 0;
  #waiting: (() => void)[] = [];
  #valid = true;

  constructor(id: FileId, budget: ReadBudget, dropped: (file: CachedFile) => void) {
    this.id = id;
    this.#budget = budget;
    this.#dropped = dropped;
  }

  /** False once it was dropped: nothing is kept in it any more. */
  get valid(): boolean {
    return this.#valid;
  }

  /** Whether data are on their way that a read had better wait for. */
  get expected(): boolean {
    return this.#expected > 0;
  }

  /** The whole file is on its way: the returned function, called once, takes it, or says that it does not come. */
  expect(): (data: Buffer | undefined) => void {
    this.#expected++;
    return (data) => {
      this.#expected--;
      if (data !== undefined) this.put(0, data);
      this.#wake();
      if (this.#chunks.length === 0 && this.#expected === 0) this.drop();
    };
  }

  /** Calls back, later, when what is expected has come, does not come, or is not valid any more. */
  whenArrived(act: () => void): void {
    this.#waiting.push(act);
  }

  /** Copies the data. Returns whether they were kept: the file is valid, and there is room. */
  put(start: number, data: Buffer): boolean {
    const end = start + data.length;
    if (!this.#valid || data.length === 0 || !this.#budget.take(data.length, this)) return false;
    this.#budget.used(this);
    const index = this.#indexFrom(start);
    const overlapping = this.#chunks.slice(index).filter((chunk) => chunk.start < end);
    for (const chunk of overlapping) this.#free(chunk);
    // Below that size, the pool's buffers have more room than data.
    const buffer = data.length < SMALL_BUFFER / 2 ? Buffer.allocUnsafe(data.length) : takeBuffer(data.length);
    data.copy(buffer);
    const chunk = { start, end, data: buffer.subarray(0, data.length), buffer, unread: data.length };
    this.#chunks.splice(index, overlapping.length, chunk);
    return true;
  }

  /** Whether all of [offset, end) is here; then `reply` gets it, as views that are valid during the call. */
  read(offset: number, end: number, reply: (pieces: readonly Buffer[]) => void): boolean {
    const index = this.#indexFrom(offset);
    const pieces = assemble(this.#chunks.slice(index, this.#indexFrom(end - 1) + 1), offset, end);
    if (pieces === undefined) return false;
    this.#budget.used(this);
    reply(pieces);
    this.#consumed(offset, end);
    return true;
  }

  /** Lets go of chunks that were read to their last byte. */
  #consumed(offset: number, end: number): void {
    for (const chunk of this.#chunks) {
      if (chunk.start >= end) break;
      if (chunk.end <= offset) continue;
      chunk.unread -= Math.min(end, chunk.end) - Math.max(offset, chunk.start);
      if (chunk.unread <= 0) this.#free(chunk);
    }
    this.#chunks = this.#chunks.filter(({ unread }) => unread > 0);
    if (this.#chunks.length === 0 && !this.expected) this.drop();
  }

  /** Gives back all; who waits asks for itself. */
  drop(): void {
    if (!this.#valid) return;
    this.#valid = false;
    this.#budget.ended(this);
    for (const chunk of this.#chunks) this.#free(chunk);
    this.#chunks = [];
    this.#dropped(this);
    this.#wake();
  }

  #free({ data, buffer }: Chunk): void {
    this.#budget.give(data.length);
    giveBuffer(buffer);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const act of waiting) queueMicrotask(act);
  }

  /** Index of the first chunk that ends beyond this place. */
  #indexFrom(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.end ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The files of a mount of which data were fetched ahead. */
export class FileCache {
  readonly #budget: ReadBudget;
  readonly #files = new Map<bigint, CachedFile>();

  constructor(budget: ReadBudget) {
    this.#budget = budget;
  }

  find(id: FileId): CachedFile | undefined {
    const file = this.#files.get(id.ino);
    return file !== undefined && sameId(file.id, id) ? file : undefined;
  }

  /** The file, to put data in that are asked for from now on. */
  open(id: FileId): CachedFile {
    const found = this.find(id);
    if (found !== undefined) return found;
    // An inode number that is used again: the file that had it is gone.
    this.#files.get(id.ino)?.drop();
    const file = new CachedFile(id, this.#budget, () => this.#files.delete(id.ino));
    this.#files.set(id.ino, file);
    return file;
  }

  /** The file's data changed, or may have: neither what is here nor what is on its way is of use. */
  drop(id: FileId): void {
    this.find(id)?.drop();
  }

  dropAll(): void {
    for (const file of [...this.#files.values()]) file.drop();
  }
}

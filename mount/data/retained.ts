/**
 * What the file holds, as far as it was written here: extents whose bytes are in the log, and zeros where nothing was
 * written in a part that did not exist before.
 *
 * A program reads what it has just written from here, without a copy and without waiting for the log to be sent.
 *
 * Invariants:
 * - The bytes belong to the log. They are looked up in its write when they are read, as it may move them while the write is
 *   extended; it is released before the log gives its bytes away.
 * - Extents are disjoint and in the order of the file. Between them, nothing is known before `#zerosFrom`, and from there on there are
 *   zeros.
 */
/** A write that the log has. */
export interface WrittenData {
  /** Where in the file its first byte is. */
  readonly offset: number;
  /** Its bytes as they are now. */
  readonly data: Buffer;
}

interface Extent {
  start: number;
  end: number;
  readonly source: WrittenData;
}

const ZEROS = Buffer.alloc(64 * 1024);

export class Retained {
  #extents: Extent[] = [];
  #zerosFrom: number;

  /** `madeHere`: the file was empty, and is known whole. */
  constructor({ madeHere }: { madeHere: boolean }) {
    this.#zerosFrom = madeHere ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Whether nothing is known here that the server does not know better. */
  get empty(): boolean {
    return this.#extents.length === 0;
  }

  /** [start, end) is now as `source` says. `sizeBefore`: where the file ended until now. */
  wrote(source: WrittenData, start: number, end: number, sizeBefore: number): void {
    this.#zerosFrom = Math.min(this.#zerosFrom, sizeBefore);
    if (end > start) this.#replace(start, end, { start, end, source });
  }

  /** The file was cut off at this size, or continued to it by zeros. */
  truncated(size: number): void {
    this.#zerosFrom = Math.min(this.#zerosFrom, size);
    this.#replace(size, Number.POSITIVE_INFINITY);
  }

  /** The pieces that make up these bytes, as views; undefined where some are not known. Not for beyond the file's end. */
  cover(offset: number, length: number): Buffer[] | undefined {
    const pieces: Buffer[] = [];
    const stop = offset + length;
    let at = offset;
    for (let index = this.#indexFrom(offset); at < stop; index++) {
      const extent = this.#extents[index];
      const gap = Math.min(extent?.start ?? stop, stop);
      if (at < gap) {
        if (at < this.#zerosFrom) return undefined;
        for (; at < gap; at += ZEROS.length) pieces.push(ZEROS.subarray(0, gap - at));
        at = gap;
      }
      if (extent === undefined || at >= stop) continue;
      const end = Math.min(extent.end, stop);
      const bytes = bytesOf(extent.source, at, end);
      if (bytes === undefined) return undefined;
      pieces.push(bytes);
      at = end;
    }
    return pieces;
  }

  /** The log is about to give the bytes of this write away. */
  release(source: WrittenData): void {
    const end = source.offset + source.data.length;
    const from = this.#indexFrom(source.offset);
    const kept: Extent[] = [];
    let to = from;
    for (; to < this.#extents.length; to++) {
      const extent = this.#extents[to];
      if (extent === undefined || extent.start >= end) break;
      // Nothing is known any more of what is before its end, but for other writes.
      if (extent.source === source) this.#zerosFrom = Math.max(this.#zerosFrom, extent.end);
      else kept.push(extent);
    }
    this.#extents.splice(from, to - from, ...kept);
  }

  /** Others may change the file, or have: nothing is known here any more. */
  drop(): void {
    this.#extents = [];
    this.#zerosFrom = Number.POSITIVE_INFINITY;
  }

  /** Puts `extent`, or nothing, in the place of [start, end). */
  #replace(start: number, end: number, extent?: Extent): void {
    const from = this.#indexFrom(start);
    let to = from;
    while ((this.#extents[to]?.start ?? end) < end) to++;
    const first = this.#extents[from];
    const last = this.#extents[to - 1];
    const changed: Extent[] = [];
    if (to > from && first !== undefined && first.start < start) changed.push({ ...first, end: start });
    if (extent !== undefined) changed.push(extent);
    if (to > from && last !== undefined && last.end > end) changed.push({ ...last, start: end });
    this.#extents.splice(from, to - from, ...changed);
    this.#join(from, from + changed.length);
  }

  /** Neighbours that are one write are one extent: a write that the log extends stays one. */
  #join(from: number, to: number): void {
    for (let index = Math.min(to, this.#extents.length - 1); index >= Math.max(from, 1); index--) {
      const [before, after] = [this.#extents[index - 1], this.#extents[index]];
      if (before === undefined || after === undefined) continue;
      if (before.source !== after.source || before.end !== after.start) continue;
      before.end = after.end;
      this.#extents.splice(index, 1);
    }
  }

  /** Index of the first extent that ends beyond this place. */
  #indexFrom(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#extents[middle]?.end ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The bytes of a write for [start, end) of the file; undefined where the log has them no more. */
function bytesOf({ offset, data }: WrittenData, start: number, end: number): Buffer | undefined {
  const bytes = data.subarray(start - offset, end - offset);
  return bytes.length === end - start ? bytes : undefined;
}

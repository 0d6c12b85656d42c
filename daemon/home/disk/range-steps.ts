/*
 * Work on a range of a file, as far as it goes without holding the thread for long: it costs by the extents that are there,
 * of which a gigabyte may have one or a hundred thousand. Measured (ext4, Linux 6.18): punching 40,000 extents 9.4 s,
 * allocating 8 GiB that are free in one piece 9 ms.
 *
 * Steps end at multiples of a MiB, so that no block is in two of them, which neither would free; or at the end of an extent.
 */
import { endOfExtents } from '../../../posix/extents.js';
import type { Fd } from '../../../posix/fd.js';

/** For how long one range may hold the thread (milliseconds), if its last step is short. */
const SLICE_MS = 5;
/** Extents of one step: some 4 ms where each is freed. */
const STEP_EXTENTS = 16;
/** A step is twice as long as the one before. */
const FIRST_STEP = 2 ** 20;
/** The longest step, and where the file system does not tell its extents. */
const LAST_STEP = 2 ** 30;
const LAST_BLIND_STEP = 2 ** 24;

export class RangeSteps {
  readonly #sliceMs: number;

  /** `sliceMs`: for tests; 0: one step. */
  constructor(sliceMs = SLICE_MS) {
    this.#sliceMs = sliceMs;
  }

  /** Has `step` work on [offset, end) of a file, piece by piece. Returns where it stopped: behind one piece at least. */
  walk(fd: Fd, offset: number, end: number, step: (offset: number, length: number) => void): number {
    const deadline = performance.now() + this.#sliceMs;
    let at = offset;
    for (let length = FIRST_STEP; at < end; length = Math.min(2 * length, LAST_STEP)) {
      const next = endOfStep(fd, at, end, length);
      step(at, next - at);
      at = next;
      if (performance.now() >= deadline) break;
    }
    return at;
  }
}

function endOfStep(fd: Fd, offset: number, end: number, length: number): number {
  const told = endOfExtents(fd, offset, end, STEP_EXTENTS);
  const longest = told === undefined ? Math.min(length, LAST_BLIND_STEP) : length;
  const next = offset + longest;
  // Not offset itself, as no step is shorter than what it is rounded to.
  return Math.min(end, next - (next % FIRST_STEP), told ?? end);
}

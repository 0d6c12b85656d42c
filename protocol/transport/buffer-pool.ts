/*
 * Buffers for records on their way, taken and given back, one pool per thread.
 *
 * Allocating and filling 1 MiB costs 440 us, filling a kept buffer 21 us, so a few of each size that carries data are
 * kept. What is smaller comes from node's own slabs.
 * Invariants: a buffer that was given back is used by nobody; its bytes are stale, not zero; a buffer is less than three
 * times as long as it has to be, so that bounds of the data under way bound the memory under it.
 */
import { MAX_RECORD } from '../limits.js';

/** Length prefix and tag around the plaintext of a record. */
export const RECORD_OVERHEAD = 4 + 16;

/** Room for the small records of one tick. */
export const SMALL_BUFFER = 64 * 1024;
/** Room for the largest record. */
const LARGE_BUFFER = MAX_RECORD + RECORD_OVERHEAD;
/** Below this a buffer is not worth keeping. */
const SMALLEST_KEPT = 8 * 1024;

interface SizeClass {
  readonly size: number;
  /** How many free ones are kept: 16 MiB in all. */
  readonly kept: number;
  readonly free: Buffer[];
}

const CLASSES: readonly SizeClass[] = [
  { size: SMALL_BUFFER, kept: 32, free: [] },
  { size: 160 * 1024, kept: 16, free: [] }, // what the kernel reads ahead in a mount, and the record around it
  { size: 416 * 1024, kept: 8, free: [] },
  { size: LARGE_BUFFER, kept: 8, free: [] },
];

/** A buffer of at least `length` bytes, their content arbitrary. `length` is checked against a limit by the caller. */
export function takeBuffer(length: number): Buffer {
  if (length < SMALLEST_KEPT) return Buffer.allocUnsafe(length);
  for (const { size, free } of CLASSES) {
    if (length <= size) return free.pop() ?? Buffer.allocUnsafeSlow(size);
  }
  return Buffer.allocUnsafeSlow(length);
}

/** Gives back what takeBuffer returned, once. */
export function giveBuffer(buffer: Buffer): void {
  for (const { size, kept, free } of CLASSES) {
    if (buffer.length !== size) continue;
    if (free.length < kept) free.push(buffer);
    return;
  }
}

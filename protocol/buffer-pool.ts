/*
 * Buffers for records on their way, taken and given back, one pool per thread.
 *
 * Allocating and filling 1 MiB costs 440 us, filling a kept buffer 21 us, so the two sizes that carry data are kept.
 * What is smaller comes from node's own slabs.
 * Invariant: a buffer that was given back is used by nobody; its bytes are stale, not zero.
 */
import { MAX_RECORD } from './limits.js';

/** Length prefix and tag around the plaintext of a record. */
export const RECORD_OVERHEAD = 4 + 16;

/** Room for the small records of one tick. */
export const SMALL_BUFFER = 64 * 1024;
/** Room for the largest record. */
const LARGE_BUFFER = MAX_RECORD + RECORD_OVERHEAD;
/** Below this a buffer is not worth keeping. */
const SMALLEST_KEPT = 8 * 1024;
/** How many free ones are kept of each: 2 MiB and 8.5 MiB. */
const SMALL_KEPT = 32;
const LARGE_KEPT = 8;

const smallFree: Buffer[] = [];
const largeFree: Buffer[] = [];

/** A buffer of at least `length` bytes, their content arbitrary. `length` is checked against a limit by the caller. */
export function takeBuffer(length: number): Buffer {
  if (length < SMALLEST_KEPT) return Buffer.allocUnsafe(length);
  if (length <= SMALL_BUFFER) return smallFree.pop() ?? Buffer.allocUnsafeSlow(SMALL_BUFFER);
  if (length <= LARGE_BUFFER) return largeFree.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER);
  return Buffer.allocUnsafeSlow(length);
}

/** Gives back what takeBuffer returned, once. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length === SMALL_BUFFER) {
    if (smallFree.length < SMALL_KEPT) smallFree.push(buffer);
  } else if (buffer.length === LARGE_BUFFER && largeFree.length < LARGE_KEPT) {
    largeFree.push(buffer);
  }
}

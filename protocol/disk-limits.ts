/*
 * What a home's disk can keep. A client that answers changes by itself answers as that disk will.
 */
import { seconds } from './attributes.js';
import { int, tuple, type Shape } from './shape.js';
import { NANOSECONDS, UNLIMITED_TIMES, type TimeLimits } from './time-limits.js';

export interface DiskLimits {
  readonly times: TimeLimits;
  /** Bytes from the beginning to the end, holes included. */
  readonly largestFile: number;
}

export const UNLIMITED_DISK: DiskLimits = { times: UNLIMITED_TIMES, largestFile: Number.MAX_SAFE_INTEGER };

const wireLimits = tuple(seconds, seconds, int(1, NANOSECONDS), int(1, Number.MAX_SAFE_INTEGER));

/** Reads limits from [first, last, step, largest file]. */
export const diskLimits: Shape<DiskLimits> = (value) => {
  const [first, last, step, largestFile] = wireLimits(value);
  return { times: { first, last, step }, largestFile };
};

/** The inverse of `diskLimits`. */
export function packDiskLimits({ times: { first, last, step }, largestFile }: DiskLimits): unknown[] {
  return [first, last, step, largestFile];
}

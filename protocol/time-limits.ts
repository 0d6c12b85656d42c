/*
 * Which times a disk can keep. A client that answers changes by itself shows at once what the disk will make of them.
 */
import type { Timestamp } from './attributes.js';

export const NANOSECONDS = 1_000_000_000;

export interface TimeLimits {
  /** Seconds since 1970: the earliest and the latest. */
  readonly first: number;
  readonly last: number;
  /** Nanoseconds between two times that are told apart: 1, or up to 1,000,000,000. */
  readonly step: number;
}

/** What Linux can tell, as far as a number of msgpack is exact. */
export const UNLIMITED_TIMES: TimeLimits = { first: -(2 ** 53) + 1, last: 2 ** 53 - 1, step: 1 };

/** What becomes of a time on the disk: as timestamp_truncate() of Linux has it. */
export function limitedTime({ sec, nsec }: Timestamp, { first, last, step }: TimeLimits): Timestamp {
  if (sec <= first) return { sec: first, nsec: 0 };
  if (sec >= last) return { sec: last, nsec: 0 };
  return { sec, nsec: nsec - (nsec % step) };
}

/*
 * What one thread counts and times for Measurements (state/measurements.ts): cells of memory that the main thread can read at
 * any time, so measuring costs an addition, and reading holds up nobody, nor waits for a thread that is stuck.
 *
 * Invariant: cells only grow, also over the loss of a worker: the next one of its number counts on in the same.
 */
import { METHODS, type MethodName } from '../protocol/methods.js';
import {
  DURATION_BOUNDS,
  LOGIN_RESULTS,
  SYNC_CALLS,
  type Durations,
  type LoginResult,
  type SyncCall,
} from '../state/measurements.js';

export type Counted = LoginResult | 'banned' | 'bytesReceived' | 'bytesSent' | 'leasesRecalled';
export type Timed = MethodName | SyncCall | 'queue' | 'eventLoop';

export type Cells = Float64Array<SharedArrayBuffer>;

/** Each timed thing has its sum, then a cell for each class of DURATION_BOUNDS, and one for what took longer. */
const TIMED_CELLS = DURATION_BOUNDS.length + 2;
const LONGEST = TIMED_CELLS - 2;

const COUNTED: readonly Counted[] = [
  ...LOGIN_RESULTS,
  'banned',
  'bytesReceived',
  'bytesSent',
  'leasesRecalled',
];
export const TIMED_METHODS = Object.keys(METHODS) as readonly MethodName[];
const TIMED: readonly Timed[] = [...TIMED_METHODS, ...SYNC_CALLS, 'queue', 'eventLoop'];

const counterAt = Object.fromEntries(COUNTED.map((name, index) => [name, index])) as Record<Counted, number>;
const timedAt = Object.fromEntries(
  TIMED.map((name, index) => [name, COUNTED.length + index * TIMED_CELLS]),
) as Record<Timed, number>;

/** The cells of one thread: nothing was counted yet. */
export function makeCells(): Cells {
  const length = COUNTED.length + TIMED.length * TIMED_CELLS;
  return new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
}

let cells = makeCells();

/** Where this thread counts. */
export function cellsOfThread(): Cells {
  return cells;
}

/** This thread counts there from now on; nobody else does. */
export function countInto(shared: Cells): void {
  cells = shared;
}

export function count(what: Counted, by = 1): void {
  const at = counterAt[what];
  cells[at] = (cells[at] ?? 0) + by;
}

/** Something took so long (milliseconds). */
export function took(what: Timed, ms: number): void {
  const at = timedAt[what];
  const classAt = at + 1 + classOf(ms * 1000);
  cells[at] = (cells[at] ?? 0) + ms;
  cells[classAt] = (cells[classAt] ?? 0) + 1;
}

/** Which of DURATION_BOUNDS a time (microseconds) is within: they are the powers of two with an even exponent, from the sixth. */
function classOf(us: number): number {
  const bits = 32 - Math.clz32(Math.min(us, 2 ** 32 - 1));
  return Math.min(Math.max(Math.ceil((bits - 6) / 2), 0), LONGEST);
}

export function counted(what: Counted, of: readonly Cells[]): number {
  return of.reduce((sum, one) => sum + (one[counterAt[what]] ?? 0), 0);
}

export function durations(what: Timed, of: readonly Cells[]): Durations {
  const at = timedAt[what];
  const sums = Array.from({ length: TIMED_CELLS }, (_, index) =>
    of.reduce((sum, one) => sum + (one[at + index] ?? 0), 0),
  );
  const [totalMs = 0, ...counts] = sums;
  return { totalMs, counts };
}

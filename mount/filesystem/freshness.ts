/**
 * How long what the server said may be believed.
 *
 * The server tells every change made through it (invalidation.ts), so knowledge would be good for ever; what ages it
 * are changes made on the server's disk behind the daemon's back, which are to show within a few seconds. So each
 * fact carries the time at which the server last confirmed it, and is asked for again after FRESH_MS.
 *
 * The kernel may believe a fact for as long as it is fresh here: a change that the server tells is taken from the
 * kernel too, by KernelCaches. The floor keeps a fact that is about to age from being asked for again and again
 * within a moment; together the two bound what a change behind the daemon's back needs to show: 3.5 s.
 */

/** Milliseconds. */
export const FRESH_MS = 3_000;
const KERNEL_FLOOR_MS = 500;

/** The time of a fact that was never confirmed, or is known to be out of date. */
export const NEVER = Number.NEGATIVE_INFINITY;

/** A monotonic clock in milliseconds. */
export type Clock = () => number;

export function isFresh(confirmedAt: number, now: number): boolean {
  return now - confirmedAt < FRESH_MS;
}

/** For how long the kernel may believe a fact (milliseconds). */
export function kernelValidity(confirmedAt: number, now: number): number {
  return confirmedAt === NEVER ? 0 : Math.max(FRESH_MS - (now - confirmedAt), KERNEL_FLOOR_MS);
}

/*
 * The locks of one owner on one file, as a list of ranges.
 *
 * Invariant: a list is in order, nothing in it overlaps, and neighbours that touch are of different types.
 */
import { F_UNLCK, F_WRLCK, type Lock } from '../protocol/file-locks.js';

function overlap(a: Lock, b: Lock): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** Whether locks of two owners cannot be held at once. */
export function conflict(a: Lock, b: Lock): boolean {
  return (a.type === F_WRLCK || b.type === F_WRLCK) && overlap(a, b);
}

/** Whether a request asks for no more than there is: then nothing stands in its way. */
export function isWithin(locks: readonly Lock[], { type, start, end }: Lock): boolean {
  if (type === F_UNLCK) return true;
  let next = start;
  for (const lock of locks) {
    if (lock.end < next) continue;
    if (lock.start > next || (type === F_WRLCK && lock.type !== F_WRLCK)) return false;
    next = lock.end + 1n;
    if (next > end) return true;
  }
  return false;
}

/** The list when a request has taken the place of whatever was in its range. */
export function replaced(locks: readonly Lock[], request: Lock): Lock[] {
  const list: Lock[] = [];
  let placed = request.type === F_UNLCK;
  const place = (): void => {
    if (!placed) append(list, request);
    placed = true;
  };
  for (const lock of locks) {
    if (!overlap(lock, request)) {
      if (lock.start > request.end) place();
      append(list, lock);
      continue;
    }
    if (lock.start < request.start) append(list, { ...lock, end: request.start - 1n });
    if (lock.end > request.end) {
      place();
      append(list, { ...lock, start: request.end + 1n });
    }
  }
  place();
  return list;
}

/** Appends what is behind all that is there. */
function append(list: Lock[], lock: Lock): void {
  const last = list.at(-1);
  if (last === undefined || last.type !== lock.type || last.end + 1n !== lock.start) list.push(lock);
  else list[list.length - 1] = { ...last, end: lock.end };
}

/*
 * A lock as fcntl(2) and flock(2) have it: its kind, its type, and the bytes that it is of. Numbers are those of Linux.
 */
import { Failure } from './failure.js';
import { compact } from './references.js';
import { int, tuple, u32, u64, type Shape } from './shape.js';

/** fcntl(2): F_SETLK, and F_OFD_SETLK, whose owner is an open file. */
export const LOCK_POSIX = 0;
/** flock(2): of the whole file, owned by an open file. */
export const LOCK_FLOCK = 1;
export type LockKind = typeof LOCK_POSIX | typeof LOCK_FLOCK;

export const F_RDLCK = 0;
export const F_WRLCK = 1;
/** As a request: gives back. */
export const F_UNLCK = 2;
export type LockType = typeof F_RDLCK | typeof F_WRLCK | typeof F_UNLCK;

/** The last byte that a lock can be of (OFFSET_MAX). */
export const LAST_BYTE = (1n << 63n) - 1n;

/** A lock that is held, or asked for. */
export interface Lock {
  readonly type: LockType;
  /** The first byte. */
  readonly start: bigint;
  /** The last byte. */
  readonly end: bigint;
  /** The process that asked for it, for those who are told of it; 0: another machine's. */
  readonly pid: number;
}

export const lockKind = int(LOCK_POSIX, LOCK_FLOCK) as Shape<LockKind>;

const wireLock = tuple(int(F_RDLCK, F_UNLCK) as Shape<LockType>, u64, u64, u32);

/** Reads a lock from [type, start, end, pid]. */
export const fileLock: Shape<Lock> = (value) => {
  const [type, start, end, pid] = wireLock(value);
  if (start > end || end > LAST_BYTE) throw new Failure('EINVAL', 'no range of bytes');
  return { type, start, end, pid };
};

/** The inverse of `fileLock`. */
export function packLock({ type, start, end, pid }: Lock): unknown[] {
  return [type, compact(start), compact(end), pid];
}

/**
 * The attributes of a file as they travel: one flat list of whole numbers, because a listing carries a thousand
 * of them in one message.
 */
import { int, literal, optional, size, tuple, u32, u64, variant, type Shaped, type Shape } from './shape.js';

const seconds = int(-(2 ** 53) + 1, 2 ** 53 - 1);
const nanoseconds = int(0, 999_999_999);

/** What stat(2) tells about a file of a home, without owner: a home belongs to its user. Times: sec, nsec. */
export interface Attributes {
  readonly ino: bigint;
  /** Time of birth in nanoseconds; with `ino` it names the file, even where inode numbers are reused. */
  readonly birth: bigint;
  /** st_mode: type and permissions. */
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  /** 512-byte units. */
  readonly blocks: number;
  readonly rdev: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
}

/** Seconds since 1970 (may be negative) and nanoseconds 0..999,999,999. */
export interface Timestamp {
  readonly sec: number;
  readonly nsec: number;
}

const wireAttributes = tuple(
  u64,
  u64,
  u32,
  u32,
  size,
  size,
  u32,
  seconds,
  nanoseconds,
  seconds,
  nanoseconds,
  seconds,
  nanoseconds,
);

/** Reads attributes from [ino, birth, mode, nlink, size, blocks, rdev, atime, mtime, ctime as sec, nsec each]. */
export const attributes: Shape<Attributes> = (value) => {
  const [ino, birth, mode, nlink, bytes, blocks, rdev, as, an, ms, mn, cs, cn] = wireAttributes(value);
  return {
    ino,
    birth,
    mode,
    nlink,
    size: bytes,
    blocks,
    rdev,
    atime: { sec: as, nsec: an },
    mtime: { sec: ms, nsec: mn },
    ctime: { sec: cs, nsec: cn },
  };
};

/** The inverse of `attributes`. */
export function packAttributes(a: Attributes): unknown[] {
  return [
    compact(a.ino),
    compact(a.birth),
    a.mode,
    a.nlink,
    a.size,
    a.blocks,
    a.rdev,
    a.atime.sec,
    a.atime.nsec,
    a.mtime.sec,
    a.mtime.nsec,
    a.ctime.sec,
    a.ctime.nsec,
  ];
}

/** Numbers pack four times faster than bigints, and nearly all inode numbers fit. */
function compact(value: bigint): number | bigint {
  return value <= 0xffff_ffffn ? Number(value) : value;
}

const NOW = 0;
const AT = 1;
const time = variant({ [NOW]: tuple(literal(NOW)), [AT]: tuple(literal(AT), seconds, nanoseconds) });

const wireChanges = tuple(optional(int(0, 0o7777)), optional(size), optional(time), optional(time));

/** What `setattr` changes; absent means unchanged. 'now' is the server's clock. */
export interface Changes {
  readonly mode?: number;
  readonly size?: number;
  readonly atime?: Timestamp | 'now';
  readonly mtime?: Timestamp | 'now';
}

/** Reads changes from [mode, size, atime, mtime], each or nil; a time is [0] for now or [1, sec, nsec]. */
export const changes: Shape<Changes> = (value) => {
  const [mode, bytes, atime, mtime] = wireChanges(value);
  return {
    ...(mode === null ? {} : { mode }),
    ...(bytes === null ? {} : { size: bytes }),
    ...(atime === null ? {} : { atime: unpackTime(atime) }),
    ...(mtime === null ? {} : { mtime: unpackTime(mtime) }),
  };
};

/** The inverse of `changes`. */
export function packChanges(c: Changes): unknown[] {
  return [c.mode ?? null, c.size ?? null, packTime(c.atime), packTime(c.mtime)];
}

function unpackTime(value: Shaped<typeof time>): Timestamp | 'now' {
  return value[0] === NOW ? 'now' : { sec: value[1], nsec: value[2] };
}

function packTime(value: Timestamp | 'now' | undefined): unknown {
  if (value === undefined) return null;
  return value === 'now' ? [NOW] : [AT, value.sec, value.nsec];
}

/**
 * The attributes of a file as they travel: one flat list of whole numbers, because a listing carries a thousand
 * of them in one message.
 */
import { ownerId, ownerOf, type Owner } from './owners.js';
import { compact, inodeNumber } from './references.js';
import { int, size, tuple, u32, u64, type Shape } from './shape.js';

export const seconds = int(-(2 ** 53) + 1, 2 ** 53 - 1);
export const nanoseconds = int(0, 999_999_999);
/** The lower 12 bits of st_mode. */
export const permissions = int(0, 0o7777);

/** What stat(2) tells about a file of a home. Times: sec, nsec. */
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
  /** Null where the account has no virtual owners: all of a home is its user's. */
  readonly owner: Owner | null;
}

/** Seconds since 1970 (may be negative) and nanoseconds 0..999,999,999. */
export interface Timestamp {
  readonly sec: number;
  readonly nsec: number;
}

const wireAttributes = tuple(
  inodeNumber,
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
  ownerId,
  ownerId,
);

/** Reads attributes from [ino, birth, mode, nlink, size, blocks, rdev, atime, mtime, ctime as sec, nsec each], and uid, gid. */
export const attributes: Shape<Attributes> = (value) => {
  const [ino, birth, mode, nlink, bytes, blocks, rdev, as, an, ms, mn, cs, cn, uid, gid] =
    wireAttributes(value);
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
    owner: ownerOf(uid, gid),
  };
};

/** The inverse of `attributes`. */
export function packAttributes(a: Attributes): unknown[] {
  const packed = [
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
  if (a.owner !== null) packed.push(a.owner.uid, a.owner.gid);
  return packed;
}

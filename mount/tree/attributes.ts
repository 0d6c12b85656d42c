/**
 * What a change makes of attributes, as Linux does it on the server's disk: so that what stat(2) shows is the same before
 * and after the change is carried out there.
 */
import { PERMISSIONS, S_IFDIR, S_IFLNK, S_IFMT, S_ISGID, S_ISUID } from '../../posix/flags.js';
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import type { Owner } from '../../protocol/owners.js';
import type { FileId } from '../../protocol/references.js';

const SET_ID = S_ISUID | S_ISGID;
const S_IXGRP = 0o010;

/** What an empty directory takes on ext4; the server tells the true figures when it is asked. */
const DIRECTORY_SIZE = 4096;

/** Data are allotted in blocks of 4 KiB, told in units of 512 bytes. */
const UNIT = 512;
const UNITS_PER_BLOCK = 8;
const BLOCK_BYTES = UNIT * UNITS_PER_BLOCK;

/** What all new files have. `owner` null: the account has no virtual owners. */
export interface New {
  readonly id: FileId;
  readonly time: Timestamp;
  readonly owner?: Owner | null;
  /** Of a device. */
  readonly rdev?: number;
}

/** Attributes of a new file without data. `mode`: type and permissions. */
export function ofNewFile(file: New, mode: number): Attributes {
  return made(file, mode, 1, 0);
}

/** `nlink`: of an empty directory on that disk. */
export function ofNewDirectory(directory: New, mode: number, nlink: number): Attributes {
  return made(directory, S_IFDIR | (mode & PERMISSIONS), nlink, DIRECTORY_SIZE);
}

/** Short targets are kept in the inode: no blocks. */
export function ofNewSymlink(link: New, target: Buffer): Attributes {
  return changed(made(link, S_IFLNK | 0o777, 1, target.length), { blocks: 0 });
}

function made(
  { id, time, owner = null, rdev = 0 }: New,
  mode: number,
  nlink: number,
  size: number,
): Attributes {
  const { ino, birth } = id;
  const blocks = blocksOf(size);
  const kept = owner === null ? withoutUnkept(mode) : mode;
  return { ino, birth, mode: kept, nlink, size, blocks, rdev, atime: time, mtime: time, ctime: time, owner };
}

/** Of another user or group; null: as it is. Set-id bits of a file go, as chown(2) says. */
export function owned(
  before: Attributes,
  uid: number | null,
  gid: number | null,
  time: Timestamp,
): Attributes {
  const { mode, owner } = before;
  const now = { uid: uid ?? owner?.uid ?? 0, gid: gid ?? owner?.gid ?? 0 };
  const clear = (mode & S_IXGRP) === 0 ? S_ISUID : S_ISUID | S_ISGID;
  const kept = (mode & S_IFMT) === S_IFDIR ? mode : mode & ~clear;
  return changed(before, { owner: now, mode: kept, ctime: time });
}

/** A name more, or one less, of a file that is no directory. */
export function relinked(before: Attributes, names: 1 | -1, time: Timestamp): Attributes {
  return changed(before, { nlink: Math.max(before.nlink + names, 0), ctime: time });
}

/** Renamed: some disks change ctime then, and so it is shown. */
export function renamed(before: Attributes, time: Timestamp): Attributes {
  return changed(before, { ctime: time });
}

/** A directory that lost its name. */
export function removed(before: Attributes, time: Timestamp): Attributes {
  return changed(before, { nlink: 0, ctime: time });
}

/**
 * A directory in which names changed. Some disks count the subdirectories in nlink (2 and more) and some do not (1).
 * `subdirectories`: how many it has more.
 */
export function withNames(before: Attributes, subdirectories: number, time: Timestamp): Attributes {
  const nlink = before.nlink < 2 ? before.nlink : Math.max(before.nlink + subdirectories, 2);
  return changed(before, { nlink, mtime: time, ctime: time });
}

/** Cut off, or longer by a hole. */
export function resized(before: Attributes, size: number, time: Timestamp): Attributes {
  const blocks = size >= before.size ? before.blocks : Math.min(before.blocks, blocksOf(size));
  return changed(before, { size, blocks, mtime: time, ctime: time });
}

/** Data in [start, end): rather too many blocks than none, for which tar(1) takes a file to be one hole. */
export function written(before: Attributes, start: number, end: number, time: Timestamp): Attributes {
  const size = Math.max(before.size, end);
  const touched = blocksOf(end) - blocksOf(start - (start % BLOCK_BYTES));
  const blocks = Math.max(before.blocks, Math.min(before.blocks + touched, blocksOf(size)));
  return changed(before, { size, blocks, mtime: time, ctime: time });
}

/** Other permissions, the type stays. */
export function permitted(before: Attributes, mode: number, time: Timestamp): Attributes {
  const whole = (before.mode & S_IFMT) | (mode & PERMISSIONS);
  return changed(before, { mode: before.owner === null ? withoutUnkept(whole) : whole, ctime: time });
}

/** A mode as the server keeps it where files have no owners: no set-id bits, but set-group-ID of directories. */
function withoutUnkept(mode: number): number {
  return mode & ~((mode & S_IFMT) === S_IFDIR ? S_ISUID : SET_ID);
}

export function timed(
  before: Attributes,
  atime: Timestamp | undefined,
  mtime: Timestamp | undefined,
  time: Timestamp,
): Attributes {
  return changed(before, { atime: atime ?? before.atime, mtime: mtime ?? before.mtime, ctime: time });
}

/** Whether both are of one file: by number, birth and type. */
export function isSameFile(one: Attributes, other: Attributes): boolean {
  return one.ino === other.ino && one.birth === other.birth && ((one.mode ^ other.mode) & S_IFMT) === 0;
}

/** The same attributes for keeping: times that are equal are one object, and so are owners that come one after the other. */
export function kept(told: Attributes): Attributes {
  const mtime = shared(told.mtime, told.atime);
  const ctime = shared(told.ctime, mtime);
  const { owner } = told;
  if (owner === null) return changed(told, { mtime, ctime });
  if (owner.uid !== lastOwner?.uid || owner.gid !== lastOwner.gid) lastOwner = owner;
  return changed(told, { mtime, ctime, owner: lastOwner });
}

/** The one that was told last: most files of a directory have the same. */
let lastOwner: Owner | undefined;

/**
 * The attributes with some of them changed. Written out, for that is 0.05 us and a spread 1.1 us (Node 20.20), and so all
 * attributes are objects of one shape.
 */
export function changed(before: Attributes, changes: Partial<Attributes>): Attributes {
  return {
    ino: changes.ino ?? before.ino,
    birth: changes.birth ?? before.birth,
    mode: changes.mode ?? before.mode,
    nlink: changes.nlink ?? before.nlink,
    size: changes.size ?? before.size,
    blocks: changes.blocks ?? before.blocks,
    rdev: changes.rdev ?? before.rdev,
    atime: changes.atime ?? before.atime,
    mtime: changes.mtime ?? before.mtime,
    ctime: changes.ctime ?? before.ctime,
    owner: changes.owner ?? before.owner,
  };
}

function shared(time: Timestamp, other: Timestamp): Timestamp {
  return time.sec === other.sec && time.nsec === other.nsec ? other : time;
}

/** An estimate: what a file without holes takes. */
function blocksOf(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * UNITS_PER_BLOCK;
}

/*
 * What is kept of a file whose owner, mode or type is another than the one on the disk, and what that makes of its status.
 *
 * The daemon's own file never has what could harm the server: no set-id bits, no device. It has a mode that lets the daemon
 * work with it (diskMode), and the record has the whole one. Invariant: a record's permissions count only while the disk's are
 * what they make of it: who changes the mode on the server's disk is heard, and no set-id bit of before comes back with that.
 */
import type { Status } from '../../../posix/status.js';
import {
  PERMISSIONS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
} from '../../../posix/flags.js';

/** Of a mode, what the disk has: no set-id bits. */
const KEPT = 0o1777;
const OWNER_OF_FILE = 0o600;
const OWNER_OF_DIRECTORY = 0o700;
const S_IXGRP = 0o010;
const MAX_ID = 2 ** 32 - 2;
const MAX_RDEV = 2 ** 32 - 1;

export interface OwnerRecord {
  /** st_mode: type and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
}

declare const told: unique symbol;
/** A status as clients are told it: where the account has virtual owners, owner, mode and device are the virtual ones. */
export type ToldStatus = Status & { readonly [told]: true };

export function isDevice(mode: number): boolean {
  const type = mode & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK;
}

/** The type that a file of this mode has on the disk. A device is an empty file there. */
export function diskType(mode: number): number {
  return isDevice(mode) ? S_IFREG : mode & S_IFMT;
}

/** The permissions that a file of this mode has on the disk. */
export function diskMode(mode: number): number {
  const type = mode & S_IFMT;
  // Those of a symbolic link cannot be set, and mean nothing.
  if (type === S_IFLNK) return 0o777;
  return (mode & KEPT) | (type === S_IFDIR ? OWNER_OF_DIRECTORY : OWNER_OF_FILE);
}

/** Whether a file needs no record to be told so, with that mode on the disk. */
export function isPlain({ mode, uid, gid }: OwnerRecord, onDisk: number): boolean {
  return uid === 0 && gid === 0 && mode === onDisk;
}

/** The status as it is told. `isHome`: the home itself, whose own mode stays. */
export function toldBy(record: OwnerRecord | undefined, status: Status, isHome: boolean): ToldStatus {
  const { mode, uid, gid, rdev } = record ?? { mode: status.mode, uid: 0, gid: 0, rdev: status.rdev };
  const isOfType = diskType(mode) === (status.mode & S_IFMT);
  const isAsMade = isHome || diskMode(mode) === (status.mode & PERMISSIONS);
  const type = isOfType ? mode & S_IFMT : status.mode & S_IFMT;
  // Spelled out: a listing makes a thousand, and object spread costs five times as much.
  const virtual: Status = {
    mode: type | (isOfType && isAsMade && record !== undefined ? mode & PERMISSIONS : ofDisk(status.mode)),
    nlink: status.nlink,
    uid,
    gid,
    size: status.size,
    blocks: status.blocks,
    ino: status.ino,
    rdev: isOfType && isDevice(mode) ? rdev : status.rdev,
    dev: status.dev,
    atime: status.atime,
    mtime: status.mtime,
    ctime: status.ctime,
    btime: status.btime,
  };
  return virtual as ToldStatus;
}

/** A mode that lost its set-id bits to chown(2) (inode(7)). */
export function withoutSetId(mode: number): number {
  if ((mode & S_IFMT) === S_IFDIR) return mode;
  // Without it the bit is another one: mandatory locking.
  return mode & ~((mode & S_IXGRP) === 0 ? S_ISUID : S_ISUID | S_ISGID);
}

/** Permissions that come from the disk: set-id bits there are nobody's here, who would run as root. */
function ofDisk(mode: number): number {
  return mode & ((mode & S_IFMT) === S_IFDIR ? KEPT | S_ISGID : KEPT);
}

/** As it is written: MODE:UID:GID, and of a device :RDEV, the mode octal. */
export function formatRecord({ mode, uid, gid, rdev }: OwnerRecord): Buffer {
  const device = rdev === 0 ? '' : `:${rdev}`;
  return Buffer.from(`${mode.toString(8)}:${uid}:${gid}${device}`);
}

/** Undefined where it is none: the server's administrator may have written it. */
export function parseRecord(bytes: Buffer): OwnerRecord | undefined {
  const match = /^([0-7]{1,6}):(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(bytes.toString('latin1'));
  if (match === null) return undefined;
  const [, octal = '', uid, gid, rdev = '0'] = match;
  const record = {
    mode: Number.parseInt(octal, 8),
    uid: Number(uid),
    gid: Number(gid),
    rdev: Number(rdev),
  };
  const isSound = record.uid <= MAX_ID && record.gid <= MAX_ID && record.rdev <= MAX_RDEV;
  return isSound && record.mode <= (S_IFMT | PERMISSIONS) ? record : undefined;
}

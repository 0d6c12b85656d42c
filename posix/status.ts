/*
 * The status of files and of file systems: statx(2) and fstatfs(2), parsed from reused memory.
 *
 * statx and not node's fs.stat: it takes a directory's descriptor and a name of any bytes, and its layout is the
 * same on every architecture. Measured (2-core x86-64 VM, Node 20.20): by descriptor 0.56 us, by name 0.80 us;
 * fs.fstatSync 0.57 us, with exact 64-bit numbers 0.75 us.
 */
import { constants } from 'node:os';
import { PosixError } from './error.js';
import type { Fd } from './fd.js';
import { AT_EMPTY_PATH, STATX_BASIC_STATS, STATX_BTIME } from './flags.js';
import { checked, firstName, libc, systemCall } from './libc.js';

/** A point in time: `sec` since 1970 (negative before), `nsec` from 0 to 999,999,999. */
export interface Timestamp {
  readonly sec: number;
  readonly nsec: number;
}

export interface Status {
  /** Type (S_IFMT) and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Apparent size in bytes. */
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly ino: bigint;
  /** Of a device node: the kernel's 32-bit encoding, which FUSE and mknod take. */
  readonly rdev: number;
  readonly dev: bigint;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  /** Zero where the file system keeps no time of birth. */
  readonly btime: Timestamp;
}

/** statfs(2): what is counted in blocks is in units of blockSize. */
export interface FileSystemStatus {
  readonly blockSize: bigint;
  readonly blocks: bigint;
  readonly free: bigint;
  /** Free to processes that are not root's. */
  readonly available: bigint;
  readonly files: bigint;
  readonly filesFree: bigint;
}

const SYS_STATX = process.arch === 'arm64' ? 291 : 332;

const sysStatx = systemCall<[Fd, Uint8Array, number, number, Uint8Array]>(SYS_STATX, [
  'int',
  'const uint8_t *',
  'int',
  'unsigned int',
  'uint8_t *',
]);
const libcFstatfs = libc<(fd: Fd, into: Uint8Array) => number>('fstatfs', 'int', ['int', 'uint8_t *']);

/** struct statx (linux/stat.h): 256 bytes. */
const statx = Buffer.alloc(256);
/** struct statfs of 64-bit Linux: 120 bytes. */
const statfs = Buffer.alloc(120);
const emptyName = Buffer.alloc(1);

/** The status of `name` in a directory; flags AT_*. Links are followed unless AT_SYMLINK_NOFOLLOW is given. */
export function statxAt(dirfd: Fd, name: Buffer, flags: number): Status {
  const path = firstName.of(name, 'statx');
  checked(sysStatx(dirfd, path, flags, STATX_BASIC_STATS | STATX_BTIME, statx), 'statx');
  return parseStatx();
}

/** The status of an open file; O_PATH descriptors are allowed. */
export function statxFd(fd: Fd): Status {
  checked(sysStatx(fd, emptyName, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, statx), 'statx');
  return parseStatx();
}

/** The status of the file system that an open file is on. */
export function fstatfs(fd: Fd): FileSystemStatus {
  checked(libcFstatfs(fd, statfs), 'fstatfs');
  const bsize = statfs.readBigUInt64LE(8);
  const frsize = statfs.readBigUInt64LE(72);
  return {
    // Where the two differ, the counts are in fragments (statvfs(3)).
    blockSize: frsize === 0n ? bsize : frsize,
    blocks: statfs.readBigUInt64LE(16),
    free: statfs.readBigUInt64LE(24),
    available: statfs.readBigUInt64LE(32),
    files: statfs.readBigUInt64LE(40),
    filesFree: statfs.readBigUInt64LE(48),
  };
}

function parseStatx(): Status {
  const rdev = device(statx.readUInt32LE(128), statx.readUInt32LE(132));
  return {
    nlink: statx.readUInt32LE(16),
    uid: statx.readUInt32LE(20),
    gid: statx.readUInt32LE(24),
    mode: statx.readUInt16LE(28),
    ino: statx.readBigUInt64LE(32),
    size: safe64(40),
    blocks: safe64(48),
    atime: timestamp(64),
    btime: (statx.readUInt32LE(0) & STATX_BTIME) === 0 ? { sec: 0, nsec: 0 } : timestamp(80),
    ctime: timestamp(96),
    mtime: timestamp(112),
    rdev,
    dev: BigInt(device(statx.readUInt32LE(136), statx.readUInt32LE(140))),
  };
}

/** A 64-bit count as a number: EOVERFLOW past 2^53, as stat(2) answers where the size does not fit. */
function safe64(offset: number): number {
  const value = statx.readUInt32LE(offset) + statx.readUInt32LE(offset + 4) * 2 ** 32;
  if (value > Number.MAX_SAFE_INTEGER) throw new PosixError(constants.errno.EOVERFLOW, 'statx');
  return value;
}

/** struct statx_timestamp: seconds as 64 bits with sign, nanoseconds as 32. */
function timestamp(offset: number): Timestamp {
  return {
    sec: statx.readUInt32LE(offset) + statx.readInt32LE(offset + 4) * 2 ** 32,
    nsec: statx.readUInt32LE(offset + 8),
  };
}

/** new_encode_dev of the kernel (linux/kdev_t.h): 12 bits of major, 20 bits of minor. */
function device(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

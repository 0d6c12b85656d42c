/*
 * System calls on a name in a directory. None follows a symlink in the last component, but linkat with
 * AT_SYMLINK_FOLLOW and utimensat without AT_SYMLINK_NOFOLLOW, where the caller says so.
 *
 * A name may hold any bytes but NUL; it may also hold a '/', and then the kernel walks it and follows what
 * it meets. Who must stay in a directory passes single components and opens parents by openat2.
 */
import { constants } from 'node:os';
import { PosixError } from './error.js';
import type { Fd } from './fd.js';
import { close, openat2 } from './files.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_NOFOLLOW,
  O_PATH,
  S_IFLNK,
  S_IFMT,
  UTIME_NOW,
  UTIME_OMIT,
} from './flags.js';
import { checked, firstName, lastErrno, libc, secondName, systemCall } from './libc.js';
import { statxFd, type Timestamp } from './status.js';

/** A time to set: a point, the present, or undefined: leave it as it is. */
export type TimeToSet = Timestamp | 'now' | undefined;

const SYS_RENAMEAT2 = process.arch === 'arm64' ? 276 : 316;
const SYS_UTIMENSAT = process.arch === 'arm64' ? 88 : 280;
const SYS_FCHMODAT2 = 452;

type TwoNames = (
  olddirfd: Fd,
  oldname: Uint8Array,
  newdirfd: Fd,
  newname: Uint8Array,
  flags: number,
) => number;

const libcMkdirat = libc<(dirfd: Fd, name: Uint8Array, mode: number) => number>('mkdirat', 'int', [
  'int',
  'const uint8_t *',
  'uint32_t',
]);
const libcUnlinkat = libc<(dirfd: Fd, name: Uint8Array, flags: number) => number>('unlinkat', 'int', [
  'int',
  'const uint8_t *',
  'int',
]);
const sysRenameat2: TwoNames = systemCall(SYS_RENAMEAT2, [
  'int',
  'const uint8_t *',
  'int',
  'const uint8_t *',
  'unsigned int',
]);
const libcLinkat = libc<TwoNames>('linkat', 'int', [
  'int',
  'const uint8_t *',
  'int',
  'const uint8_t *',
  'int',
]);
const libcSymlinkat = libc<(target: Uint8Array, dirfd: Fd, name: Uint8Array) => number>('symlinkat', 'int', [
  'const uint8_t *',
  'int',
  'const uint8_t *',
]);
const libcReadlinkat = libc<(dirfd: Fd, name: Uint8Array, into: Uint8Array, size: number) => number>(
  'readlinkat',
  'int64_t',
  ['int', 'const uint8_t *', 'uint8_t *', 'size_t'],
);
const libcMknodat = libc<(dirfd: Fd, name: Uint8Array, mode: number, rdev: number) => number>(
  'mknodat',
  'int',
  ['int', 'const uint8_t *', 'uint32_t', 'uint64_t'],
);
const sysFchmodat2 = systemCall<[Fd, Uint8Array, number, number]>(SYS_FCHMODAT2, [
  'int',
  'const uint8_t *',
  'uint32_t',
  'unsigned int',
]);
const libcFchmodat = libc<(dirfd: Fd, name: Uint8Array, mode: number, flags: number) => number>(
  'fchmodat',
  'int',
  ['int', 'const uint8_t *', 'uint32_t', 'int'],
);
const libcFchownat = libc<(dirfd: Fd, name: Uint8Array, uid: number, gid: number, flags: number) => number>(
  'fchownat',
  'int',
  ['int', 'const uint8_t *', 'int', 'int', 'int'],
);
/** By number: the C library refuses to set the times of a descriptor without a name. */
const sysUtimensat = systemCall<[Fd, Uint8Array | null, Uint8Array, number]>(SYS_UTIMENSAT, [
  'int',
  'const uint8_t *',
  'const uint8_t *',
  'int',
]);

/** A symlink's target is shorter than PATH_MAX. */
const linkTarget = Buffer.alloc(4096);
/** Two struct timespec: atime, mtime; 64 bits of seconds, 64 of nanoseconds. */
const times = Buffer.alloc(32);

const EMPTY_NAME = Buffer.alloc(0);

/** Set where the kernel is older than 6.6 and has no fchmodat2. */
let fchmodat2Missing = false;

/** mkdirat(2); `mode` passes through the process's umask. */
export function mkdirat(dirfd: Fd, name: Buffer, mode: number): void {
  checked(libcMkdirat(dirfd, firstName.of(name, 'mkdirat'), mode), 'mkdirat');
}

/** unlinkat(2): removes a file's name, or with AT_REMOVEDIR an empty directory. */
export function unlinkat(dirfd: Fd, name: Buffer, flags: number): void {
  checked(libcUnlinkat(dirfd, firstName.of(name, 'unlinkat'), flags), 'unlinkat');
}

/** renameat2(2), flags RENAME_*. */
export function renameat2(dirfd: Fd, name: Buffer, newdirfd: Fd, newname: Buffer, flags: number): void {
  const from = firstName.of(name, 'renameat2');
  const to = secondName.of(newname, 'renameat2');
  checked(sysRenameat2(dirfd, from, newdirfd, to, flags), 'renameat2');
}

/** linkat(2): links the name itself, also of a symlink, unless AT_SYMLINK_FOLLOW is given. */
export function linkat(dirfd: Fd, name: Buffer, newdirfd: Fd, newname: Buffer, flags: number): void {
  const from = firstName.of(name, 'linkat');
  const to = secondName.of(newname, 'linkat');
  checked(libcLinkat(dirfd, from, newdirfd, to, flags), 'linkat');
}

/** symlinkat(2). */
export function symlinkat(target: Buffer, dirfd: Fd, name: Buffer): void {
  const to = firstName.of(target, 'symlinkat');
  checked(libcSymlinkat(to, dirfd, secondName.of(name, 'symlinkat')), 'symlinkat');
}

/** readlinkat(2). With an empty name, the target of the O_PATH descriptor `dirfd`. */
export function readlinkat(dirfd: Fd, name: Buffer): Buffer {
  const path = firstName.of(name, 'readlinkat');
  const length = checked(libcReadlinkat(dirfd, path, linkTarget, linkTarget.length), 'readlinkat');
  return Buffer.from(linkTarget.subarray(0, length));
}

/** mknodat(2); `mode` holds the type and passes through the umask, `rdev` is as in Status. */
export function mknodat(dirfd: Fd, name: Buffer, mode: number, rdev: number): void {
  checked(libcMknodat(dirfd, firstName.of(name, 'mknodat'), mode, rdev), 'mknodat');
}

/** chmod of a name that is no symlink: EOPNOTSUPP where it is one, which is never followed. */
export function fchmodat(dirfd: Fd, name: Buffer, mode: number): void {
  if (!fchmodat2Missing) {
    const result = sysFchmodat2(dirfd, firstName.of(name, 'fchmodat2'), mode, AT_SYMLINK_NOFOLLOW);
    if (result >= 0) return;
    const errno = lastErrno();
    if (errno !== constants.errno.ENOSYS) throw new PosixError(errno, 'fchmodat2');
    fchmodat2Missing = true;
  }
  chmodPinned(dirfd, name, mode);
}

/**
 * fchmodat() for kernels before 6.6: the file is pinned by an O_PATH descriptor, and only then, when it is known
 * to be no symlink, changed through that descriptor's name in /proc; so no exchange of the name can matter.
 */
export function chmodPinned(dirfd: Fd, name: Buffer, mode: number): void {
  const pinned = openat2(dirfd, name, { flags: O_PATH | O_NOFOLLOW });
  try {
    if ((statxFd(pinned).mode & S_IFMT) === S_IFLNK) {
      throw new PosixError(constants.errno.EOPNOTSUPP, 'fchmodat');
    }
    chmodOpen(pinned, mode);
  } finally {
    close(pinned);
  }
}

/** chmod of an open file that is no symlink; O_PATH descriptors, which fchmod(2) refuses, are allowed. */
export function chmodOpen(fd: Fd, mode: number): void {
  const path = firstName.of(descriptorPath(fd), 'fchmodat');
  checked(libcFchmodat(AT_FDCWD, path, mode, 0), 'fchmodat');
}

/** fchownat(2) that changes no owner, of a symlink itself; empty name: of the open file. All that moves is its ctime. */
export function chownToOwner(dirfd: Fd, name: Buffer): void {
  const flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  checked(libcFchownat(dirfd, firstName.of(name, 'fchownat'), -1, -1, flags), 'fchownat');
}

/** linkat(2) of an open file, also of one without a name (O_TMPFILE; proc(5), /proc/self/fd). */
export function linkOpen(fd: Fd, newdirfd: Fd, newname: Buffer): void {
  linkat(AT_FDCWD, descriptorPath(fd), newdirfd, newname, AT_SYMLINK_FOLLOW);
}

/** Opens an open file anew, as openat2 with `flags` would open its name. */
export function reopen(fd: Fd, flags: number): Fd {
  return openat2(AT_FDCWD, descriptorPath(fd), { flags });
}

/** Where the kernel says that an open file is; of one without a name, where it was, with " (deleted)" behind it. */
export function pathOfOpen(fd: Fd): Buffer {
  return readlinkat(AT_FDCWD, descriptorPath(fd));
}

function descriptorPath(fd: Fd): Buffer {
  return Buffer.from(`/proc/self/fd/${fd}`);
}

/** utimensat(2) of an open file; O_PATH descriptors are allowed. */
export function utimensOpen(fd: Fd, atime: TimeToSet, mtime: TimeToSet): void {
  utimensat(fd, EMPTY_NAME, atime, mtime, AT_EMPTY_PATH);
}

/** utimensat(2); without a name it sets the times of the open file `dirfd`. */
export function utimensat(
  dirfd: Fd,
  name: Buffer | undefined,
  atime: TimeToSet,
  mtime: TimeToSet,
  flags: number,
): void {
  writeTime(atime, 0);
  writeTime(mtime, 16);
  const path = name === undefined ? null : firstName.of(name, 'utimensat');
  checked(sysUtimensat(dirfd, path, times, flags), 'utimensat');
}

function writeTime(time: TimeToSet, offset: number): void {
  if (time === undefined || time === 'now') {
    times.fill(0, offset, offset + 16);
    times.writeUInt32LE(time === 'now' ? UTIME_NOW : UTIME_OMIT, offset + 8);
    return;
  }
  const { sec, nsec } = time;
  // The two special values are outside this range, so no time from elsewhere can be taken for one.
  if (!Number.isSafeInteger(sec) || !Number.isInteger(nsec) || nsec < 0 || nsec > 999_999_999) {
    throw new PosixError(constants.errno.EINVAL, 'utimensat');
  }
  times.writeBigInt64LE(BigInt(sec), offset);
  times.writeBigInt64LE(BigInt(nsec), offset + 8);
}

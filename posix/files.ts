/*
 * System calls on open files, and openat2, which opens them.
 *
 * openat2 is the one way to open: its `resolve` lets the kernel itself refuse to leave a directory or to
 * follow a link. Descriptors are always close-on-exec.
 *
 * All calls block: they are for work that the page cache answers. What may wait for a disk goes to node's
 * thread pool instead (a wake-up costs some 45 us), which is why preadNoWait exists: it tells which; or, where it waits for
 * long (syncfs), to threads for that (disk-threads.ts).
 *
 * Measured (2-core x86-64 VM, Node 20.20, page cache; node's own synchronous call in parentheses): confined
 * openat2 + close 0.9 us (1.0 by fs, not confined); pread of 4 KiB 0.30 us (0.43), of 1 MiB 42 us;
 * preadNoWait of 4 KiB 0.52 us.
 */
import { constants } from 'node:os';
import { fd as brandFd, type Fd } from './fd.js';
import { PosixError } from './error.js';
import { O_CLOEXEC, RWF_NOWAIT } from './flags.js';
import {
  addressOf,
  checked,
  checkRange,
  firstName,
  from,
  IOVEC_BYTES,
  lastErrno,
  libc,
  systemCall,
} from './libc.js';

const SYS_OPENAT2 = 437;
const SYS_PREADV2 = process.arch === 'arm64' ? 286 : 327;
const SYS_COPY_FILE_RANGE = process.arch === 'arm64' ? 285 : 326;
const F_DUPFD_CLOEXEC = 1030;

const sysOpenat2 = systemCall<[Fd, Uint8Array, Uint8Array, number]>(SYS_OPENAT2, [
  'int',
  'const uint8_t *',
  'const uint8_t *',
  'size_t',
]);
const sysPreadv2 = systemCall<[Fd, Uint8Array, number, number, number, number]>(SYS_PREADV2, [
  'int',
  'const uint8_t *',
  'unsigned long',
  'unsigned long',
  'unsigned long',
  'int',
]);
const sysCopyFileRange = systemCall<[Fd, Uint8Array, Fd, Uint8Array, number, number]>(SYS_COPY_FILE_RANGE, [
  'int',
  'uint8_t *',
  'int',
  'uint8_t *',
  'size_t',
  'unsigned int',
]);
const libcClose = libc<(fd: Fd) => number>('close', 'int', ['int']);
const libcFcntl = libc<(fd: Fd, command: number, argument: number) => number>('fcntl', 'int', [
  'int',
  'int',
  'long',
]);
const libcDup3 = libc<(fd: Fd, target: Fd, flags: number) => number>('dup3', 'int', ['int', 'int', 'int']);
const libcPread = libc<(fd: Fd, into: Uint8Array, length: number, position: number) => number>(
  'pread',
  'int64_t',
  ['int', 'uint8_t *', 'size_t', 'int64_t'],
);
const libcPwrite = libc<(fd: Fd, bytes: Uint8Array, length: number, position: number) => number>(
  'pwrite',
  'int64_t',
  ['int', 'const uint8_t *', 'size_t', 'int64_t'],
);
const libcFchmod = libc<(fd: Fd, mode: number) => number>('fchmod', 'int', ['int', 'uint32_t']);
const libcFtruncate = libc<(fd: Fd, size: number) => number>('ftruncate', 'int', ['int', 'int64_t']);
const libcFallocate = libc<(fd: Fd, mode: number, offset: number, length: number) => number>(
  'fallocate',
  'int',
  ['int', 'int', 'int64_t', 'int64_t'],
);
const libcFsync = libc<(fd: Fd) => number>('fsync', 'int', ['int']);
interface Syncfs {
  (fd: Fd): number;
  async(fd: Fd, done: (error: unknown, result: number) => void): void;
}

const libcFdatasync = libc<(fd: Fd) => number>('fdatasync', 'int', ['int']);
const libcSyncfs = libc<Syncfs>('syncfs', 'int', ['int']);
const libcLseek = libc<(fd: Fd, offset: number | bigint, whence: number) => number>('lseek', 'int64_t', [
  'int',
  'int64_t',
  'int',
]);
const libcFlock = libc<(fd: Fd, operation: number) => number>('flock', 'int', ['int', 'int']);

/** struct open_how (linux/openat2.h): flags, mode, resolve, 64 bits each. The high halves stay 0. */
const openHow = Buffer.alloc(24);

/** The offsets of copy_file_range(2), 64 bits each: the kernel moves them on. */
const copyFrom = Buffer.alloc(8);
const copyTo = Buffer.alloc(8);

/** struct iovec: base and length, 64 bits each. */
const iovec = Buffer.alloc(IOVEC_BYTES);

/** openat2(2). `mode` counts only with O_CREAT or O_TMPFILE, and passes through the process's umask. */
export function openat2(
  dirfd: Fd,
  path: Buffer,
  how: { readonly flags: number; readonly mode?: number; readonly resolve?: number },
): Fd {
  const name = firstName.of(path, 'openat2');
  openHow.writeUInt32LE((how.flags | O_CLOEXEC) >>> 0, 0);
  openHow.writeUInt32LE(how.mode ?? 0, 8);
  openHow.writeUInt32LE(how.resolve ?? 0, 16);
  return checked(sysOpenat2(dirfd, name, openHow, openHow.length), 'openat2') as Fd;
}

/** close(2). The descriptor is gone even when this throws. */
export function close(fd: Fd): void {
  checked(libcClose(fd), 'close');
}

/** A second descriptor of the same open file. */
export function dup(fd: Fd): Fd {
  return brandFd(checked(libcFcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl'));
}

/** dup3(2): from now on `target` is a descriptor of the open file of `fd`, and the one that it was of is closed. */
export function dupOnto(fd: Fd, target: Fd): void {
  checked(libcDup3(fd, target, O_CLOEXEC), 'dup3');
}

/** pread(2) into buffer[offset, offset + length). Returns the bytes read: fewer than asked, or 0, at the end. */
export function pread(fd: Fd, buffer: Buffer, offset: number, length: number, position: number): number {
  checkRange(buffer, offset, length);
  return checked(libcPread(fd, from(buffer, offset), length, position), 'pread');
}

/**
 * pread() of what is in the page cache: undefined where it would have to wait, or where the file system cannot
 * tell. Returns fewer bytes than asked also where just the beginning is cached: only 0 means the end.
 */
export function preadNoWait(
  fd: Fd,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
): number | undefined {
  checkRange(buffer, offset, length);
  iovec.writeBigUInt64LE(addressOf(buffer) + BigInt(offset), 0);
  iovec.writeUInt32LE(length % 2 ** 32, 8);
  iovec.writeUInt32LE(Math.floor(length / 2 ** 32), 12);
  // The position's low and high word: with 64-bit longs the low one is all of it, the high one is ignored.
  const result = sysPreadv2(fd, iovec, 1, position, 0, RWF_NOWAIT);
  if (result >= 0) return result;
  const errno = lastErrno();
  switch (errno) {
    case constants.errno.EAGAIN:
    case constants.errno.EOPNOTSUPP:
    case constants.errno.ENOSYS:
      return undefined;
    default:
      throw new PosixError(errno, 'preadv2');
  }
}

/**
 * Writes all of buffer[offset, offset + length) at `position`; returns `length`. Throws also when an error comes
 * after a part was written: the file then holds that part.
 */
export function pwrite(fd: Fd, buffer: Buffer, offset: number, length: number, position: number): number {
  checkRange(buffer, offset, length);
  let written = 0;
  while (written < length) {
    const count = checked(
      libcPwrite(fd, from(buffer, offset + written), length - written, position + written),
      'pwrite',
    );
    if (count === 0) throw new PosixError(constants.errno.EIO, 'pwrite');
    written += count;
  }
  return length;
}

/** fchmod(2). */
export function fchmod(fd: Fd, mode: number): void {
  checked(libcFchmod(fd, mode), 'fchmod');
}

/** ftruncate(2). */
export function ftruncate(fd: Fd, size: number): void {
  checked(libcFtruncate(fd, size), 'ftruncate');
}

/** fallocate(2), mode FALLOC_FL_*. */
export function fallocate(fd: Fd, mode: number, offset: number, length: number): void {
  checked(libcFallocate(fd, mode, offset, length), 'fallocate');
}

/** copy_file_range(2). Returns the bytes copied: fewer than asked also before the end of the source, 0 only there. */
export function copyFileRange(
  source: Fd,
  position: number,
  target: Fd,
  targetPosition: number,
  length: number,
): number {
  copyFrom.writeBigInt64LE(BigInt(position), 0);
  copyTo.writeBigInt64LE(BigInt(targetPosition), 0);
  return checked(sysCopyFileRange(source, copyFrom, target, copyTo, length, 0), 'copy_file_range');
}

/** fsync(2). */
export function fsync(fd: Fd): void {
  checked(libcFsync(fd), 'fsync');
}

/** syncfs(2) on another thread; the descriptor must stay open until it settles. */
export function syncfsAsync(fd: Fd): Promise<void> {
  return new Promise((resolve, reject) => {
    libcSyncfs.async(fd, (_error, result) => {
      try {
        checked(result, 'syncfs');
        resolve();
      } catch (failed) {
        reject(failed as Error);
      }
    });
  });
}

/** fdatasync(2). */
export function fdatasync(fd: Fd): void {
  checked(libcFdatasync(fd), 'fdatasync');
}

/** syncfs(2): waits until what was done on the file system of an open file before is on the disk. For a thread of its own. */
export function syncfs(fd: Fd): void {
  checked(libcSyncfs(fd), 'syncfs');
}

/** lseek(2), whence SEEK_*. Returns the new position. */
export function lseek(fd: Fd, offset: number | bigint, whence: number): number {
  return checked(libcLseek(fd, offset, whence), 'lseek');
}

/** flock(2), operation LOCK_*. Throws EAGAIN with LOCK_NB when another holds it. */
export function flock(fd: Fd, operation: number): void {
  checked(libcFlock(fd, operation), 'flock');
}

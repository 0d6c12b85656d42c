/*
 * The calls that may wait for a disk for long, which are carried out on threads of their own (disk-threads.ts).
 */
import { readEntries, seek } from '../../../posix/directory.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close, fallocate, fdatasync, fsync, openat2, syncfs } from '../../../posix/files.js';
import { AT_SYMLINK_NOFOLLOW, O_DIRECTORY } from '../../../posix/flags.js';
import { statxAt } from '../../../posix/status.js';
import type { SyncCall } from '../../../state/measurements.js';
import { MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import { ALLOCATE_KEEP_SIZE, ALLOCATE_PUNCH_HOLE } from '../../../protocol/operations.js';

const SCRATCH_BYTES = 16 * 1024;

export type DiskCall = SyncCall | 'close' | 'empty' | 'look';

const CALLS: Readonly<Record<DiskCall, (fd: Fd, where: DiskPlace) => void>> = {
  ...{ syncfs, fsync, fdatasync },
  ...{ close, empty, look },
};

/** What of a file a call is about. */
export interface DiskPlace {
  /** Of `empty`: the range [offset, end). */
  readonly offset?: number;
  readonly end?: number;
  /** Of `look`: where in a directory (posix/directory.ts). */
  readonly position?: bigint;
}

/** What the thread is sent. */
export interface DiskRequest extends DiskPlace {
  readonly call: DiskCall;
  readonly fd: Fd;
}

/** The errno; 0 if it went well. */
export function carryOut({ call, fd, ...where }: DiskRequest): number {
  try {
    CALLS[call](fd, where);
    return 0;
  } catch (error) {
    if (error instanceof PosixError) return error.errno;
    throw error;
  }
}

/** Gives back the blocks of a range, whose size stays. */
function empty(fd: Fd, { offset = 0, end = 0 }: DiskPlace): void {
  fallocate(fd, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE, offset, end - offset);
}

/** Looks at the files of a page of a directory, so that the kernel knows them. The descriptor's own position stays. */
function look(fd: Fd, { position = 0n }: DiskPlace): void {
  const own = openat2(fd, Buffer.from('.'), { flags: O_DIRECTORY });
  try {
    seek(own, position);
    const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    for (let looked = 0; looked < MAX_PAGE_ENTRIES;) {
      const records = readEntries(own, scratch);
      if (records.length === 0) return;
      for (const { name } of records) lookAt(own, name);
      looked += records.length;
    }
  } finally {
    close(own);
  }
}

function lookAt(directory: Fd, name: Buffer): void {
  try {
    statxAt(directory, name, AT_SYMLINK_NOFOLLOW);
  } catch {
    // Who lists it meets the same.
  }
}

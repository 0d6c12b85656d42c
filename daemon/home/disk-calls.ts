/*
 * A thread that waits for disks: carries out one call after the other, as disk-threads.ts sends them.
 */
import { parentPort } from 'node:worker_threads';
import type { Fd } from '../../posix/fd.js';
import { PosixError } from '../../posix/error.js';
import { close, fallocate, fdatasync, fsync, syncfs } from '../../posix/files.js';
import type { SyncCall } from '../../state/measurements.js';
import { ALLOCATE_KEEP_SIZE, ALLOCATE_PUNCH_HOLE } from '../../protocol/operations.js';

export type DiskCall = SyncCall | 'close' | 'empty';

const CALLS: Readonly<Record<DiskCall, (fd: Fd, offset: number, end: number) => void>> = {
  ...{ syncfs, fsync, fdatasync },
  ...{ close, empty },
};

/** What the thread is sent. It answers with the errno, 0 if it went well. */
export interface DiskRequest {
  readonly call: DiskCall;
  readonly fd: Fd;
  /** Of `empty`: the range [offset, end). */
  readonly offset?: number;
  readonly end?: number;
}

parentPort?.on('message', (request: DiskRequest) => parentPort?.postMessage(outcome(request)));

function outcome({ call, fd, offset = 0, end = 0 }: DiskRequest): number {
  try {
    CALLS[call](fd, offset, end);
    return 0;
  } catch (error) {
    if (error instanceof PosixError) return error.errno;
    throw error;
  }
}

/** Gives back the blocks of a range, whose size stays. */
function empty(fd: Fd, offset: number, end: number): void {
  fallocate(fd, ALLOCATE_PUNCH_HOLE | ALLOCATE_KEEP_SIZE, offset, end - offset);
}

/*
 * The thread that waits for disks: carries out one call after the other, as sync-thread.ts sends them.
 */
import { parentPort } from 'node:worker_threads';
import type { Fd } from '../../posix/fd.js';
import { PosixError } from '../../posix/error.js';
import { fdatasync, fsync, syncfs } from '../../posix/files.js';
import type { SyncCall } from '../../state/measurements.js';

const CALLS: Readonly<Record<SyncCall, (fd: Fd) => void>> = { syncfs, fsync, fdatasync };

/** What the thread is sent. It answers with the errno, 0 if it went well. */
export interface SyncRequest {
  readonly call: SyncCall;
  readonly fd: Fd;
}

parentPort?.on('message', ({ call, fd }: SyncRequest) => parentPort?.postMessage(outcome(call, fd)));

function outcome(call: SyncCall, fd: Fd): number {
  try {
    CALLS[call](fd);
    return 0;
  } catch (error) {
    if (error instanceof PosixError) return error.errno;
    throw error;
  }
}

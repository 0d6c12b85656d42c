/*
 * How changes of a file are charged: bytes when its size changes, an inode when a name makes one.
 *
 * Invariant: reserved before, settled by what the kernel did: after any outcome, also a write that failed half way (a
 * full disk), the charge is the size that the inode then has. A hole counts as data: apparent size is what is charged.
 */
import { Failure } from '../../protocol/failure.js';
import type { Fd } from '../../posix/fd.js';
import { statxFd, type Status } from '../../posix/status.js';
import { statusIfAny } from './confined.js';
import type { Quota } from './quota.js';

/** Runs a change that may make an open regular file end at `end`, at most. Returns its status after. EDQUOT. */
export function chargingSize(quota: Quota, fd: Fd, before: Status, end: number, change: () => void): Status {
  const reserved = Math.max(0, end - before.size);
  quota.reserve(reserved, 0);
  try {
    change();
  } catch (error) {
    quota.release(reserved - (statxFd(fd).size - before.size), 0);
    throw error;
  }
  const after = statxFd(fd);
  quota.release(reserved - (after.size - before.size), 0);
  return after;
}

/** Runs a call that makes `name` with an inode of its own. EDQUOT, but EEXIST where the name is taken. */
export function chargingInode<T>(quota: Quota, directory: Fd, name: Buffer, make: () => T): T {
  if (!quota.hasRoom(0, 1) && statusIfAny(directory, name) !== undefined) {
    throw new Failure('EEXIST', 'the name exists');
  }
  quota.reserve(0, 1);
  try {
    return make();
  } catch (error) {
    quota.release(0, 1);
    throw error;
  }
}

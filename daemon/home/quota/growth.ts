/*
 * How changes of a file are charged: bytes when its size changes, an inode when a name makes one.
 *
 * Invariant: reserved before, settled by what the kernel did: after any outcome, also a write that failed half way (a
 * full disk), the charge is the size that the inode then has. A hole counts as data: apparent size is what is charged.
 */
import { Failure } from '../../../protocol/failure.js';
import type { Fd } from '../../../posix/fd.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { statusIfAny } from '../disk/confined.js';
import type { Account } from './quota.js';

/**
 * Runs a change that may make an open regular file end at `end`, at most. Returns the status after it, which `change` may
 * know. EDQUOT.
 */
export function chargingSize(
  account: Account,
  fd: Fd,
  before: Status,
  end: number,
  change: () => Status | void,
): Status {
  const reserved = Math.max(0, end - before.size);
  account.reserve(reserved, 0);
  let after: Status;
  try {
    after = change() ?? statxFd(fd);
  } catch (error) {
    settle(account, reserved, statxFd(fd).size - before.size);
    throw error;
  }
  settle(account, reserved, after.size - before.size);
  return after;
}

function settle(account: Account, reserved: number, grown: number): void {
  if (grown !== reserved) account.release(reserved - grown, 0);
}

/** Runs a call that makes `name` with an inode of its own. EDQUOT, but EEXIST where the name is taken. */
export function chargingInode<T>(account: Account, directory: Fd, name: Buffer, make: () => T): T {
  if (!account.hasRoom(0, 1) && statusIfAny(directory, name) !== undefined) {
    throw new Failure('EEXIST', 'the name exists');
  }
  account.reserve(0, 1);
  try {
    return make();
  } catch (error) {
    account.release(0, 1);
    throw error;
  }
}

/*
 * What a disk has, as the tree is told of it.
 */
import type { Attributes } from '../../../protocol/attributes.js';
import type { FileId } from '../../../protocol/references.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { AT_SYMLINK_NOFOLLOW } from '../../../posix/flags.js';
import { statxAt, type Status } from '../../../posix/status.js';

/** As the server would tell them. */
export function attributesOf(status: Status): Attributes {
  const { sec, nsec } = status.btime;
  const { ino, mode, nlink, size, blocks, rdev, atime, mtime, ctime } = status;
  const birth = BigInt(sec) * 1_000_000_000n + BigInt(nsec);
  return { ...{ ino, birth, mode, nlink, size, blocks, rdev }, ...{ atime, mtime, ctime, owner: null } };
}

/** Of what is not there: none. */
export function idOf(status: Status | undefined): FileId {
  return status === undefined ? { ino: 0n, birth: 0n } : attributesOf(status);
}

/** Undefined where there is nothing, or cannot be. */
export function statusOf(at: Fd, name: Buffer): Status | undefined {
  try {
    return statxAt(at, name, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (error instanceof PosixError) return undefined;
    throw error;
  }
}

/** The errno of what fails, 'done' of what does not. */
export function errnoOf(change: () => void): string {
  try {
    change();
    return 'done';
  } catch (error) {
    if (error instanceof PosixError) return error.code;
    throw error;
  }
}

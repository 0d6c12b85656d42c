/*
 * The id of a file as its status tells it: inode number and time of birth. A number that is used again has another birth;
 * where the disk keeps none, birth is 0 and the number stands alone.
 */
import type { FileId } from '../../../protocol/references.js';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../../posix/flags.js';
import type { Status } from '../../../posix/status.js';

const NANOSECONDS = 1_000_000_000n;

/** Nanoseconds since 1970. */
export function birthOf({ btime }: Status): bigint {
  return BigInt(btime.sec) * NANOSECONDS + BigInt(btime.nsec);
}

export function idOf(status: Status): FileId {
  return { ino: status.ino, birth: birthOf(status) };
}

export function isId(status: Status, id: FileId): boolean {
  return status.ino === id.ino && birthOf(status) === id.birth;
}

export function isDirectory(status: Status): boolean {
  return (status.mode & S_IFMT) === S_IFDIR;
}

export function isRegular(status: Status): boolean {
  return (status.mode & S_IFMT) === S_IFREG;
}

/*
 * statx(2) as attributes of the wire. Owner and group stay here: a home belongs to its user.
 */
import { packAttributes } from '../../protocol/attributes.js';
import type { Status } from '../../posix/status.js';

const NANOSECONDS = 1_000_000_000n;

/** Status as the list that protocol/attributes reads. */
export function wireAttributes(status: Status): unknown[] {
  return packAttributes({
    ino: status.ino,
    birth: BigInt(status.btime.sec) * NANOSECONDS + BigInt(status.btime.nsec),
    mode: status.mode,
    nlink: status.nlink,
    size: status.size,
    blocks: status.blocks,
    rdev: status.rdev,
    atime: status.atime,
    mtime: status.mtime,
    ctime: status.ctime,
  });
}

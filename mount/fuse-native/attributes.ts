/**
 * What the file system answers as stat(2) and statvfs(3) of fuse-native, which knows milliseconds since 1970 and
 * 32-bit counts. What does not fit is rounded towards what cannot mislead: early times to 1970, sizes of a file
 * system to larger blocks.
 */
import { Failure } from '../../protocol/failure.js';
import type { FilesystemStatus, NodeAttributes, Time } from '../operations.js';
import type { NativeStat, NativeStatfs } from './binding.js';

const UINT32_MAX = 0xffff_ffff;

export function nativeStat(attributes: NodeAttributes): NativeStat {
  const { mode, uid, gid, nlink, rdev, size, blocks } = attributes;
  return {
    ...{ mode, uid, gid, nlink, rdev, size, blocks },
    atime: milliseconds(attributes.atime),
    mtime: milliseconds(attributes.mtime),
    ctime: milliseconds(attributes.ctime),
  };
}

/** Of an entry of a listing just the type is known, and just the type is used. */
export function nativeType(type: number): NativeStat {
  const unknown = { uid: 0, gid: 0, nlink: 1, rdev: 0, size: 0, blocks: 0, atime: 0, mtime: 0, ctime: 0 };
  return { mode: type, ...unknown };
}

export function nativeStatfs(status: FilesystemStatus): NativeStatfs {
  let { blockSize, blocks, blocksFree } = status;
  while (blocks > UINT32_MAX || blocksFree > UINT32_MAX) {
    blockSize *= 2;
    blocks /= 2n;
    blocksFree /= 2n;
  }
  const filesFree = count(status.filesFree);
  return {
    bsize: blockSize,
    frsize: blockSize,
    blocks: Number(blocks),
    bfree: Number(blocksFree),
    bavail: Number(blocksFree),
    files: count(status.files),
    ffree: filesFree,
    favail: filesFree,
    namemax: status.nameMax,
  };
}

function count(value: bigint): number {
  return value > UINT32_MAX ? UINT32_MAX : Number(value);
}

function milliseconds({ sec, nsec }: Time): number {
  return Math.max(0, sec * 1000 + Math.floor(nsec / 1e6));
}

/** Milliseconds since 1970 as a time. Throws EINVAL before 1970, which stat could not show either. */
export function timeOf(ms: number): Time {
  if (!Number.isSafeInteger(ms)) throw new Failure('EINVAL', 'fuse-native knows no time before 1970');
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1e6 };
}

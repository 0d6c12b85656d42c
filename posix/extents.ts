/*
 * The extents of a file, where its file system tells them (FIEMAP; ext4, XFS and Btrfs do, tmpfs and NFS do not).
 */
import type { Fd } from './fd.js';
import { libc } from './libc.js';

/** x86-64 and arm64 (linux/fiemap.h). */
const FS_IOC_FIEMAP = 0xc020660b;
/** struct fiemap: start and length, 64 bits each; flags, extents that were told, extents that there is room for, reserved. */
const HEAD_BYTES = 32;
const LENGTH = 8;
const TOLD = 20;
const ROOM = 24;
/** struct fiemap_extent: place in the file, on the disk, length, 64 bits each; more. */
const EXTENT_BYTES = 56;
const EXTENT_LENGTH = 16;

const libcIoctl = libc<(fd: Fd, request: number, argument: Uint8Array) => number>('ioctl', 'int', [
  'int',
  'unsigned long',
  'uint8_t *',
]);

/**
 * Where in [offset, end) the extent ends that is the `most`th: `end` where there are fewer. Undefined: the file system does not
 * tell.
 */
export function endOfExtents(fd: Fd, offset: number, end: number, most: number): number | undefined {
  const map = Buffer.alloc(HEAD_BYTES + most * EXTENT_BYTES);
  map.writeBigUInt64LE(BigInt(offset), 0);
  map.writeBigUInt64LE(BigInt(end - offset), LENGTH);
  map.writeUInt32LE(most, ROOM);
  if (libcIoctl(fd, FS_IOC_FIEMAP, map) < 0) return undefined;
  if (map.readUInt32LE(TOLD) < most) return end;
  const last = HEAD_BYTES + (most - 1) * EXTENT_BYTES;
  return Math.min(end, Number(map.readBigUInt64LE(last) + map.readBigUInt64LE(last + EXTENT_LENGTH)));
}

/*
 * Flags of an inode that chattr(1) sets, where its file system has them (ioctl_iflags(2)).
 */
import type { Fd } from './fd.js';
import { checked, libc } from './libc.js';

/** x86-64 and arm64; the argument is an int, whatever the number says (linux/fs.h). */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
/** Each directory in this one is the top of a hierarchy of its own: ext4 spreads them over its block groups. */
export const FS_TOPDIR_FL = 0x00020000;

const libcIoctl = libc<(fd: Fd, request: number, argument: Uint8Array) => number>('ioctl', 'int', [
  'int',
  'unsigned long',
  'uint8_t *',
]);

/** Sets flags beside those that are set. ENOTTY, EOPNOTSUPP: the file system has none. Not for O_PATH. */
export function addInodeFlags(fd: Fd, flags: number): void {
  const argument = Buffer.alloc(8);
  checked(libcIoctl(fd, FS_IOC_GETFLAGS, argument), 'ioctl');
  argument.writeUInt32LE((argument.readUInt32LE(0) | flags) >>> 0, 0);
  checked(libcIoctl(fd, FS_IOC_SETFLAGS, argument), 'ioctl');
}

/*
 * The extended attributes of one file of a home: those that its user may see, what they are charged, and how they are
 * read and changed on the disk.
 *
 * Invariant: a regular file or directory is charged the bytes of the names and values of its user.* attributes, without the
 * daemon's own. The disk is the only record of them: each file that is removed or counted is asked whether it has any, which
 * costs a tenth of the removal (posix/xattrs.ts).
 *
 * A mode that locks the daemon out is opened for that moment: a client's program that is root may have changed them.
 */
import { Failure } from '../../../protocol/failure.js';
import { isServersXattr, isUserXattr } from '../../../protocol/xattrs.js';
import type { Status } from '../../../posix/status.js';
import {
  getXattr,
  listXattrs,
  xattrLength,
  xattrNamesLength,
  type XattrPlace,
} from '../../../posix/xattrs.js';
import { isDirectory, isRegular } from './file-ids.js';
import { withAccess as withModeOpened } from './modes.js';

/** Bytes of the names of a file, with a zero each: Linux tells 64 KiB (XATTR_LIST_MAX), of which some is for other kinds. */
const MAX_NAMES_BYTES = 63 * 1024;

/** Where a file is, and its status: as Located, of what need not be in a home's tree. */
export type XattrFile = XattrPlace & { readonly status: Status };

/** Only these have attributes of users (xattr(7)). */
export function mayHaveXattrs({ status }: XattrFile): boolean {
  return isRegular(status) || isDirectory(status);
}

/** The names of a file's attributes. */
export function userXattrs(file: XattrFile): Buffer[] {
  if (!mayHaveXattrs(file)) return [];
  return listXattrs(file).filter((name) => isUserXattr(name) && !isServersXattr(name));
}

/** Undefined where there is none of that name. */
export function readXattr(file: XattrFile, name: Buffer): Buffer | undefined {
  if (!mayHaveXattrs(file) || isServersXattr(name)) return undefined;
  return withAccess(file, () => getXattr(file, name));
}

/** To be called before a file gets attributes of new names: what cannot be told any more could not be charged. ENOSPC. */
export function requireNameRoom(names: readonly Buffer[], file?: XattrFile): void {
  let bytes = file === undefined ? 0 : xattrNamesLength(file);
  for (const name of names) bytes += name.length + 1;
  if (bytes > MAX_NAMES_BYTES) throw new Failure('ENOSPC', 'the file has too many attributes');
}

/** Bytes that a file is charged for its attributes. */
export function xattrBytes(file: XattrFile): number {
  let bytes = 0;
  for (const name of userXattrs(file)) bytes += chargedXattr(file, name);
  return bytes;
}

/** Bytes that one attribute is charged; 0 where there is none of that name. */
export function chargedXattr(file: XattrFile, name: Buffer): number {
  const length = withAccess(file, () => xattrLength(file, name));
  return length === undefined ? 0 : name.length + length;
}

/** Acts on a file whatever its mode is. */
export function withAccess<T>(file: XattrFile, act: () => T): T {
  return withModeOpened(file, () => file.status.mode, act);
}

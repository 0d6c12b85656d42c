/*
 * The extended attributes that an upload gives its file, before that gets its name: all of them, or none.
 *
 * Invariant: what the file has of them is charged, also after a failure (growth.ts).
 */
import { Failure } from '../../protocol/failure.js';
import { bytesOfXattrs, isReservedXattr, type Xattr } from '../../protocol/xattrs.js';
import { removeXattr, setXattr } from '../../posix/xattrs.js';
import { userXattrs, withAccess, xattrBytes, type XattrFile } from './file-xattrs.js';
import type { Account } from './quota.js';

/**
 * In place of those that it has. EINVAL: two of one name; EACCES: a name of the server's own; EDQUOT; EOPNOTSUPP, E2BIG, ENOSPC
 * of a disk that takes none, or no more of one file.
 */
export function giveXattrs(account: Account, file: XattrFile, xattrs: readonly Xattr[]): void {
  requireNames(xattrs);
  takeXattrs(account, file);
  const bytes = bytesOfXattrs(xattrs);
  if (bytes === 0) return;
  account.reserve(bytes, 0);
  try {
    for (const [name, value] of xattrs) withAccess(file, () => setXattr(file, name, value, 0));
  } catch (error) {
    removeAll(file);
    account.release(bytes, 0);
    throw error;
  }
}

function takeXattrs(account: Account, file: XattrFile): void {
  const bytes = xattrBytes(file);
  if (bytes === 0) return;
  removeAll(file);
  account.release(bytes, 0);
}

function removeAll(file: XattrFile): void {
  for (const name of userXattrs(file)) withAccess(file, () => removeXattr(file, name));
}

function requireNames(xattrs: readonly Xattr[]): void {
  const names = xattrs.map(([name]) => name);
  if (names.some(isReservedXattr)) throw new Failure('EACCES', 'the name of the attribute is reserved');
  if (new Set(names.map((name) => name.toString('latin1'))).size < names.length) {
    throw new Failure('EINVAL', 'two attributes of one name');
  }
}

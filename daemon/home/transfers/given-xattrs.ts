/*
 * The extended attributes that an upload gives its file, before that gets its name: all of them, or the upload fails.
 *
 * Invariant: what the file has of them is charged, also between two of them, and after a failure. A file may be given thousands,
 * of some 10 us each: others have their turn in between.
 */
import { Failure } from '../../../protocol/failure.js';
import { isReservedXattr, type Xattr } from '../../../protocol/xattrs.js';
import { removeXattr, setXattr } from '../../../posix/xattrs.js';
import {
  chargedXattr,
  requireNameRoom,
  userXattrs,
  withAccess,
  type XattrFile,
} from '../disk/file-xattrs.js';
import type { Account } from '../quota/quota.js';
import type { Turns } from '../calls/turns.js';

export interface Giving {
  readonly account: Account;
  readonly turns: Turns;
  /** Does what may be refused for want of room: at once, or when others have given some back. */
  readonly whenRoom: (attempt: () => void) => void | Promise<void>;
}

/**
 * In place of those that it has. EINVAL: two of one name; EACCES: a name of the server's own; EDQUOT; EOPNOTSUPP, E2BIG, ENOSPC
 * of a disk that takes none, or no more of one file.
 */
export async function giveXattrs(giving: Giving, file: XattrFile, xattrs: readonly Xattr[]): Promise<void> {
  const { account } = giving;
  requireNames(xattrs);
  await forEach(giving, userXattrs(file), (name) => {
    const bytes = chargedXattr(file, name);
    withAccess(file, () => removeXattr(file, name));
    account.release(bytes, 0);
  });
  await forEach(giving, xattrs, ([name, value]) => {
    const bytes = name.length + value.length;
    account.reserve(bytes, 0);
    try {
      withAccess(file, () => setXattr(file, name, value, 0));
    } catch (error) {
      account.release(bytes, 0);
      throw error;
    }
  });
}

async function forEach<T>(
  { turns, whenRoom }: Giving,
  items: readonly T[],
  act: (item: T) => void,
): Promise<void> {
  const left = items.values();
  let next = left.next();
  const piece = (): void => {
    do {
      if (next.done === true) return;
      act(next.value);
      next = left.next();
    } while (!turns.isOver);
  };
  while (next.done !== true) await turns.take(() => whenRoom(piece));
}

function requireNames(xattrs: readonly Xattr[]): void {
  const names = xattrs.map(([name]) => name);
  if (names.some(isReservedXattr)) throw new Failure('EACCES', 'the name of the attribute is reserved');
  if (new Set(names.map((name) => name.toString('latin1'))).size < names.length) {
    throw new Failure('EINVAL', 'two attributes of one name');
  }
  requireNameRoom(names);
}

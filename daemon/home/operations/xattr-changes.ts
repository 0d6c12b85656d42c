/*
 * Operations on extended attributes: SETXATTR and REMOVEXATTR.
 *
 * What one adds is reserved before and settled after it, as with data (growth.ts). A replay does not ask what was there: of
 * what comes before it in its log some was done again, and some not.
 */
import { Failure } from '../../../protocol/failure.js';
import { SETXATTR, type RemoveXattr, type SetXattr } from '../../../protocol/operations.js';
import { isServersXattr, XATTR_CREATE, XATTR_REPLACE } from '../../../protocol/xattrs.js';
import { removeXattr, setXattr } from '../../../posix/xattrs.js';
import { isDirectory } from '../disk/file-ids.js';
import { chargedXattr, mayHaveXattrs, requireNameRoom, withAccess } from '../disk/file-xattrs.js';
import type { Located } from '../disk/located.js';
import { leftOf, type HomeParts, type Lane, type Left } from './operation-parts.js';

export class XattrChanges {
  readonly #home: HomeParts;

  constructor(home: HomeParts) {
    this.#home = home;
  }

  /** EEXIST, ENODATA as `flags` say; EOPNOTSUPP, E2BIG, ENOSPC of a disk that takes none, or no more of one file. */
  set(op: SetXattr, lane: Lane): Left {
    const located = this.#locate(op);
    const { xattr, value, flags } = op;
    const before = chargedXattr(located, xattr);
    if (!lane.replay && (flags & XATTR_CREATE) !== 0 && before > 0) {
      throw new Failure('EEXIST', 'the attribute exists');
    }
    if (!lane.replay && (flags & XATTR_REPLACE) !== 0 && before === 0) throw missing();
    if (before === 0) requireNameRoom([xattr], located);
    const growth = xattr.length + value.length - before;
    const account = this.#home.trash.accountOf(located.status.ino, lane.account);
    account.reserve(Math.max(0, growth), 0);
    try {
      withAccess(located, () => setXattr(located, xattr, value, 0));
    } catch (error) {
      account.release(Math.max(0, growth), 0);
      throw error;
    }
    if (growth < 0) account.release(-growth, 0);
    return this.#left(op, located);
  }

  /** ENODATA. */
  remove(op: RemoveXattr, lane: Lane): Left {
    const located = this.#locate(op);
    const before = chargedXattr(located, op.xattr);
    if (before === 0) {
      if (!lane.replay) throw missing();
      return this.#left(op, located);
    }
    const account = this.#home.trash.accountOf(located.status.ino, lane.account);
    account.prepare();
    withAccess(located, () => removeXattr(located, op.xattr));
    account.release(before, 0);
    return this.#left(op, located);
  }

  /** ESTALE of what has no name and is charged to nobody: a file that is not held, or a directory. */
  #locate(op: SetXattr | RemoveXattr): Located {
    const { identities, held } = this.#home;
    const located = identities.file(op.file);
    const { ino, nlink } = located.status;
    held.freeing.requireIdle(ino);
    const isNameless = nlink === 0 || held.isTrashed(ino);
    if (isNameless && (isDirectory(located.status) || !held.isHeld(ino))) {
      throw new Failure('ESTALE', 'the file has no name any more');
    }
    if (!mayHaveXattrs(located))
      throw new Failure('EPERM', 'only files and directories have such attributes');
    if (isServersXattr(op.xattr)) {
      throw op.kind === SETXATTR ? new Failure('EACCES', 'the name of the attribute is reserved') : missing();
    }
    if (isDirectory(located.status)) this.#home.times.settle(located.status.ino);
    return located;
  }

  #left({ time }: SetXattr | RemoveXattr, located: Located): Left {
    const { times } = this.#home;
    const set = { atime: undefined, mtime: undefined, ctime: time };
    return { file: leftOf(this.#home, { ...located, status: times.ofLocated(located, set) }) };
  }
}

function missing(): Failure {
  return new Failure('ENODATA', 'no such attribute');
}

/*
 * The one way from a path of the wire to a descriptor. Nothing else opens anything in a home.
 *
 * Invariant: a path is resolved by the kernel beneath the descriptor of the home, through directories only: no
 * symlink, no magic link, no mount point on the way (openat2(2), RESOLVE_*). An operation on a name resolves
 * its directory so, and then acts on the single last component with a call that does not follow links; so it
 * does not matter who exchanges what meanwhile.
 *
 * RESOLVE_NO_XDEV keeps a home to one file system: inode numbers then name its files.
 * RESERVED_NAME in the home itself belongs to the daemon: it is not there for reading, and not to be made.
 */
import { Failure } from '../../protocol/failure.js';
import { splitPath, type RemotePath } from '../../protocol/ids.js';
import { PosixError } from '../../posix/error.js';
import type { Fd } from '../../posix/fd.js';
import { close, openat2 } from '../../posix/files.js';
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../posix/flags.js';
import { mkdirat } from '../../posix/names.js';
import { statxAt, statxFd, type Status } from '../../posix/status.js';

/** The daemon's own directory at the root of a home: partial uploads. */
export const RESERVED_NAME = Buffer.from('.ftpmount');

const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
const PRIVATE_MODE = 0o700;
const SLASH = 0x2f;
const HERE = Buffer.from('.');

/** Whether the name at the end of a path must be there, or is to be made: what a reserved name answers. */
export type Purpose = 'existing' | 'new';

export class ConfinedTree {
  /** The home itself, open for reading. */
  readonly root: Fd;

  private constructor(root: Fd) {
    this.root = root;
  }

  /** Opens the home at an absolute path of the server, which the daemon chose. ENOENT, ENOTDIR. */
  static open(directory: string): ConfinedTree {
    const flags = O_RDONLY | O_DIRECTORY;
    return new ConfinedTree(openat2(AT_FDCWD, Buffer.from(directory), { flags }));
  }

  close(): void {
    close(this.root);
  }

  /** Opens what is at `path` (flags O_*); a symlink there is ELOOP. The caller closes. Never waits for a FIFO's peer. */
  open(path: RemotePath, flags: number): Fd {
    refuseReserved(path, 'existing');
    return openat2(this.root, path.length === 0 ? HERE : path, {
      flags: flags | O_NOFOLLOW | O_NONBLOCK,
      resolve: RESOLVE,
    });
  }

  /** Opens `name` in a directory given by withParent() or by openReserved(), or makes it (O_CREAT). */
  openAt(directory: Fd, name: Buffer, flags: number, mode = 0): Fd {
    return openat2(directory, name, { flags: flags | O_NOFOLLOW | O_NONBLOCK, mode, resolve: RESOLVE });
  }

  /** The status of what is at `path`, of a symlink itself. */
  status(path: RemotePath): Status {
    if (path.length === 0) return statxFd(this.root);
    return this.withParent(path, 'existing', statusAt);
  }

  /**
   * Acts on the last component of a path by its directory's descriptor, which is good for the *at calls during
   * `act` only. The home itself has no directory: EBUSY.
   */
  withParent<T>(path: RemotePath, purpose: Purpose, act: (directory: Fd, name: Buffer) => T): T {
    refuseReserved(path, purpose);
    const { parent, name } = splitPath(path);
    if (parent.length === 0) return act(this.root, name);
    const directory = openat2(this.root, parent, { flags: O_PATH | O_DIRECTORY, resolve: RESOLVE });
    try {
      return act(directory, name);
    } finally {
      close(directory);
    }
  }

  /** withParent() for two paths at once; the second is to be made. */
  withParents<T>(
    from: RemotePath,
    to: RemotePath,
    act: (fromDirectory: Fd, fromName: Buffer, toDirectory: Fd, toName: Buffer) => T,
  ): T {
    return this.withParent(from, 'existing', (fromDirectory, fromName) =>
      this.withParent(to, 'new', (toDirectory, toName) => act(fromDirectory, fromName, toDirectory, toName)),
    );
  }

  /**
   * Opens a directory that may be deeper than a path can tell: renaming a directory into another makes such trees.
   * `path` is components separated by slashes, of any length.
   */
  openDeep(path: Buffer): Fd {
    let at = openat2(this.root, HERE, { flags: O_RDONLY | O_DIRECTORY, resolve: RESOLVE });
    for (let start = 0; start < path.length;) {
      const end = pieceEnd(path, start);
      const flags = O_RDONLY | O_DIRECTORY;
      let next: Fd;
      try {
        next = openat2(at, path.subarray(start, end), { flags, resolve: RESOLVE });
      } finally {
        close(at);
      }
      at = next;
      start = end + 1;
    }
    return at;
  }

  /** Opens the daemon's own directory: undefined where there is none. The caller closes. */
  openReserved(): Fd | undefined {
    try {
      return this.#openReserved();
    } catch (error) {
      if (error instanceof PosixError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Makes the daemon's own directory, and opens it. The caller closes. */
  makeReserved(): Fd {
    mkdirat(this.root, RESERVED_NAME, PRIVATE_MODE);
    return this.#openReserved();
  }

  #openReserved(): Fd {
    return openat2(this.root, RESERVED_NAME, { flags: O_RDONLY | O_DIRECTORY, resolve: RESOLVE });
  }
}

/** The status of a name in a directory, of a symlink itself. */
export function statusAt(directory: Fd, name: Buffer): Status {
  return statxAt(directory, name, AT_SYMLINK_NOFOLLOW);
}

/** statusAt(), or undefined where there is no such name. */
export function statusIfAny(directory: Fd, name: Buffer): Status | undefined {
  try {
    return statusAt(directory, name);
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function refuseReserved(path: RemotePath, purpose: Purpose): void {
  if (path[0] !== RESERVED_NAME[0] || !isReserved(path)) return;
  if (purpose === 'new') throw new Failure('EACCES', `the name ${RESERVED_NAME.toString()} is reserved`);
  throw new Failure('ENOENT', 'no such file or directory');
}

function isReserved(path: RemotePath): boolean {
  const { length } = RESERVED_NAME;
  return (
    path.length >= length &&
    RESERVED_NAME.compare(path, 0, length) === 0 &&
    (path.length === length || path[length] === SLASH)
  );
}

/** Most bytes of path that one call of openDeep() passes: below PATH_MAX. */
const MAX_PIECE = 4000;

function pieceEnd(path: Buffer, start: number): number {
  if (path.length - start <= MAX_PIECE) return path.length;
  return path.lastIndexOf(SLASH, start + MAX_PIECE);
}

/*
 * The one way from a name of the wire to a descriptor. Nothing else opens anything in a home.
 *
 * Invariant: a path is resolved by the kernel beneath the descriptor of the home, through directories only: no
 * symlink, no magic link, no mount point on the way (openat2(2), RESOLVE_*). An operation on a name resolves
 * its directory so, and then acts on the single last component with a call that does not follow links; so it
 * does not matter who exchanges what meanwhile.
 *
 * RESOLVE_NO_XDEV keeps a home to one file system: inode numbers then name its files. A path may be longer than PATH_MAX:
 * it is walked in pieces.
 * RESERVED_NAME in the home itself belongs to the daemon: it is not there for reading, and not to be made.
 */
import { Failure } from '../../../protocol/failure.js';
import { splitPath, type RemotePath } from '../../../protocol/ids.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close, dup, openat2 } from '../../../posix/files.js';
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../../posix/flags.js';
import { mkdirat, utimensOpen } from '../../../posix/names.js';
import { statxAt, statxFd, type Status } from '../../../posix/status.js';
import { RESERVED_NAME } from '../../../state/home-layout.js';

const RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
const SLASH = 0x2f;
const HERE = Buffer.from('.');

/** Whether the name at the end of a path must be there, or is to be made: what a reserved name answers. */
export type Purpose = 'existing' | 'new';

export class ConfinedTree {
  /** The home itself, open for reading. */
  readonly root: Fd;
  /** See open(). */
  readonly firstReserved: number;

  private constructor(root: Fd, firstReserved: number) {
    this.root = root;
    this.firstReserved = firstReserved;
  }

  /**
   * Opens the home at an absolute path of the server, which the daemon chose. `firstReserved`: the number from which on
   * descriptors are not for what stays open (descriptor-limit.ts). ENOENT, ENOTDIR.
   */
  static open(directory: string, firstReserved = Number.POSITIVE_INFINITY): ConfinedTree {
    const flags = O_RDONLY | O_DIRECTORY;
    return new ConfinedTree(openat2(AT_FDCWD, Buffer.from(directory), { flags }), firstReserved);
  }

  /** To be called before something is opened that a client may keep open. ENFILE. 1 us. */
  requireDescriptor(): void {
    const next = dup(this.root);
    close(next);
    if (next >= this.firstReserved) throw new Failure('ENFILE', 'the server has too many files open');
  }

  close(): void {
    close(this.root);
  }

  /**
   * Opens `name` in a directory, or makes it (O_CREAT); a symlink there is ELOOP. The caller closes. Never waits for a
   * FIFO's peer.
   */
  openAt(directory: Fd, name: Buffer, flags: number, mode = 0): Fd {
    // Opening a path waits for nobody, and openat2 refuses the two flags together.
    const nonBlocking = (flags & O_PATH) === 0 ? O_NONBLOCK : 0;
    return openat2(directory, name, { flags: flags | O_NOFOLLOW | nonBlocking, mode, resolve: RESOLVE });
  }

  /** Makes a regular file without a name, open for reading and writing. EOPNOTSUPP. */
  openUnnamed(directory: Fd, mode: number): Fd {
    try {
      return this.openAt(directory, HERE, O_TMPFILE | O_RDWR, mode);
    } catch (error) {
      // Kernels that do not have it take it for opening a directory (open(2), O_TMPFILE).
      if (!(error instanceof PosixError) || (error.code !== 'EISDIR' && error.code !== 'EINVAL')) throw error;
      throw new Failure('EOPNOTSUPP', 'the disk has no files without a name');
    }
  }

  /**
   * Opens the directory at `path` below an open one, as `access` says (O_PATH, O_RDONLY). `path` is components separated
   * by slashes, of any length; empty: the open one itself. The caller closes.
   */
  openDirectory(from: Fd, path: Buffer, access: number): Fd {
    let at = from;
    for (let start = 0; ;) {
      const end = pieceEnd(path, start);
      const last = end === path.length;
      const flags = (last ? access : O_PATH) | O_DIRECTORY;
      const piece = path.length === 0 ? HERE : path.subarray(start, end);
      let next: Fd;
      try {
        next = openat2(at, piece, { flags, resolve: RESOLVE });
      } finally {
        if (at !== from) close(at);
      }
      if (last) return next;
      at = next;
      start = end + 1;
    }
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
    const { parent, name } = splitPath(path);
    refuseReserved(path, purpose);
    if (parent.length === 0) return act(this.root, name);
    const directory = this.openDirectory(this.root, parent, O_PATH);
    try {
      return act(directory, name);
    } finally {
      close(directory);
    }
  }

  /** Opens the daemon's own directory: undefined where there is none. The caller closes. */
  openReserved(): Fd | undefined {
    return unlessMissing(() => this.#openOwnDirectory(this.root, RESERVED_NAME));
  }

  /** Opens the daemon's own directory, which is made where it is missing. The caller closes. */
  makeReserved(): Fd {
    const existing = this.openReserved();
    if (existing !== undefined) return existing;
    const { atime, mtime } = statxFd(this.root);
    mkdirat(this.root, RESERVED_NAME, PRIVATE_DIRECTORY);
    // The user changed nothing.
    utimensOpen(this.root, atime, mtime);
    return this.#openOwnDirectory(this.root, RESERVED_NAME);
  }

  /** Opens a directory in the daemon's own one: undefined where there is none. The caller closes. */
  openOwn(name: Buffer): Fd | undefined {
    const reserved = this.openReserved();
    if (reserved === undefined) return undefined;
    return closing(reserved, () => unlessMissing(() => this.#openOwnDirectory(reserved, name)));
  }

  /** openOwn() of a directory that is made where it is missing. */
  makeOwn(name: Buffer): Fd {
    return closing(this.makeReserved(), (reserved) => {
      const existing = unlessMissing(() => this.#openOwnDirectory(reserved, name));
      if (existing !== undefined) return existing;
      mkdirat(reserved, name, PRIVATE_DIRECTORY);
      return this.#openOwnDirectory(reserved, name);
    });
  }

  /** Opens a file in the daemon's own directory for reading and writing; it is made where it is missing. The caller closes. */
  makeOwnFile(name: Buffer): Fd {
    return closing(this.makeReserved(), (reserved) =>
      this.openAt(reserved, name, O_RDWR | O_CREAT, PRIVATE_FILE),
    );
  }

  #openOwnDirectory(directory: Fd, name: Buffer): Fd {
    return openat2(directory, name, { flags: O_RDONLY | O_DIRECTORY, resolve: RESOLVE });
  }
}

/** Refuses a name that belongs to the daemon, of the home itself. ENOENT; for a new name EACCES. */
export function refuseReservedName(name: Buffer, purpose: Purpose): void {
  if (!name.equals(RESERVED_NAME)) return;
  if (purpose === 'new') throw new Failure('EACCES', `the name ${RESERVED_NAME.toString()} is reserved`);
  throw new Failure('ENOENT', 'no such file or directory');
}

/** The status of a name in a directory, of a symlink itself. */
export function statusAt(directory: Fd, name: Buffer): Status {
  return statxAt(directory, name, AT_SYMLINK_NOFOLLOW);
}

/** statusAt(), or undefined where there is no such name. */
export function statusIfAny(directory: Fd, name: Buffer): Status | undefined {
  return unlessMissing(() => statusAt(directory, name));
}

/** Acts with a descriptor, and closes it. */
export function closing<T>(fd: Fd, act: (fd: Fd) => T): T {
  try {
    return act(fd);
  } finally {
    close(fd);
  }
}

/** Acts with a descriptor that stays open; where that fails, it is closed. */
export function closingOnFailure<T>(fd: Fd, act: (fd: Fd) => T): T {
  try {
    return act(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}

function unlessMissing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function refuseReserved(path: RemotePath, purpose: Purpose): void {
  if (path[0] !== RESERVED_NAME[0]) return;
  const slash = path.indexOf(SLASH);
  refuseReservedName(slash < 0 ? path : path.subarray(0, slash), purpose);
}

/** Most bytes of path that one call of openDirectory() passes: below PATH_MAX. */
const MAX_PIECE = 4000;

function pieceEnd(path: Buffer, start: number): number {
  if (path.length - start <= MAX_PIECE) return path.length;
  return path.lastIndexOf(SLASH, start + MAX_PIECE);
}

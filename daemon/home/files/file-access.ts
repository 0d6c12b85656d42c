/*
 * Opening the file that a name was found to lead to, and no other, also where its mode allows nobody that: a program that has a
 * file open goes on reading it and writing to it (git makes its objects with mode 0444), and the daemon may open it first when
 * that comes (modes.ts).
 */
import { Failure } from '../../../protocol/failure.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { O_PATH, O_RDONLY, O_RDWR, S_IFDIR, S_IFLNK, S_IFMT } from '../../../posix/flags.js';
import { reopen } from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { closing, closingOnFailure, type ConfinedTree } from '../disk/confined.js';
import { idOf, isId, isRegular } from '../disk/file-ids.js';
import type { Located, Named } from '../disk/located.js';
import { withAccess } from '../disk/modes.js';

/** EISDIR, ELOOP for a symlink, ENXIO for FIFOs and sockets. */
export function requireRegular(status: Status): void {
  if (isRegular(status)) return;
  const type = status.mode & S_IFMT;
  if (type === S_IFDIR) throw new Failure('EISDIR', 'is a directory');
  if (type === S_IFLNK) throw new Failure('ELOOP', 'is a symbolic link');
  throw new Failure('ENXIO', 'not a regular file');
}

/** Opens a regular file. EISDIR, ELOOP, ENXIO; ESTALE where the name was exchanged meanwhile. */
export function openRegular(tree: ConfinedTree, located: Named, writable: boolean): Fd {
  requireRegular(located.status);
  const { directory, name } = located;
  const fd = openAllowed((flags) => tree.openAt(directory, name, flags), writable ? O_RDWR : O_RDONLY);
  return verified(fd, located.status);
}

/** Opens a file of any kind so that it stays: a regular one for reading. ESTALE as openRegular(). */
export function openKept(tree: ConfinedTree, located: Located): Fd {
  const { status } = located;
  const open = (flags: number): Fd =>
    'fd' in located ? reopen(located.fd, flags) : tree.openAt(located.directory, located.name, flags);
  return verified(isRegular(status) ? openAllowed(open, O_RDONLY) : open(O_PATH), status);
}

/** Opens an open file anew, for reading and writing. */
export function reopenForWriting(fd: Fd): Fd {
  return reopenAllowed(fd, O_RDWR);
}

function openAllowed(open: (flags: number) => Fd, flags: number): Fd {
  return unlessRefused(() => open(flags)) ?? closing(open(O_PATH), (fd) => reopenAllowed(fd, flags));
}

function reopenAllowed(fd: Fd, flags: number): Fd {
  return withAccess(
    { fd },
    () => statxFd(fd).mode,
    () => reopen(fd, flags),
  );
}

function verified(fd: Fd, expected: Status): Fd {
  return closingOnFailure(fd, () => {
    if (isId(statxFd(fd), idOf(expected))) return fd;
    throw new Failure('ESTALE', 'the file was exchanged meanwhile');
  });
}

function unlessRefused(open: () => Fd): Fd | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof PosixError && error.code === 'EACCES') return undefined;
    throw error;
  }
}

/*
 * Opening the file that a name was found to lead to, and no other; for writing also where its mode allows nobody that: a
 * program that has a file open goes on writing to it (git makes its objects with mode 0444), and the daemon may open it
 * first when those writes come. So its owner, the daemon, opens the mode for that moment.
 */
import { Failure } from '../../protocol/failure.js';
import { PosixError } from '../../posix/error.js';
import type { Fd } from '../../posix/fd.js';
import { O_PATH, O_RDONLY, O_RDWR, S_IFDIR, S_IFLNK, S_IFMT } from '../../posix/flags.js';
import { chmodOpen, reopen } from '../../posix/names.js';
import { statxFd, type Status } from '../../posix/status.js';
import { closing, closingOnFailure, type ConfinedTree } from './confined.js';
import { idOf, isId, isRegular } from './file-ids.js';
import type { Located, Named } from './located.js';

const OWNER_READS_AND_WRITES = 0o600;
const PERMISSIONS = 0o7777;

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
  const fd = writable
    ? openForWriting(tree, located)
    : tree.openAt(located.directory, located.name, O_RDONLY);
  return verified(fd, located.status);
}

/** Opens a file of any kind so that it stays: a regular one for reading. ESTALE as openRegular(). */
export function openKept(tree: ConfinedTree, located: Located): Fd {
  const { status } = located;
  const open = (flags: number): Fd =>
    'fd' in located ? reopen(located.fd, flags) : tree.openAt(located.directory, located.name, flags);
  const fd = isRegular(status) ? unlessRefused(() => open(O_RDONLY)) : undefined;
  return verified(fd ?? open(O_PATH), status);
}

/** Opens an open file anew, for reading and writing. */
export function reopenForWriting(fd: Fd): Fd {
  const opened = unlessRefused(() => reopen(fd, O_RDWR));
  if (opened !== undefined) return opened;
  const permissions = statxFd(fd).mode & PERMISSIONS;
  chmodOpen(fd, permissions | OWNER_READS_AND_WRITES);
  try {
    return reopen(fd, O_RDWR);
  } finally {
    chmodOpen(fd, permissions);
  }
}

function openForWriting(tree: ConfinedTree, { directory, name }: Named): Fd {
  return (
    unlessRefused(() => tree.openAt(directory, name, O_RDWR)) ??
    closing(tree.openAt(directory, name, O_PATH), reopenForWriting)
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

/*
 * Making, linking, renaming and removing names, with what that charges and gives back.
 *
 * A call that removes a name looks first at what the name stands for, in the same synchronous stretch: the last name of a
 * closed file gives back its bytes and inode, another name or an open descriptor keeps them (open-files.ts).
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { RENAME_EXCHANGE } from '../../protocol/methods.js';
import { AT_REMOVEDIR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../posix/flags.js';
import { linkat, mkdirat, mknodat, readlinkat, renameat2, symlinkat, unlinkat } from '../../posix/names.js';
import type { Fd } from '../../posix/fd.js';
import type { Changes } from './changes.js';
import type { HomeClient } from './clients.js';
import { statusAt, statusIfAny, type ConfinedTree } from './confined.js';
import { chargingInode } from './growth.js';
import type { OpenFiles } from './open-files.js';
import type { Quota } from './quota.js';
import { wireAttributes } from './wire-attributes.js';

export class Names {
  readonly #tree: ConfinedTree;
  readonly #quota: Quota;
  readonly #openFiles: OpenFiles;
  readonly #changes: Changes;

  constructor(parts: { tree: ConfinedTree; quota: Quota; openFiles: OpenFiles; changes: Changes }) {
    this.#tree = parts.tree;
    this.#quota = parts.quota;
    this.#openFiles = parts.openFiles;
    this.#changes = parts.changes;
  }

  getattr(path: RemotePath): unknown[] {
    return wireAttributes(this.#tree.status(path));
  }

  readlink(path: RemotePath): Buffer {
    // The home's own name is of a directory: readlink(2) answers EINVAL.
    if (path.length === 0) throw new Failure('EINVAL', 'not a symbolic link');
    return this.#tree.withParent(path, 'existing', readlinkat);
  }

  mkdir(client: HomeClient, path: RemotePath, permissions: number): unknown[] {
    return this.#make(client, path, (directory, name) => mkdirat(directory, name, permissions));
  }

  /** Devices would reach beyond the home: EPERM. */
  mknod(client: HomeClient, path: RemotePath, mode: number): unknown[] {
    const type = mode & S_IFMT;
    if (type !== 0 && type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK) {
      throw new Failure('EPERM', 'only regular files, FIFOs and sockets are made');
    }
    return this.#make(client, path, (directory, name) => mknodat(directory, name, mode, 0));
  }

  symlink(client: HomeClient, path: RemotePath, target: Buffer): unknown[] {
    return this.#make(client, path, (directory, name) => symlinkat(target, directory, name));
  }

  link(client: HomeClient, existing: RemotePath, path: RemotePath): unknown[] {
    this.#quota.prepare();
    const status = this.#tree.withParents(existing, path, (fromDirectory, from, directory, name) => {
      linkat(fromDirectory, from, directory, name, 0);
      return statusAt(directory, name);
    });
    this.#changes.name(client, path);
    this.#changes.node(client, status.ino, existing);
    return wireAttributes(status);
  }

  unlink(client: HomeClient, path: RemotePath): null {
    this.#quota.prepare();
    this.#tree.withParent(path, 'existing', (directory, name) => {
      const before = statusAt(directory, name);
      if ((before.mode & S_IFMT) === S_IFDIR) throw new Failure('EISDIR', 'is a directory');
      unlinkat(directory, name, 0);
      this.#openFiles.nameRemoved(before);
      if (before.nlink > 1) this.#changes.node(client, before.ino);
    });
    this.#changes.name(client, path);
    return null;
  }

  rmdir(client: HomeClient, path: RemotePath): null {
    this.#quota.prepare();
    this.#tree.withParent(path, 'existing', (directory, name) => {
      unlinkat(directory, name, AT_REMOVEDIR);
      this.#quota.release(0, 1);
    });
    this.#changes.name(client, path);
    return null;
  }

  rename(client: HomeClient, from: RemotePath, to: RemotePath, flags: number): null {
    this.#quota.prepare();
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    this.#tree.withParents(from, to, (fromDirectory, fromName, toDirectory, toName) => {
      const replaced = exchange ? undefined : statusIfAny(toDirectory, toName);
      const source = replaced === undefined ? undefined : statusAt(fromDirectory, fromName);
      renameat2(fromDirectory, fromName, toDirectory, toName, flags);
      // Two names of one file: renaming one to the other does nothing (rename(2)).
      if (replaced === undefined || replaced.ino === source?.ino) return;
      this.#openFiles.nameRemoved(replaced);
      if (replaced.nlink > 1) this.#changes.node(client, replaced.ino);
    });
    this.#changes.rename(client, from, to, exchange);
    return null;
  }

  #make(client: HomeClient, path: RemotePath, make: (directory: Fd, name: Buffer) => void): unknown[] {
    const status = this.#tree.withParent(path, 'new', (directory, name) => {
      chargingInode(this.#quota, directory, name, () => make(directory, name));
      return statusAt(directory, name);
    });
    this.#changes.name(client, path);
    return wireAttributes(status);
  }
}

/*
 * From a reference on the wire to a file beneath the home: by id, by id with a hint where it is, or by path.
 *
 * Invariant: what is returned is the file of that id, compared after it was found, or opened: a name that leads elsewhere by
 * now is no match (ESTALE, and the client asks again with a hint). Ways are as deep as directories are; each step is
 * walked by confined.ts. What is in use is in one of two small caches of descriptors, so a walk is what the first use costs.
 */
import { Failure } from '../../../protocol/failure.js';
import { remotePath, type RemotePath } from '../../../protocol/ids.js';
import { sameId, type FileId, type FileRef } from '../../../protocol/references.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { O_PATH, O_RDONLY } from '../../../posix/flags.js';
import { pathOfOpen } from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import {
  refuseReservedName,
  statusAt,
  statusIfAny,
  type ConfinedTree,
  type Purpose,
} from '../disk/confined.js';
import { Descriptors } from '../disk/descriptors.js';
import { openRegular, requireRegular } from './file-access.js';
import { idOf, isDirectory, isId } from '../disk/file-ids.js';
import type { HeldFiles } from './held-files.js';
import { KnownFiles } from './known-files.js';
import type { Located, Opened } from '../disk/located.js';

/** Open directories and open files of one home that are kept for their next use. */
const MAX_DIRECTORIES = 64;
const MAX_FILES = 64;

const SLASH = 0x2f;
const NOTHING = Buffer.alloc(0);

/** A directory: its descriptor (O_PATH) is good for *at calls until some sixty others have been used. */
export interface Directory extends FileId {
  readonly fd: Fd;
}

export class Identities {
  /** The home itself. */
  readonly root: Directory;
  readonly #tree: ConfinedTree;
  readonly #held: HeldFiles;
  readonly #known = new KnownFiles();
  readonly #directories: Descriptors;
  readonly #files: Descriptors;

  constructor(parts: { tree: ConfinedTree; held: HeldFiles }) {
    this.#tree = parts.tree;
    this.#held = parts.held;
    const { firstReserved } = parts.tree;
    this.#directories = new Descriptors(MAX_DIRECTORIES, firstReserved);
    this.#files = new Descriptors(MAX_FILES, firstReserved);
    this.root = { ...idOf(statxFd(parts.tree.root)), fd: parts.tree.root };
  }

  close(): void {
    this.#directories.close();
    this.#files.close();
  }

  /** Notes where a file is that a client is told of. */
  learn(status: Status, parent: bigint, name: Buffer): void {
    this.#known.learn(idOf(status), parent, name, !isDirectory(status) && status.nlink > 1);
  }

  /** learn() of a file whose id is known, and which has this name only. */
  learnId(id: FileId, parent: bigint, name: Buffer): void {
    this.#known.learn(id, parent, name, false);
  }

  /** A directory and its status. ESTALE, ENOTDIR; of a path or a hint ENOENT, EACCES, ELOOP, too. */
  directory(ref: FileRef): Directory & { readonly status: Status } {
    const directory = this.directoryOf(ref);
    return { ...directory, status: statxFd(directory.fd) };
  }

  /** directory() without the status. */
  directoryOf(ref: FileRef): Directory {
    if (ref.ino === null) return this.#directoryAt(ref.path);
    const byId = this.#directoryById(ref) ?? this.#heldDirectory(ref);
    if (byId !== undefined) return byId;
    if (ref.path === null) throw stale();
    const directory = this.#directoryAt(ref.path);
    if (!sameId(directory, ref)) throw stale();
    return directory;
  }

  /** Opens a directory for listing, or to be synced. The caller closes. */
  openDirectory(ref: FileRef): Fd {
    return this.#tree.openDirectory(this.directoryOf(ref).fd, NOTHING, O_RDONLY);
  }

  /** What a name of a directory leads to, which is then known. ENOENT, and as directory(). */
  lookup(ref: FileRef, name: Buffer): Located {
    const directory = this.directoryOf(ref);
    this.refuseReserved(directory, name, 'existing');
    const status = statusAt(directory.fd, name);
    this.learn(status, directory.ino, name);
    return { directory: directory.fd, parent: directory.ino, name, status };
  }

  /**
   * A file of any kind. ESTALE, also where a hint leads nowhere: who has the file open is not to be told that there is no
   * such name. EACCES; of a path ENOENT, ENOTDIR, ELOOP, too.
   */
  file(ref: FileRef): Located {
    if (ref.ino === null) return this.#fileAt(ref.path);
    const located = this.#fileById(ref, ref.path) ?? this.#nameless(ref) ?? this.#hinted(ref.path);
    if (located === undefined || !isId(located.status, ref)) throw stale();
    return located;
  }

  /** Where the file of an inode number is, as far as it is known. */
  place(ino: bigint): Located | undefined {
    if (ino === this.root.ino) return this.#fileById(this.root);
    const known = this.#known.find(ino);
    return known && this.#fileById({ ino, birth: known.birth });
  }

  /** The directory of an inode number, as far as it is known. */
  directoryOfIno(ino: bigint): Directory | undefined {
    if (ino === this.root.ino) return this.root;
    const known = this.#known.find(ino);
    return known === undefined ? undefined : this.#directoryById({ ino, birth: known.birth });
  }

  /**
   * A regular file, open for reading. The descriptor is good until the caller gives up its turn: what goes on later keeps
   * the file (HeldFiles.keep) or duplicates the descriptor. As file(), and EISDIR, ELOOP, ENXIO.
   */
  readable(ref: FileRef): Opened {
    return this.#open(ref, false);
  }

  /** readable(), for reading and writing. */
  writable(ref: FileRef): Opened {
    return this.#open(ref, true);
  }

  /** Takes over a descriptor, open for reading and writing, of a regular file. */
  opened(id: FileId, fd: Fd): void {
    this.#files.add(id, fd, true);
  }

  /** A name was removed. `before`: the status of what it led to, as it was. */
  removed(before: Status, parent: bigint, name: Buffer): void {
    this.#known.forgetName(before.ino, parent, name);
    if (isDirectory(before)) this.#directories.drop(before.ino);
    else if (before.nlink <= 1) this.#files.drop(before.ino);
  }

  /** The path of a name for people to read, as far as the kernel can tell where its directory is. */
  pathOf({ fd }: Directory, name: Buffer): Buffer {
    const above = this.#relativePathOf(fd) ?? Buffer.from('...');
    return above.length === 0 ? name : Buffer.concat([above, Buffer.of(SLASH), name]);
  }

  /** The path of a directory, of any length; undefined where nobody knows it. */
  wayTo({ ino, fd }: Directory): Buffer | undefined {
    return this.#relativePathOf(fd) ?? this.#knownWay(ino, () => undefined)?.path;
  }

  /** The daemon's own name in the home itself: ENOENT; EACCES where it would be made. */
  refuseReserved(directory: FileId, name: Buffer, purpose: Purpose): void {
    if (directory.ino === this.root.ino) refuseReservedName(name, purpose);
  }

  #open(ref: FileRef, writable: boolean): Opened {
    if (ref.ino !== null) {
      const fd = writable ? this.#held.findWritable(ref) : this.#held.find(ref);
      const cached = fd ?? this.#files.find(ref, writable);
      if (cached !== undefined) {
        const status = statxFd(cached);
        requireRegular(status);
        return { fd: cached, status };
      }
    }
    const located = this.file(ref);
    if ('fd' in located) {
      requireRegular(located.status);
      // Who writes to a file without a name holds it: nobody else is charged for it.
      if (writable) throw stale();
      return located;
    }
    const opened = openRegular(this.#tree, located, writable);
    return { fd: this.#files.add(idOf(located.status), opened, writable), status: located.status };
  }

  /** `hint`: where it may be, if it has a name that is not known. */
  #fileById(id: FileId, hint: RemotePath | null = null): Located | undefined {
    if (sameId(id, this.root)) return { fd: this.root.fd, status: statxFd(this.root.fd) };
    const fd = this.#held.find(id);
    if (fd === undefined) return this.#named(id);
    const held = { fd, status: statxFd(fd) };
    if (held.status.nlink === 0 || this.#held.isTrashed(id.ino)) return held;
    // One that has a name is found by it: so it is known to whose unit it belongs.
    const named = this.#named(id) ?? this.#namedAs(id, fd);
    if (named !== undefined) return named;
    const hinted = this.#hinted(hint);
    return hinted !== undefined && isId(hinted.status, id) ? hinted : held;
  }

  /**
   * A file that was removed a moment ago; or behind the daemon's back, and happens to be open here: who has it open goes on with
   * it.
   */
  #nameless(id: FileId): Opened | undefined {
    const fd = this.#held.findRemoved(id) ?? this.#files.findOld(id);
    const status = fd === undefined ? undefined : statxFd(fd);
    if (fd === undefined || status === undefined) return undefined;
    return status.nlink === 0 || this.#held.isTrashed(id.ino) ? { fd, status } : undefined;
  }

  /** What a hint leads to. */
  #hinted(path: RemotePath | null): Located | undefined {
    return path === null ? undefined : unlessNotThere(() => this.#fileAt(path));
  }

  /** A file where it is known to be. */
  #named(id: FileId): Located | undefined {
    for (;;) {
      const known = this.#known.find(id.ino);
      if (known === undefined || known.birth !== id.birth) return undefined;
      const directory = this.directoryOfIno(known.parent);
      const name = Buffer.from(known.name, 'latin1');
      const status = directory && statusIfAny(directory.fd, name);
      if (directory !== undefined && status !== undefined && isId(status, id)) {
        return { directory: directory.fd, parent: directory.ino, name, status };
      }
      // It may have another name.
      this.#known.forgetName(id.ino, known.parent, name);
    }
  }

  /** A file where the kernel says that it is: undefined where it has no name in the home. */
  #namedAs(id: FileId, fd: Fd): Located | undefined {
    try {
      const path = this.#relativePathOf(fd);
      if (path === undefined || path.length === 0) return undefined;
      const located = this.#fileAt(remotePath(path));
      return isId(located.status, id) ? located : undefined;
    } catch (error) {
      // A file without a name has ' (deleted)' after its last one.
      if (error instanceof PosixError || error instanceof Failure) return undefined;
      throw error;
    }
  }

  /** The path in the home of what is open; undefined: it is not in it, or the path is beyond PATH_MAX. */
  #relativePathOf(fd: Fd): Buffer | undefined {
    try {
      const [home, path] = [pathOfOpen(this.root.fd), pathOfOpen(fd)];
      if (path.equals(home)) return NOTHING;
      const isBelow = path.subarray(0, home.length).equals(home) && path[home.length] === SLASH;
      return isBelow ? path.subarray(home.length + 1) : undefined;
    } catch (error) {
      if (error instanceof PosixError) return undefined;
      throw error;
    }
  }

  #directoryById(id: FileId): Directory | undefined {
    if (sameId(id, this.root)) return this.root;
    const cached = this.#directories.find(id, false);
    if (cached !== undefined) return { ino: id.ino, birth: id.birth, fd: cached };
    const known = this.#known.find(id.ino);
    if (known === undefined || known.birth !== id.birth) return undefined;
    const way = this.#knownWay(id.ino, (above) => this.#cachedDirectory(above));
    if (way === undefined) return undefined;
    const fd = this.#openIfThere(way.from, way.path);
    if (fd !== undefined && isId(statxFd(fd), id)) {
      return { ino: id.ino, birth: id.birth, fd: this.#directories.add(id, fd, false) };
    }
    if (fd !== undefined) close(fd);
    this.#directories.drop(id.ino);
    this.#known.forget(id.ino);
    return undefined;
  }

  /** The path to a known directory from the nearest one above it that is open, else from the home. */
  #knownWay(ino: bigint, openOf: (ino: bigint) => Fd | undefined): { from: Fd; path: Buffer } | undefined {
    const names: string[] = [];
    const passed = new Set<bigint>();
    for (let at = ino; ;) {
      const known = this.#known.find(at);
      // A circle: two directories were moved behind the daemon's back, and only one is known to be.
      if (known === undefined || passed.has(at)) return undefined;
      passed.add(at);
      names.push(known.name);
      at = known.parent;
      const from = at === this.root.ino ? this.root.fd : openOf(at);
      if (from !== undefined) return { from, path: Buffer.from(names.toReversed().join('/'), 'latin1') };
    }
  }

  #cachedDirectory(ino: bigint): Fd | undefined {
    const known = this.#known.find(ino);
    return known && this.#directories.find({ ino, birth: known.birth }, false);
  }

  /** A directory without a name that a client has open: nothing can be made in it, says the kernel (ENOENT). */
  #heldDirectory(id: FileId): Directory | undefined {
    const fd = this.#held.find(id);
    if (fd === undefined) return undefined;
    if (!isDirectory(statxFd(fd))) throw new Failure('ENOTDIR', 'not a directory');
    return { ino: id.ino, birth: id.birth, fd };
  }

  #fileAt(path: RemotePath): Located {
    if (path.length === 0) return { fd: this.root.fd, status: statxFd(this.root.fd) };
    const slash = path.lastIndexOf(SLASH);
    const name = path.subarray(slash + 1);
    const directory = this.#directoryAt(path.subarray(0, Math.max(slash, 0)));
    this.refuseReserved(directory, name, 'existing');
    const status = statusAt(directory.fd, name);
    this.learn(status, directory.ino, name);
    return { directory: directory.fd, parent: directory.ino, name, status };
  }

  /** Walks a path name by name, so that all directories on it are known. */
  #directoryAt(path: Buffer): Directory {
    let at = this.root;
    for (let start = 0; start < path.length;) {
      const slash = path.indexOf(SLASH, start);
      const end = slash < 0 ? path.length : slash;
      const name = path.subarray(start, end);
      const above = at;
      try {
        this.refuseReserved(above, name, 'existing');
        const fd = this.#tree.openDirectory(above.fd, name, O_PATH);
        at = { ...idOf(statxFd(fd)), fd };
      } finally {
        if (above !== this.root) close(above.fd);
      }
      this.#known.learn(at, above.ino, name, false);
      start = end + 1;
    }
    return at === this.root ? at : { ...at, fd: this.#directories.add(at, at.fd, false) };
  }

  /** Undefined where the way is not what it was. */
  #openIfThere(from: Fd, path: Buffer): Fd | undefined {
    return unlessNotThere(() => this.#tree.openDirectory(from, path, O_PATH));
  }
}

function unlessNotThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const isRefusal = error instanceof PosixError || error instanceof Failure;
    if (isRefusal && ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code)) return undefined;
    throw error;
  }
}

function stale(): Failure {
  return new Failure('ESTALE', 'it is not known where the file is');
}

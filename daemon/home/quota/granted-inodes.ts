/*
 * Inode numbers given ahead: files without a name and hidden empty directories, whose ids a client is told before it makes
 * a file of them. So a mount can show a new file's inode number at once, and it stays.
 *
 * A file is one by O_TMPFILE, kept by its descriptor, and gets its name by linkat(2) from /proc/self/fd; where the disk has no
 * O_TMPFILE (NFS, CephFS) it is a hidden file, as a directory is a hidden directory (hidden-directory.ts), and gets its
 * name by renameat2(2). They are empty and not charged until they are used. When the home opens anew, all ids are lost.
 */
import { Failure } from '../../../protocol/failure.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { AT_REMOVEDIR, O_CREAT, O_EXCL, O_RDWR, O_TMPFILE, RENAME_NOREPLACE } from '../../../posix/flags.js';
import { linkOpen, mkdirat, renameat2, unlinkat } from '../../../posix/names.js';
import { statxFd } from '../../../posix/status.js';
import type { FileId } from '../../../protocol/references.js';
import { MAX_GRANTED_INODES } from '../../../protocol/limits.js';
import { descriptorLimit } from '../../descriptor-limit.js';
import { statusAt, statusIfAny, type ConfinedTree } from '../disk/confined.js';
import { idOf } from '../disk/file-ids.js';
import { HiddenDirectory } from '../disk/hidden-directory.js';

/** Of all clients of a home, of each kind; a file is a descriptor of the process. */
const MAX_GRANTED_OF_HOME = Math.min(4 * MAX_GRANTED_INODES, Math.floor(descriptorLimit() / 16));
/** Made in one call: 10 to 40 us each, and the thread is not held for longer than some milliseconds. */
const MAX_AT_ONCE = 128;
/** Of a granted file, whose mode is set when it is used: mostly to this one, which spares the call. */
export const GRANTED_FILE_MODE = 0o644;
const GRANTED_DIRECTORY_MODE = 0o700;

/** A granted file: open for reading and writing; `hidden` is its path in the hidden directory where it has one. */
interface GrantedFile {
  readonly id: FileId;
  readonly fd: Fd;
  readonly hidden: Buffer | undefined;
}

interface GrantedDirectory {
  readonly id: FileId;
  readonly hidden: Buffer;
}

/** A file of the daemon's own: open for reading and writing, and its path in the hidden directory. */
export interface HiddenFile {
  readonly fd: Fd;
  readonly hidden: Buffer;
}

/** `place`: which one it was of those that its client was given. */
type Given<T> = T & { readonly place: number };

/** The hidden directory of a home, and what its clients have of it. */
export class InodePool {
  readonly #tree: ConfinedTree;
  #hidden: HiddenDirectory | undefined;
  /** Whether the disk has O_TMPFILE; until the first try it is believed to. */
  #unnamed = true;
  files = 0;
  directories = 0;

  /** Removes what an earlier daemon left. `unnamed`: whether to try O_TMPFILE, for tests. */
  constructor(tree: ConfinedTree, unnamed = true) {
    this.#tree = tree;
    this.#unnamed = unnamed;
    untilFull(() => HiddenDirectory.clear(tree));
  }

  /** ENFILE. */
  requireDescriptor(): void {
    this.#tree.requireDescriptor();
  }

  close(): void {
    this.#hidden?.close();
    this.#hidden = undefined;
  }

  /** The directory of hidden files and directories, open. */
  get hidden(): Fd {
    return this.#directory.fd;
  }

  get #directory(): HiddenDirectory {
    return (this.#hidden ??= new HiddenDirectory(this.#tree));
  }

  makeFile(): GrantedFile {
    const { part, name } = this.#directory.next();
    const fd = this.#makeUnnamed(part);
    if (fd !== undefined) return { id: idOf(statxFd(fd)), fd, hidden: undefined };
    const made = this.#makeNamed(name);
    return { id: idOf(statxFd(made.fd)), ...made };
  }

  /** A file that is nobody's yet, to be written and then named or removed; the caller closes. */
  makeHidden(): HiddenFile {
    return this.#makeNamed(this.#directory.next().name);
  }

  /** Gives it a name, in place of a file that has it. As renameat2(2). */
  nameHidden({ hidden }: HiddenFile, directory: Fd, name: Buffer): void {
    renameat2(this.hidden, hidden, directory, name, 0);
  }

  /** Where it cannot be removed now it is when the home opens the next time. */
  removeHidden({ hidden }: HiddenFile): void {
    untilFull(() => unlinkat(this.hidden, hidden, 0));
  }

  #makeNamed(hidden: Buffer): HiddenFile {
    const flags = O_CREAT | O_EXCL | O_RDWR;
    return { fd: this.#tree.openAt(this.hidden, hidden, flags, GRANTED_FILE_MODE), hidden };
  }

  makeDirectory(): GrantedDirectory {
    const { name } = this.#directory.next();
    mkdirat(this.hidden, name, GRANTED_DIRECTORY_MODE);
    return { id: idOf(statusAt(this.hidden, name)), hidden: name };
  }

  #makeUnnamed(part: Buffer): Fd | undefined {
    if (!this.#unnamed) return undefined;
    try {
      // What is written by this descriptor is told of where it was opened, which nobody watches (disk-watch.ts).
      return this.#tree.openAt(this.hidden, part, O_TMPFILE | O_RDWR, GRANTED_FILE_MODE);
    } catch (error) {
      // Older kernels take it for opening a directory (open(2), O_TMPFILE).
      if (!(error instanceof PosixError) || !['EOPNOTSUPP', 'EISDIR', 'EINVAL'].includes(error.code))
        throw error;
      this.#unnamed = false;
      return undefined;
    }
  }
}

/** The inodes that one client has been granted and has not used. */
export class GrantedInodes {
  readonly #pool: InodePool;
  /** Both in the order in which they were given. */
  readonly #files = new Map<bigint, Given<GrantedFile>>();
  readonly #directories = new Map<bigint, Given<GrantedDirectory>>();
  /** How many of both were given to the client. */
  #given = 0;

  constructor(pool: InodePool) {
    this.#pool = pool;
  }

  /** Makes up to so many more, as there is room for them here and on the disk. */
  make(files: number, directories: number): { files: FileId[]; directories: FileId[] } {
    const room = (have: number, ofHome: number): number =>
      Math.max(0, Math.min(MAX_AT_ONCE, MAX_GRANTED_INODES - have, MAX_GRANTED_OF_HOME - ofHome));
    const made: { files: FileId[]; directories: FileId[] } = { files: [], directories: [] };
    const wanted = Math.min(files, room(this.#files.size, this.#pool.files));
    const wantedDirectories = Math.min(directories, room(this.#directories.size, this.#pool.directories));
    untilFull(() => {
      while (made.files.length < wanted) {
        this.#pool.requireDescriptor();
        const file = this.#pool.makeFile();
        this.#files.set(file.id.ino, { ...file, place: (this.#given += 1) });
        this.#pool.files += 1;
        made.files.push(file.id);
      }
      while (made.directories.length < wantedDirectories) {
        const directory = this.#pool.makeDirectory();
        this.#directories.set(directory.id.ino, { ...directory, place: (this.#given += 1) });
        this.#pool.directories += 1;
        made.directories.push(directory.id);
      }
    });
    return made;
  }

  hasFile(id: FileId): boolean {
    return this.#files.get(id.ino)?.id.birth === id.birth;
  }

  hasDirectory(id: FileId): boolean {
    return this.#directories.get(id.ino)?.id.birth === id.birth;
  }

  /** Gives a granted file a name; its descriptor is the caller's from then on. EEXIST, and as linkat(2). */
  nameFile(id: FileId, directory: Fd, name: Buffer): Fd {
    const file = this.#files.get(id.ino);
    if (file === undefined) throw new Error('not a granted file');
    if (file.hidden === undefined) linkOpen(file.fd, directory, name);
    else renameat2(this.#pool.hidden, file.hidden, directory, name, RENAME_NOREPLACE);
    this.#files.delete(id.ino);
    this.#pool.files -= 1;
    return file.fd;
  }

  /** Gives a granted directory a name. EEXIST, and as renameat2(2). */
  nameDirectory(id: FileId, directory: Fd, name: Buffer): void {
    const granted = this.#directories.get(id.ino);
    if (granted === undefined) throw new Error('not a granted directory');
    renameat2(this.#pool.hidden, granted.hidden, directory, name, RENAME_NOREPLACE);
    this.#directories.delete(id.ino);
    this.#pool.directories -= 1;
  }

  /** The client has got so many: it does not know of those that were given after them. */
  received(count: number): void {
    if (count >= this.#given) return;
    this.#given = count;
    for (const { id, place } of this.#files.values()) if (place > count) this.discard(id);
    for (const { id, place } of this.#directories.values()) if (place > count) this.discard(id);
  }

  /** Takes one back, if it is granted. What cannot be removed is when the home opens the next time. */
  discard(id: FileId): void {
    const file = this.hasFile(id) ? this.#files.get(id.ino) : undefined;
    if (file !== undefined) {
      this.#files.delete(id.ino);
      this.#pool.files -= 1;
      close(file.fd);
      this.#remove(file.hidden, 0);
    }
    const directory = this.hasDirectory(id) ? this.#directories.get(id.ino) : undefined;
    if (directory !== undefined) {
      this.#directories.delete(id.ino);
      this.#pool.directories -= 1;
      this.#remove(directory.hidden, AT_REMOVEDIR);
    }
  }

  /** Takes all back. */
  close(): void {
    for (const { id } of this.#files.values()) this.discard(id);
    for (const { id } of this.#directories.values()) this.discard(id);
  }

  #remove(hidden: Buffer | undefined, flags: number): void {
    if (hidden === undefined || statusIfAny(this.#pool.hidden, hidden) === undefined) return;
    untilFull(() => unlinkat(this.#pool.hidden, hidden, flags));
  }
}

/** Does what the disk and the process have room for. */
function untilFull(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EROFS'].includes(Failure.from(error).kind)) throw error;
  }
}

/*
 * Which inodes of a home are open, in any session: a file without a name is charged until its last descriptor closes.
 *
 * Invariant: an inode is listed as long as one of its descriptors is open; meanwhile the file system cannot give its
 * number to another file, so the number alone names it. Whether the last close gives back the charge is read from the
 * inode itself (nlink), not remembered. The ledger is never marked clean while something is open, so such a
 * release needs no mark of its own.
 */
import type { Fd } from '../../posix/fd.js';
import { close } from '../../posix/files.js';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../posix/flags.js';
import { statxFd, type Status } from '../../posix/status.js';
import type { Use } from '../../state/ledger.js';
import type { Quota } from './quota.js';

/** One open description of a regular file. */
export class OpenFile {
  readonly fd: Fd;
  readonly ino: bigint;
  /** Every write goes to the end. */
  readonly append: boolean;
  readonly #registry: OpenFiles;
  /** Work on other threads that uses the descriptor. */
  #pins = 0;
  #closing = false;

  constructor(registry: OpenFiles, fd: Fd, ino: bigint, append: boolean) {
    this.#registry = registry;
    this.fd = fd;
    this.ino = ino;
    this.append = append;
  }

  /** Runs work that leaves this thread; the descriptor stays open until it has ended. */
  async pinned<T>(work: () => Promise<T>): Promise<T> {
    this.#pins += 1;
    try {
      return await work();
    } finally {
      this.#pins -= 1;
      if (this.#closing && this.#pins === 0) this.#registry.remove(this);
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#pins === 0) this.#registry.remove(this);
  }
}

export class OpenFiles {
  readonly #files = new Map<bigint, Set<OpenFile>>();
  readonly #quota: Quota;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  /** Registers a descriptor of a regular file, which the OpenFile then owns. */
  add(fd: Fd, status: Status, append: boolean): OpenFile {
    const file = new OpenFile(this, fd, status.ino, append);
    const same = this.#files.get(file.ino);
    if (same === undefined) this.#files.set(file.ino, new Set([file]));
    else same.add(file);
    return file;
  }

  /** Gives back what a removed name held: nothing while the inode has other names, or is open. `before`: as it was. */
  nameRemoved(before: Status): void {
    const isDirectory = (before.mode & S_IFMT) === S_IFDIR;
    if (!isDirectory && (before.nlink > 1 || this.#files.has(before.ino))) return;
    this.#quota.release(chargedBytes(before), 1);
  }

  /** What open inodes without a name hold: they are charged, and no walk of the tree finds them. */
  unlinked(): Use {
    let bytes = 0;
    let files = 0;
    for (const same of this.#files.values()) {
      for (const file of same) {
        const status = statxFd(file.fd);
        if (status.nlink === 0) {
          bytes += status.size;
          files += 1;
        }
        break;
      }
    }
    return { bytes, files };
  }

  get empty(): boolean {
    return this.#files.size === 0;
  }

  /** Called by OpenFile. */
  remove(file: OpenFile): void {
    const same = this.#files.get(file.ino);
    same?.delete(file);
    if (same?.size === 0) {
      this.#files.delete(file.ino);
      const status = statxFd(file.fd);
      if (status.nlink === 0) this.#quota.release(status.size, 1);
    }
    close(file.fd);
  }
}

/** Apparent bytes that an inode is charged for: the data of regular files. */
export function chargedBytes(status: Status): number {
  return (status.mode & S_IFMT) === S_IFREG ? status.size : 0;
}

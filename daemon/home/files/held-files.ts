/*
 * Files that are kept open because somebody uses them, whatever happens to their names: those that a client has open
 * (hold, RELEASE), and those that the daemon itself reads or writes for longer than one turn (downloads, uploads). A file
 * without a name is charged until nobody keeps it.
 *
 * Invariant: the descriptor of a kept inode is shared by all who keep it, and is the only one, also when somebody begins to
 * write: what is open for both then takes its number, and reads that are under way go on. Meanwhile the file system cannot give its
 * number to another file. Whether the last release gives back the charge is read from the inode itself (nlink), not
 * remembered. The ledger is never marked clean while something is kept, so such a release needs no mark of its own.
 *
 * Besides, what was removed a moment ago can be read, and kept again (removed-files.ts).
 */
import { Failure } from '../../../protocol/failure.js';
import { MAX_HELD } from '../../../protocol/limits.js';
import { sameId, type FileId } from '../../../protocol/references.js';
import type { Fd } from '../../../posix/fd.js';
import { close, dupOnto } from '../../../posix/files.js';
import { fstatfs, statxFd, type Status } from '../../../posix/status.js';
import type { Use } from '../../../state/ledger.js';
import { CLOCK, type Clock } from '../calls/clock.js';
import { closingOnFailure, type ConfinedTree } from '../disk/confined.js';
import { birthOf, idOf, isDirectory, isRegular } from '../disk/file-ids.js';
import { Freeing } from '../disk/freeing.js';
import { openKept, reopenForWriting, requireRegular } from './file-access.js';
import { xattrBytes, type XattrFile } from '../disk/file-xattrs.js';
import type { Located, Named } from '../disk/located.js';
import type { Account } from '../quota/quota.js';
import { OpenInTrash } from './open-in-trash.js';
import { RemovedFiles } from './removed-files.js';

/** Which part of what is free on the disk may be held by files that were just removed. */
const SPARE_DISK = 8;

/** Files of one piece of what a client lets go of: some 8 us each. */
const RELEASED_AT_ONCE = 256;

const NOTHING: Use = { bytes: 0, files: 0 };

interface Kept {
  readonly id: FileId;
  /** For reading, if it is a regular file. */
  readonly fd: Fd;
  /** Also for writing: since somebody wanted to. */
  writable: boolean;
  users: number;
}

/** One use of a kept file by the daemon itself. */
export class KeptFile {
  readonly ino: bigint;
  readonly #files: HeldFiles;
  readonly #kept: Kept;
  /** Work on other threads that uses the descriptor. */
  #pins = 0;
  #closing = false;

  constructor(files: HeldFiles, kept: Kept) {
    this.#files = files;
    this.#kept = kept;
    this.ino = kept.id.ino;
  }

  /** Open for reading. */
  get fd(): Fd {
    return this.#kept.fd;
  }

  /** Runs work that leaves this thread; the descriptor stays open until it has ended. */
  async pinned<T>(work: () => Promise<T>): Promise<T> {
    this.#pins += 1;
    try {
      return await work();
    } finally {
      this.#pins -= 1;
      if (this.#closing && this.#pins === 0) this.#files.release(this.ino);
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#pins === 0) this.#files.release(this.ino);
  }
}

/** What one client holds: each file once, however often it says so. */
export class ClientHeld {
  readonly #files: HeldFiles;
  readonly #inos = new Set<bigint>();

  constructor(files: HeldFiles) {
    this.#files = files;
  }

  get size(): number {
    return this.#inos.size;
  }

  /** `account`: what it is charged to where it was removed. ENFILE, EDQUOT. */
  hold(located: Located, account?: Account): Status {
    return this.#hold(located, () => {
      this.#files.requireRoom(located);
      this.#files.acquire(located, account);
    });
  }

  /**
   * hold() of a file whose removal its program was told of: the client, which was told how many it may have open, opened it in
   * time, and other clients' files do not count. ENFILE.
   */
  holdRemoved(located: Located): Status {
    return this.#hold(located, () => {
      if (this.#inos.size >= this.#files.limit) throw tooMany();
      this.#files.acquire(located);
    });
  }

  #hold(located: Located, acquire: () => void): Status {
    const { ino } = located.status;
    if (this.#inos.has(ino)) return located.status;
    if (this.#inos.size >= MAX_HELD) throw tooMany();
    acquire();
    this.#inos.add(ino);
    return located.status;
  }

  /** EMFILE, ENFILE. */
  requireRoom(): void {
    if (this.#inos.size >= MAX_HELD) throw new Failure('EMFILE', 'too many files are held');
    this.#files.requireRoom();
  }

  /** Holds a file without a name that was made for the client; its descriptor is taken over. */
  adopt(fd: Fd): void {
    this.#inos.add(this.#files.adopt(fd).ino);
  }

  /** A file that is not held is fine. What it frees is given back to `account`; without one, to the quota. */
  release(id: FileId, account?: Account): void {
    if (this.#files.find(id) === undefined || !this.#inos.delete(id.ino)) return;
    this.#files.release(id.ino, account);
  }

  close(): void {
    for (const _ of this.closing());
  }

  /** As close(), a piece after the other. */
  *closing(): Generator<void> {
    let released = 0;
    for (const ino of this.#inos) {
      this.#inos.delete(ino);
      this.#files.release(ino);
      released += 1;
      if (released % RELEASED_AT_ONCE === 0) yield;
    }
  }
}

export class HeldFiles {
  readonly #kept = new Map<bigint, Kept>();
  readonly #tree: ConfinedTree;
  readonly #quota: Account;
  readonly #removed: RemovedFiles;
  readonly #isShared: () => boolean;
  readonly freeing: Freeing;
  /** The kept files whose last name is in the trash: to who has them open they have none. */
  readonly openInTrash = new OpenInTrash();
  /** Of kept files. */
  readonly limit: number;

  /** `isShared`: whether others than who removes a name may know of it. `limit`: of kept files. */
  constructor(parts: {
    tree: ConfinedTree;
    quota: Account;
    isShared: () => boolean;
    limit: number;
    clock?: Clock;
  }) {
    this.limit = parts.limit;
    this.#tree = parts.tree;
    this.#quota = parts.quota;
    this.#isShared = parts.isShared;
    this.freeing = new Freeing(parts.tree);
    this.#removed = new RemovedFiles(parts.clock ?? CLOCK, this.freeing);
  }

  close(): void {
    this.#removed.close();
  }

  client(): ClientHeld {
    return new ClientHeld(this);
  }

  /** Keeps a regular file, for reading. ENFILE, EISDIR, ELOOP, ENXIO. */
  keep(located: Located): KeptFile {
    requireRegular(located.status);
    this.requireRoom(located);
    return new KeptFile(this, this.acquire(located));
  }

  /** Keeps a file that nobody else knows; its descriptor, for reading and writing, is taken over. */
  adopt(fd: Fd): KeptFile {
    const id = idOf(statxFd(fd));
    const kept: Kept = { id, fd, writable: true, users: 1 };
    this.#kept.set(id.ino, kept);
    return new KeptFile(this, kept);
  }

  /** The descriptor of a kept file: for reading if it is a regular one. */
  find(id: FileId): Fd | undefined {
    const kept = this.#kept.get(id.ino);
    return kept !== undefined && sameId(kept.id, id) ? kept.fd : undefined;
  }

  /** find() of a file that was removed a moment ago, and is kept by nobody. */
  findRemoved(id: FileId): Fd | undefined {
    return this.#removed.find(id);
  }

  /** find(), for reading and writing. */
  findWritable(id: FileId): Fd | undefined {
    const kept = this.#kept.get(id.ino);
    if (kept === undefined || !sameId(kept.id, id)) return undefined;
    if (!kept.writable) {
      const both = reopenForWriting(kept.fd);
      try {
        dupOnto(both, kept.fd);
      } finally {
        close(both);
      }
      kept.writable = true;
    }
    return kept.fd;
  }

  isHeld(ino: bigint): boolean {
    return this.#kept.has(ino);
  }

  get empty(): boolean {
    return this.#kept.size === 0;
  }

  /** Whether a file that can be found here has its last name in the trash: its users are told that it has none. */
  isTrashed(ino: bigint): boolean {
    return this.#kept.has(ino) ? this.openInTrash.has(ino) : this.#removed.isTrashed(ino);
  }

  /** The last name of a file that is charged so much went into the trash; undefined: came out of it. */
  setTrashed(ino: bigint, bytes: number | undefined): void {
    if (bytes === undefined) this.openInTrash.delete(ino);
    else if (this.#kept.has(ino)) this.openInTrash.set(ino, bytes);
    this.#removed.setTrashed(ino, bytes !== undefined);
  }

  /** A name is about to be removed by a client that waits for it: the file can be found for a moment longer. */
  removing(located: Named): void {
    const { status } = located;
    if (!isRegular(status) || status.nlink > 1 || this.#kept.has(status.ino) || !this.#isShared()) return;
    try {
      this.#tree.requireDescriptor();
      const { available, blockSize } = fstatfs(this.#tree.root);
      // What is kept is on the disk and charged to nobody.
      const spare = Number(available * blockSize) / SPARE_DISK;
      const bytes = chargedBytes(located);
      if (this.#removed.bytes + bytes > spare) return;
      this.#removed.add(idOf(status), openKept(this.#tree, located), bytes);
    } catch {
      // Then it goes at once: no removal fails for this.
    }
  }

  /**
   * What the removal of a name will give back: nothing while the inode has other names, or is kept. To be asked before, for
   * then its attributes can still be read.
   */
  freedBy(file: XattrFile): Use {
    const { status } = file;
    const stays = !isDirectory(status) && (status.nlink > 1 || this.#kept.has(status.ino));
    return stays ? NOTHING : { bytes: chargedBytes(file), files: 1 };
  }

  /** Makes what is open in the trash what it is: files may have changed behind the daemon's back. */
  correctOpenInTrash(): void {
    for (const [ino, { fd }] of this.#kept) {
      if (this.openInTrash.has(ino)) this.openInTrash.set(ino, chargedBytes({ fd, status: statxFd(fd) }));
    }
  }

  /** What kept inodes without a name hold: they are charged, and no walk of the tree finds them. */
  unlinked(): Use {
    let bytes = 0;
    let files = 0;
    for (const { fd } of this.#kept.values()) {
      const status = statxFd(fd);
      // A removed directory was given back with its name.
      if (status.nlink > 0 || isDirectory(status)) continue;
      bytes += chargedBytes({ fd, status });
      files += 1;
    }
    return { bytes, files };
  }

  /** ENFILE: nothing more is kept open, unless it is this one, which is. */
  requireRoom(located?: Located): void {
    if (located !== undefined && this.#find(located.status) !== undefined) return;
    if (this.#kept.size >= this.limit) throw new Failure('ENFILE', 'too many files of the home are open');
    this.#tree.requireDescriptor();
  }

  /** Called by ClientHeld and keep(), behind requireRoom() or not: one user more. ENFILE; EDQUOT of one that was removed. */
  acquire(located: Located, account: Account = this.#quota): Kept {
    const { status } = located;
    const existing = this.#find(status);
    if (existing !== undefined) {
      existing.users += 1;
      return existing;
    }
    this.#tree.requireDescriptor();
    const id = idOf(status);
    const kept: Kept = { id, fd: openKept(this.#tree, located), writable: false, users: 1 };
    const { fd } = kept;
    closingOnFailure(fd, () => {
      if (this.#removed.find(id) === undefined) return;
      if (status.nlink === 0) account.reserve(chargedBytes({ fd, status }), 1);
      else if (this.#removed.isTrashed(id.ino)) this.openInTrash.set(id.ino, chargedBytes({ fd, status }));
    });
    this.#kept.set(status.ino, kept);
    return kept;
  }

  /** Called by ClientHeld and KeptFile: one user less. */
  release(ino: bigint, account: Account = this.#quota): void {
    const kept = this.#kept.get(ino);
    if (kept === undefined) return;
    kept.users -= 1;
    if (kept.users > 0) return;
    this.#kept.delete(ino);
    this.openInTrash.delete(ino);
    const status = statxFd(kept.fd);
    if (status.nlink === 0 && !isDirectory(status)) {
      account.release(chargedBytes({ fd: kept.fd, status }), 1);
    }
    this.freeing.close(kept.fd);
  }

  #find(status: Status): Kept | undefined {
    const kept = this.#kept.get(status.ino);
    return kept?.id.birth === birthOf(status) ? kept : undefined;
  }
}

function tooMany(): Failure {
  return new Failure('ENFILE', 'too many files are held');
}

/** Bytes that an inode is charged for: the data of regular files, and extended attributes. */
export function chargedBytes(file: XattrFile): number {
  return (isRegular(file.status) ? file.status.size : 0) + xattrBytes(file);
}

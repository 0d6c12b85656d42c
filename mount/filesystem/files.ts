/**
 * Operations on open regular files: open, create, read, write, locks, flush, fsync, release.
 *
 * Round trips: opening what is believed none, else one; reading what is known here none; writing and closing under a
 * lease none; fsync one.
 */
import { Failure } from '../../protocol/failure.js';
import type { Lock } from '../../protocol/file-locks.js';
import type { HandleId } from '../../protocol/ids.js';
import { WRITE } from '../../protocol/operations.js';
import { packRef } from '../../protocol/references.js';
import {
  O_ACCMODE,
  O_APPEND,
  O_EXCL,
  O_NOATIME,
  O_RDONLY,
  O_TRUNC,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../posix/flags.js';
import type { Charge } from '../log/entry.js';
import type { Caller, Entry, Eventually, OpenAnswer, WantedLock } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { AccessTimes } from './access-times.js';
import type { AttributeUpdates } from './attribute-updates.js';
import type { FileData } from './file-data.js';
import { requireLocks, underLocks, type FileLocks } from './file-locks.js';
import type { FileHandle, HandleTable } from './handles.js';
import type { Home } from './home.js';
import type { Lookups } from './lookups.js';
import { lossSeen, lossToldAtClose, markLost, tellLoss, tellLossAtClose } from './losses.js';
import type { Made, Making } from './making.js';
import type { Names } from './names.js';
import type { Syncs } from './syncs.js';

/** How often a read is done again that was short while the kernel was told of the file. */
const MAX_SHORT_READS = 8;

/** How often creat(2) looks again at a name that others change. */
const MAX_TRIES = 8;

export interface FilesParts {
  readonly home: Home;
  readonly making: Making;
  readonly names: Names;
  readonly lookups: Lookups;
  readonly attributes: AttributeUpdates;
  readonly accessTimes: AccessTimes;
  readonly data: FileData;
  readonly syncs: Syncs;
  readonly handles: HandleTable<FileHandle>;
  readonly locks: FileLocks;
}

export class Files {
  readonly #home: Home;
  readonly #making: Making;
  readonly #names: Names;
  readonly #lookups: Lookups;
  readonly #attributes: AttributeUpdates;
  readonly #accessTimes: AccessTimes;
  readonly #data: FileData;
  readonly #syncs: Syncs;
  readonly #handles: HandleTable<FileHandle>;
  readonly #locks: FileLocks;
  /** As many files as the server keeps open for its clients: it may have to hold each that is open here. */
  maxOpen = Number.POSITIVE_INFINITY;
  /** Files that are open. */
  #open = 0;

  constructor(parts: FilesParts) {
    this.#home = parts.home;
    this.#making = parts.making;
    this.#names = parts.names;
    this.#lookups = parts.lookups;
    this.#attributes = parts.attributes;
    this.#accessTimes = parts.accessTimes;
    this.#data = parts.data;
    this.#syncs = parts.syncs;
    this.#handles = parts.handles;
    this.#locks = parts.locks;
  }

  // Opening and closing

  open(inode: Inode, flags: number, caller: Caller): Eventually<OpenAnswer> {
    const type = inode.attributes.mode & S_IFMT;
    if (type !== S_IFREG) {
      throw new Failure(type === S_IFDIR ? 'EISDIR' : type === S_IFLNK ? 'ELOOP' : 'ENXIO');
    }
    if (inode.opens === 0) this.#requireRoom();
    return this.#holding(inode, caller, () => this.#openHeld(inode, flags, caller));
  }

  /** ENFILE. One file more than the server can hold might be lost when it is removed, with its program long answered. */
  #requireRoom(): void {
    if (this.#open >= this.maxOpen) throw new Failure('ENFILE', 'too many files are open');
  }

  /** Opens a file that the server holds where that is needed. Nothing stays held that nobody has open in the end. */
  #holding<T>(inode: Inode, caller: Caller, open: () => Eventually<T>): Eventually<T> {
    const opened = this.#whenHeld(inode, caller, open);
    if (!(opened instanceof Promise)) return opened;
    inode.openings += 1;
    const ended = (): void => {
      inode.openings -= 1;
      this.#releaseUnused(inode);
    };
    opened.then(ended, ended);
    return opened;
  }

  #whenHeld<T>(inode: Inode, caller: Caller, then: () => Eventually<T>): Eventually<T> {
    const held = this.#hold(inode, caller);
    return held === undefined ? then() : held.then(then);
  }

  #releaseUnused(inode: Inode): void {
    if (!inode.held || inode.opens > 0 || inode.openings > 0) return;
    this.#names.release(inode, this.#home.tree.closed(inode));
  }

  #openHeld(inode: Inode, flags: number, caller: Caller): Eventually<OpenAnswer> {
    const answer = (): OpenAnswer => this.#opened(inode, flags, this.#home.kernel.mayKeepPages(inode));
    if ((flags & O_TRUNC) === 0) return answer();
    const truncated = this.#attributes.set(inode, { size: 0 }, caller);
    // What was believed may not be any more.
    const held = (): Eventually<OpenAnswer> => this.#whenHeld(inode, caller, answer);
    return truncated instanceof Promise ? truncated.then(held) : answer();
  }

  /** What is not believed may be gone, or go at any time, as may what has no name: the server keeps it while it is open here. */
  #hold(inode: Inode, caller: Caller): Promise<void> | undefined {
    const { tree, underWay } = this.#home;
    if (inode.held || (tree.knows(inode) && !inode.removed)) return undefined;
    // As a part of creat(2) it is waited for with the directory locked.
    const ended = underWay.begin(tree.possibleUnitsOf(inode));
    const held = this.#home.ask(
      'hold',
      [inode],
      caller,
      () => [packRef(tree.refOf(inode))],
      (attributes) => {
        inode.held = true;
        tree.told(inode, attributes);
        // Who asked may have been let go.
        this.#releaseUnused(inode);
      },
    );
    held.then(ended, ended);
    return held;
  }

  /** `triesLeft`: how often it is done again where others make the name and remove it. */
  create(
    directory: DirectoryInode,
    key: string,
    flags: number,
    mode: number,
    caller: Caller,
    triesLeft = MAX_TRIES,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    const { tree, kernel } = this.#home;
    const known = tree.lookup(directory, key);
    if (known !== undefined && known !== 'absent') {
      if ((flags & O_EXCL) !== 0) throw new Failure('EEXIST');
      const opening = this.open(known.inode, flags, caller);
      const both = (opened: OpenAnswer) => ({
        entry: this.#home.takenIn(kernel.entry(known)),
        opened,
      });
      return opening instanceof Promise ? opening.then(both) : both(opening);
    }
    this.#requireRoom();
    const made = this.#making.create(directory, key, S_IFREG | (mode & 0o7777), caller);
    if (!(made instanceof Promise)) {
      this.#data.made(made.name.inode);
      return this.#created(made, flags, caller);
    }
    return made.then(
      (created) => this.#holding(created.name.inode, caller, () => this.#created(created, flags, caller)),
      (failure: unknown) => {
        // Somebody else was quicker: without O_EXCL it is opened.
        if (Failure.from(failure).kind !== 'EEXIST' || (flags & O_EXCL) !== 0) throw failure;
        return this.#openExisting(directory, key, flags, caller).catch((gone: unknown) => {
          if (Failure.from(gone).kind !== 'ESTALE' || triesLeft === 0) throw gone;
          return this.create(directory, key, flags, mode, caller, triesLeft - 1);
        });
      },
    );
  }

  /** The server holds it from the start. */
  tmpfile(
    directory: DirectoryInode,
    flags: number,
    mode: number,
    caller: Caller,
  ): Promise<{ entry: Entry; opened: OpenAnswer }> {
    this.#requireRoom();
    const unused = (inode: Inode): void => this.#releaseUnused(inode);
    return this.#making.unnamed(directory, mode & 0o7777, caller, unused).then((inode) => ({
      entry: this.#home.kernel.unnamed(inode),
      opened: this.#opened(inode, flags, true),
    }));
  }

  #created(
    { name, entry }: Made,
    flags: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    // They count a lookup and an open file, so they are made when they are answered.
    const both = () => ({
      entry: this.#home.takenIn(this.#home.kernel.entry(name)),
      opened: this.#opened(name.inode, flags, true),
    });
    const answered = this.#home.answered(entry, undefined, caller);
    if (!(answered instanceof Promise)) return both();
    return answered.then(() => this.#holding(name.inode, caller, both));
  }

  /** ESTALE: it is gone again. */
  async #openExisting(
    directory: DirectoryInode,
    key: string,
    flags: number,
    caller: Caller,
  ): Promise<{ entry: Entry; opened: OpenAnswer }> {
    const entry = await this.#lookups.lookup(directory, key, caller);
    if (entry.nodeId === undefined) throw new Failure('ESTALE');
    try {
      return { entry, opened: await this.open(this.#home.tree.get(entry.nodeId), flags, caller) };
    } catch (error) {
      this.#home.tree.forget(entry.nodeId, 1n);
      throw error;
    }
  }

  /**
   * The kernel keeps no pages of a file that others may change: they may make it shorter while a READ is under way, and
   * what the kernel is told for it may overtake that READ, so that it finds zeros up to the old end (read()).
   */
  #opened(inode: Inode, flags: number, keepCache: boolean): OpenAnswer {
    if (inode.opens === 0) this.#open += 1;
    inode.opens += 1;
    const writable = (flags & O_ACCMODE) !== O_RDONLY;
    const appending = (flags & O_APPEND) !== 0;
    const movesAtime = this.#accessTimes.move && (flags & O_NOATIME) === 0;
    const keeps = keepCache && !(movesAtime && this.#accessTimes.isDue(inode));
    const handle = this.#handles.add({
      ...{ inode, writable, appending, movesAtime, reader: undefined },
      ...{ told: lossSeen(inode), toldAtClose: undefined, locks: undefined, locksLost: false },
      writes: new Set(),
    });
    const direct = this.#home.kernel.mapsDirect && !this.#home.tree.mayChange(inode);
    return { handle, keepCache: keeps, direct };
  }

  /** close(2). */
  flush(inode: Inode, id: HandleId, lockOwner: bigint | undefined, caller: Caller): Eventually<void> {
    const handle = this.#handles.get(id);
    const unlocked = lockOwner === undefined ? undefined : this.#locks.closed(handle, lockOwner, caller);
    // One that reads is not to have told what failed: it is for a program that writes.
    if (!handle.writable) return unlocked;
    const written = (): Eventually<void> => this.#written(inode, handle, caller);
    return unlocked instanceof Promise ? unlocked.then(written) : written();
  }

  /** Tells what failed behind the back of a program that writes. */
  #written(inode: Inode, handle: FileHandle, caller: Caller): Eventually<void> {
    const tell = (): void => tellLossAtClose(handle);
    const { last } = inode;
    if (!this.#home.temper.flush || last === undefined) return tell();
    const applied = this.#home.log.whenApplied(last);
    return applied === undefined ? tell() : interruptible(Promise.resolve(applied), caller).then(tell);
  }

  fsync(id: HandleId, caller: Caller): Promise<void> {
    const handle = this.#handles.get(id);
    requireLocks(handle);
    return this.#syncs.fsync(handle, caller);
  }

  /** Whether somebody may write to it by an open file. */
  isWritten(inode: Inode): boolean {
    for (const handle of this.#handles.values()) if (handle.inode === inode && handle.writable) return true;
    return false;
  }

  getlk(id: HandleId, { owner, lock }: WantedLock, caller: Caller): Eventually<Lock | undefined> {
    return this.#locks.get(this.#handles.get(id), owner, lock, caller);
  }

  setlk(id: HandleId, wanted: WantedLock, wait: boolean, caller: Caller): Eventually<void> {
    return this.#locks.set(this.#handles.get(id), wanted, wait, caller);
  }

  release(inode: Inode, id: HandleId): void {
    const handle = this.#handles.remove(id);
    if (handle === undefined) return;
    this.#locks.released(handle);
    lossToldAtClose(handle);
    this.#data.closed(inode, handle.reader);
    inode.opens -= 1;
    if (inode.opens > 0) return;
    this.#open -= 1;
    const freed = this.#home.tree.closed(inode);
    if (inode.held && inode.openings === 0) this.#names.release(inode, freed);
  }

  // Data

  read(
    inode: Inode,
    id: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void> {
    const handle = this.#handles.get(id);
    const read = this.#read(inode, handle, offset, length, reply, caller, MAX_SHORT_READS);
    if (!handle.movesAtime) return read;
    const accessed = (): void => this.#accessTimes.read(inode);
    return read instanceof Promise ? read.then(accessed) : accessed();
  }

  /** `triesLeft`: how often it is done again where the answer is short for what the kernel was told meanwhile. */
  #read(
    inode: Inode,
    handle: FileHandle,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
    triesLeft: number,
  ): Eventually<void> {
    requireLocks(handle);
    const size = this.#home.tree.knows(inode) ? inode.attributes.size : undefined;
    const known = size === undefined ? undefined : this.#data.known(inode, offset, length, size);
    if (known !== undefined) return reply(known);
    if (handle.reader === undefined) {
      this.#data.reading(inode);
      handle.reader = this.#data.reader(inode);
    }
    const { kernel } = this.#home;
    const told = inode.told;
    const end = Math.min(offset + length, size ?? Number.POSITIVE_INFINITY);
    let again = false;
    // The kernel takes a short answer as the file's new end, unless it was told of the file since it asked: then it fills the
    // rest up to the end that it was told with zeros (fuse_read_update_size).
    const checked = (pieces: readonly Buffer[]): void => {
      again = triesLeft > 0 && inode.told !== told && offset + bytesIn(pieces) < end;
      if (!again) reply(pieces);
    };
    const read = handle.reader.read(offset, length, size, checked, caller);
    if (!(read instanceof Promise)) return read;
    return read.then(() => {
      if (again) return this.#read(inode, handle, offset, length, reply, caller, triesLeft - 1);
      if (!this.#home.tree.knows(inode)) kernel.dropPages(inode);
      return undefined;
    });
  }

  /** `fromCache`: as Filesystem.write says. */
  write(id: HandleId, offset: number, data: Buffer, fromCache: boolean, caller: Caller): Eventually<number> {
    const handle = this.#handles.get(id);
    if (!handle.writable) throw new Failure('EBADF');
    requireLocks(handle);
    // A page that is written back is no program's call: it would be lost, and another program told.
    if (!fromCache) tellLoss(handle);
    const appends = handle.appending && !fromCache;
    const { length } = data;
    const written = this.#write(handle, appends, offset, data, caller, true);
    if (!fromCache) return written;
    // The kernel takes no notice of a page that was written in part.
    const checked = (bytes: number): number => {
      if (bytes < length) markLost(handle.inode, new Failure('EDQUOT', 'the quota is used up'));
      return bytes;
    };
    return written instanceof Promise ? written.then(checked) : checked(written);
  }

  /** `mayAsk`: whether the server is asked for room before a write is cut short or fails. */
  #write(
    handle: FileHandle,
    appends: boolean,
    offset: number,
    data: Buffer,
    caller: Caller,
    mayAsk: boolean,
  ): Eventually<number> {
    const { inode } = handle;
    const { tree, log, grants } = this.#home;
    if (!tree.mayChange(inode)) return this.#askWrite(handle, appends ? null : offset, data, caller);
    const wait = log.room();
    if (wait !== undefined) return this.#writeLater(wait, handle, appends, offset, data, caller, mayAsk);
    let fits = Math.min(data.length, this.#home.largestFile - offset);
    if (fits <= 0) throw new Failure('EFBIG');
    const growth = Math.max(0, offset + fits - inode.attributes.size);
    if (growth > 0) {
      const { bytes } = grants.available(log.charged);
      if (growth > bytes) {
        if (mayAsk) {
          const granted = this.#home.ensure({ bytes: growth, files: 0 });
          return this.#writeLater(granted, handle, appends, offset, data, caller, false);
        }
        // What fits is written, as on a local disk; what overwrites fits always.
        fits = Math.max(0, fits - (growth - Math.max(0, bytes)));
        if (fits === 0) throw new Failure('EDQUOT', 'the quota is used up');
      }
    }
    const end = offset + fits;
    const charge: Charge = { bytes: Math.max(0, end - inode.attributes.size), files: 0 };
    const time = this.#home.clock.now();
    const sizeBefore = inode.attributes.size;
    const entry = log.write(inode.id, offset, data.subarray(0, fits), time, charge);
    inode.touched(entry);
    tree.wrote(inode, offset, end, time);
    this.#data.wrote(inode, entry, offset, end, sizeBefore);
    this.#home.kernel.told(inode);
    this.#home.sender.kick();
    return this.#home.answered(entry, fits, caller);
  }

  /** The kernel's buffer is gone when this returns: what has to wait is copied. */
  #writeLater(
    wait: Promise<unknown>,
    handle: FileHandle,
    appends: boolean,
    offset: number,
    data: Buffer,
    caller: Caller,
    mayAsk: boolean,
  ): Promise<number> {
    const copy = Buffer.from(data);
    return interruptible(this.#home.remote.bounded(wait), caller).then(() =>
      this.#write(handle, appends, offset, copy, caller, mayAsk),
    );
  }

  /** `offset` null: to the end, wherever that is by then. */
  #askWrite(handle: FileHandle, offset: number | null, data: Buffer, caller: Caller): Promise<number> {
    const { inode } = handle;
    const { tree, kernel } = this.#home;
    const copy = Buffer.from(data);
    // Others may see it before it is answered.
    this.#data.awaited(inode);
    let ended = (): unknown => undefined;
    const written = this.#home.change(
      [inode],
      caller,
      () => ({ kind: WRITE, file: tree.refOf(inode), time: null, offset, data: null }),
      ([left, began]) => {
        this.#data.awaited(inode);
        if (left !== undefined) tree.told(inode, left);
        kernel.told(inode);
        const start = offset ?? began?.size;
        if (left === undefined || start === undefined) return copy.length;
        // What fits the quota is written, and the size that it left tells how much.
        return Math.min(copy.length, Math.max(0, left.size - start));
      },
      copy,
      (withdraw) => {
        if (handle.locks === undefined) return;
        ended = () => handle.writes.delete(withdraw);
        handle.writes.add(withdraw);
      },
    );
    if (handle.locks === undefined) return written;
    const tidied = written.finally(() => ended());
    return underLocks(handle, tidied);
  }

  /** The mount has ended. */
  closeAll(): void {
    for (const { inode, reader } of this.#handles.values()) this.#data.closed(inode, reader);
  }
}

function bytesIn(pieces: readonly Buffer[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.length, 0);
}

/*
 * What is remembered of a client where it survives kill -9 of the daemon: which operations of its log were carried out, which
 * of them are durable, which awaited changes were begun and made, and whether it holds leases. One small file for each client, in the
 * daemon's own directory of the home.
 *
 * A mark is written by pwrite(2) into the page cache, in place. After a power cut such a page may be newer or older than what
 * it tells of: so the file has the id of the boot that wrote it, and in another boot only `durable` counts, which is
 * written only when what it tells of is on the disk (durability.ts). It need not be on the disk itself: after a power cut an
 * older one has the client send what it still keeps, and that is later. (Synced for each answer it cost 0.3 ms of a sync's 1.2.)
 *
 * An awaited change is marked as begun before it is carried out, and as done afterwards: of one that is only begun it is not
 * known whether it was.
 *
 * Layout, little endian: id of the boot (16 bytes); then, 64 bits each: applied, durable, leased (0 or 1), and a ring of
 * MAX_CHANGES changes, where a number has its place by its remainder: twice the number, and 1 if it is done; where it was to
 * append and 1, or 0.
 */
import { MAX_CHANGES } from '../../../protocol/limits.js';
import { readEntries } from '../../../posix/directory.js';
import type { Fd } from '../../../posix/fd.js';
import { close, pread, pwrite } from '../../../posix/files.js';
import { O_CREAT, O_RDONLY, O_RDWR } from '../../../posix/flags.js';
import { unlinkat } from '../../../posix/names.js';
import { bootId } from '../../../state/boot.js';
import { OWN_NAMES } from '../../../state/home-layout.js';
import { closing, closingOnFailure, statusIfAny, type ConfinedTree } from '../disk/confined.js';

const BOOT_BYTES = 16;
const APPLIED = BOOT_BYTES;
const DURABLE = APPLIED + 8;
const LEASED = DURABLE + 8;
const RING = LEASED + 8;
const CHANGE_BYTES = 16;
const FILE_BYTES = RING + CHANGE_BYTES * MAX_CHANGES;
const PRIVATE_FILE = 0o600;
const SCRATCH_BYTES = 32 * 1024;
/** Marks that were not written for so long are removed when the home opens: their client was killed, or has nothing to send. */
const FORGOTTEN_SECONDS = 7 * 24 * 3600;

export class Marks {
  readonly #tree: ConfinedTree;
  readonly #name: Buffer;
  readonly #fd: Fd;
  /** The file as it is. */
  readonly #marks: Buffer;
  /** Operations up to this number may have been carried out, although they are not applied (any more). */
  #doubtful = 0;
  #closed = false;

  private constructor(tree: ConfinedTree, name: Buffer, fd: Fd, marks: Buffer) {
    this.#tree = tree;
    this.#name = name;
    this.#fd = fd;
    this.#marks = marks;
  }

  /** Opens the marks of a client, which are made where there are none. `boot`: the id of this boot, for tests. */
  static open(tree: ConfinedTree, client: Uint8Array, boot: Buffer = bootId()): Marks {
    const name = Buffer.from(Buffer.from(client).toString('hex'));
    const fd = closing(tree.makeOwn(OWN_NAMES.clients), (directory) =>
      tree.openAt(directory, name, O_RDWR | O_CREAT, PRIVATE_FILE),
    );
    return closingOnFailure(fd, () => {
      const bytes = Buffer.alloc(FILE_BYTES);
      pread(fd, bytes, 0, FILE_BYTES, 0);
      const marks = new Marks(tree, name, fd, bytes);
      if (!bytes.subarray(0, BOOT_BYTES).equals(boot)) marks.#begin(boot);
      return marks;
    });
  }

  /** The last operation of the client's log that was carried out. */
  get applied(): number {
    return Number(this.#marks.readBigUInt64LE(APPLIED));
  }

  setApplied(number: number): void {
    this.#set(APPLIED, number);
  }

  /** The last operation that is on the disk, with all before. */
  get durable(): number {
    return Number(this.#marks.readBigUInt64LE(DURABLE));
  }

  /** Called by Durability. */
  setDurable(number: number): void {
    if (!this.#closed && number > this.durable) this.#set(DURABLE, number);
  }

  /** Whether an operation that is not applied may have been carried out before. */
  mayBeDone(number: number): boolean {
    return number <= this.#doubtful;
  }

  /** What is not durable may be lost: it is not applied any more. */
  rewind(): void {
    this.#doubtful = Math.max(this.#doubtful, this.applied);
    this.#lose();
  }

  /** The client may hold leases: after a restart it is waited for. */
  get leased(): boolean {
    return this.#marks.readBigUInt64LE(LEASED) !== 0n;
  }

  setLeased(leased: boolean): void {
    this.#set(LEASED, leased ? 1 : 0);
  }

  /** Whether the change of this number was made: known of the last MAX_CHANGES. */
  done(change: number): boolean {
    return change > 0 && this.#change(change) === 2n * BigInt(change) + 1n;
  }

  /** Where a change that was begun, and may have been made, was to append; null: it was no append. Undefined: not begun. */
  begun(change: number): number | null | undefined {
    if (change === 0 || this.#change(change) !== 2n * BigInt(change)) return undefined;
    const place = this.#marks.readBigUInt64LE(placeOf(change) + 8);
    return place === 0n ? null : Number(place - 1n);
  }

  /** To be called before a change is carried out. `end`: where it appends. */
  setBegun(change: number, end: number | null): void {
    const place = placeOf(change);
    this.#marks.writeBigUInt64LE(2n * BigInt(change), place);
    this.#marks.writeBigUInt64LE(end === null ? 0n : BigInt(end) + 1n, place + 8);
    pwrite(this.#fd, this.#marks, place, CHANGE_BYTES, place);
  }

  setDone(change: number): void {
    this.#set(placeOf(change), 2n * BigInt(change) + 1n);
  }

  /** A change that was begun has failed: nothing is known of it. */
  forgetChange(change: number): void {
    this.#set(placeOf(change), 0n);
  }

  /** The client ended in order: nothing is remembered of it. */
  remove(): void {
    this.close();
    const directory = this.#tree.openOwn(OWN_NAMES.clients);
    if (directory !== undefined) closing(directory, () => unlinkat(directory, this.#name, 0));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#fd);
  }

  /** A new file, or one of another boot: what is not durable may be lost. */
  #begin(boot: Buffer): void {
    boot.copy(this.#marks);
    this.#lose();
  }

  #lose(): void {
    this.#marks.copy(this.#marks, APPLIED, DURABLE, LEASED);
    // What the changes left may be lost as well.
    for (let place = RING; place < FILE_BYTES; place += CHANGE_BYTES) {
      this.#marks.writeUInt8(this.#marks.readUInt8(place) & ~1, place);
    }
    pwrite(this.#fd, this.#marks, 0, FILE_BYTES, 0);
  }

  #change(change: number): bigint {
    return this.#marks.readBigUInt64LE(placeOf(change));
  }

  #set(place: number, number: number | bigint): void {
    this.#marks.writeBigUInt64LE(BigInt(number), place);
    pwrite(this.#fd, this.#marks, place, 8, place);
  }
}

/** A client that has marks. */
export interface Marked {
  /** In hex. */
  readonly id: string;
  readonly leased: boolean;
}

/** The clients that have marks in a home, but for those that were forgotten. */
export function listMarks(tree: ConfinedTree): Marked[] {
  const directory = tree.openOwn(OWN_NAMES.clients);
  if (directory === undefined) return [];
  const oldest = Date.now() / 1000 - FORGOTTEN_SECONDS;
  return closing(directory, () => {
    const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    const found: Marked[] = [];
    for (;;) {
      const records = readEntries(directory, scratch);
      if (records.length === 0) return found;
      for (const { name } of records) {
        const isOld = (statusIfAny(directory, name)?.mtime.sec ?? 0) < oldest;
        if (isOld) removeIfPossible(directory, name);
        else found.push({ id: name.toString('latin1'), leased: isLeased(tree, directory, name) });
      }
    }
  });
}

/** What stays is removed when the home opens the next time. */
function removeIfPossible(directory: Fd, name: Buffer): void {
  try {
    unlinkat(directory, name, 0);
  } catch {
    // The disk takes no changes (EROFS), and the home can be read nevertheless.
  }
}

function isLeased(tree: ConfinedTree, directory: Fd, name: Buffer): boolean {
  const bytes = Buffer.alloc(8);
  closing(tree.openAt(directory, name, O_RDONLY), (fd) => pread(fd, bytes, 0, 8, LEASED));
  return bytes.readBigUInt64LE(0) !== 0n;
}

function placeOf(change: number): number {
  return RING + CHANGE_BYTES * (change % MAX_CHANGES);
}

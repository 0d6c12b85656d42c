/*
 * A few open descriptors by the id of what they are open for, so that a file or directory that is in use costs no walk. The
 * one used longest ago is closed for a new one.
 *
 * Invariant: a descriptor pins its inode, so its number is no other file's meanwhile. But the file may be moved behind the
 * daemon's back, also out of the home: a descriptor is believed for BELIEVED_MS, and then the way to it is walked again.
 */
import { close } from '../../../posix/files.js';
import type { Fd } from '../../../posix/fd.js';
import type { FileId } from '../../../protocol/references.js';

/** What one operation may use at once, and more. */
const FEW = 8;
/** What is done behind the daemon's back shows within this time (milliseconds). */
const BELIEVED_MS = 5000;

interface Entry {
  readonly fd: Fd;
  readonly birth: bigint;
  readonly writable: boolean;
  readonly since: number;
}

export class Descriptors {
  readonly #entries = new Map<bigint, Entry>();
  readonly #max: number;
  readonly #firstReserved: number;
  /** The one used last. */
  #newest: bigint | undefined;

  /** `firstReserved`: from this number on there are too few left for as many (ConfinedTree.open). */
  constructor(max: number, firstReserved: number) {
    this.#max = max;
    this.#firstReserved = firstReserved;
  }

  /** The descriptor of a file, good until it is dropped, or so many others were added. */
  find(id: FileId, writable: boolean): Fd | undefined {
    const entry = this.#entries.get(id.ino);
    if (entry === undefined || entry.birth !== id.birth || (writable && !entry.writable)) return undefined;
    if (performance.now() - entry.since > BELIEVED_MS) return undefined;
    if (this.#newest !== id.ino) {
      this.#entries.delete(id.ino);
      this.#entries.set(id.ino, entry);
      this.#newest = id.ino;
    }
    return entry.fd;
  }

  /** find(), however long ago: for who sees by the file itself that it is nowhere else. */
  findOld(id: FileId): Fd | undefined {
    const entry = this.#entries.get(id.ino);
    return entry?.birth === id.birth ? entry.fd : undefined;
  }

  /**
   * Takes a descriptor over; returns the one to use: an older one of the same file stays, for somebody may be using it.
   */
  add(id: FileId, fd: Fd, writable: boolean): Fd {
    const existing = this.#entries.get(id.ino);
    const stays = existing?.birth === id.birth && (existing.writable || !writable);
    if (stays) close(fd);
    else this.drop(id.ino);
    const entry = {
      fd: stays ? existing.fd : fd,
      birth: id.birth,
      writable: stays ? existing.writable : writable,
      since: performance.now(),
    };
    this.#entries.delete(id.ino);
    this.#entries.set(id.ino, entry);
    this.#newest = id.ino;
    const most = entry.fd < this.#firstReserved ? this.#max : FEW;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= most) break;
      this.drop(oldest);
    }
    return entry.fd;
  }

  drop(ino: bigint): void {
    const entry = this.#entries.get(ino);
    if (entry === undefined) return;
    this.#entries.delete(ino);
    close(entry.fd);
  }

  close(): void {
    for (const ino of [...this.#entries.keys()]) this.drop(ino);
  }
}

/*
 * Files that lost their last name a moment ago, and that nobody keeps: another client may just have been told of the name,
 * and opens or reads the file next. open(2) on a disk finds the file of before or the one of after, never none.
 *
 * They are given back to the quota with their name (HeldFiles charges one again that is held), but for what is in the trash. Invariant: each is an open
 * descriptor, so its inode number is no other file's; there are MAX_REMOVED at most, the last ones, none for much longer than
 * KEPT_MS.
 */
import type { Fd } from '../../../posix/fd.js';
import { sameId, type FileId } from '../../../protocol/references.js';
import type { Clock } from '../calls/clock.js';
import type { Freeing } from '../disk/freeing.js';

/** Longer than an answer and the next request are on their way (milliseconds). */
export const KEPT_MS = 1000;
const MAX_REMOVED = 64;

interface Removed {
  readonly id: FileId;
  readonly fd: Fd;
  readonly bytes: number;
  readonly at: number;
  /** Its name went into the trash. */
  trashed: boolean;
}

export class RemovedFiles {
  readonly #clock: Clock;
  readonly #freeing: Freeing;
  /** In the order of removal. */
  readonly #files = new Map<bigint, Removed>();
  #callOff: (() => void) | undefined;

  constructor(clock: Clock, freeing: Freeing) {
    this.#clock = clock;
    this.#freeing = freeing;
  }

  /** What they hold on the disk. */
  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#files.values()) sum += bytes;
    return sum;
  }

  /** Takes over the descriptor of a file of so many bytes that is about to be removed. */
  add(id: FileId, fd: Fd, bytes: number): void {
    this.#drop(id.ino);
    this.#files.set(id.ino, { id, fd, bytes, at: this.#clock.now(), trashed: false });
    if (this.#files.size > MAX_REMOVED) {
      for (const oldest of this.#files.keys()) {
        this.#drop(oldest);
        break;
      }
    }
    this.#callOff ??= this.#clock.after(KEPT_MS, () => this.#sweep());
  }

  find(id: FileId): Fd | undefined {
    const file = this.#files.get(id.ino);
    return file !== undefined && sameId(file.id, id) ? file.fd : undefined;
  }

  isTrashed(ino: bigint): boolean {
    return this.#files.get(ino)?.trashed === true;
  }

  setTrashed(ino: bigint, trashed: boolean): void {
    const file = this.#files.get(ino);
    if (file !== undefined) file.trashed = trashed;
  }

  close(): void {
    this.#callOff?.();
    for (const ino of [...this.#files.keys()]) this.#drop(ino);
  }

  #sweep(): void {
    const over = this.#clock.now() - KEPT_MS;
    for (const [ino, { at }] of this.#files) if (at <= over) this.#drop(ino);
    this.#callOff = this.#files.size === 0 ? undefined : this.#clock.after(KEPT_MS, () => this.#sweep());
  }

  #drop(ino: bigint): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    this.#files.delete(ino);
    this.#freeing.close(file.fd);
  }
}

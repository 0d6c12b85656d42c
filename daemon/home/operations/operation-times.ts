/*
 * The times that operations set, as their client showed them: mtime and atime on the disk, ctime in the table of shown times.
 *
 * In a batch a directory gets its times once for all operations, at the end: they would be set a thousand times where a
 * thousand files are made. A new file gets them with the first write, if that comes next, as it mostly does: that spares
 * three of the eleven system calls that the two make. Who is killed in between leaves the daemon's own times.
 *
 * Invariant: what is set later is of operations that have succeeded: where it fails, none of them does, nor one that comes
 * after; it is told (`onFailed`).
 */
import type { Timestamp } from '../../../protocol/attributes.js';
import { Failure } from '../../../protocol/failure.js';
import type { FileId } from '../../../protocol/references.js';
import type { Fd } from '../../../posix/fd.js';
import { AT_SYMLINK_NOFOLLOW } from '../../../posix/flags.js';
import { utimensat, utimensOpen, type TimeToSet } from '../../../posix/names.js';
import { statxFd, type Status } from '../../../posix/status.js';
import { statusAt } from '../disk/confined.js';
import type { Directory, Identities } from '../files/identities.js';
import type { Located } from '../disk/located.js';
import type { ShownTimes } from '../files/shown-times.js';

/** Times to set, and the ctime to show; undefined: as it is. `ctime` null: the disk's own. */
export interface TimesToSet {
  readonly atime?: TimeToSet;
  readonly mtime?: TimeToSet;
  readonly ctime: Timestamp | null;
}

export class OperationTimes {
  readonly #identities: Identities;
  readonly #shown: ShownTimes;
  readonly #onFailed: (error: unknown) => void;
  /** Directories of the batch whose times are to be set; undefined outside of a batch. */
  #later: Map<bigint, { readonly id: FileId; time: Timestamp }> | undefined;

  /** The file that the last operation of the batch made, if its times are still to be set. */
  #new: { readonly fd: Fd; readonly ino: bigint; readonly time: Timestamp | null } | undefined;

  constructor(parts: { identities: Identities; shown: ShownTimes; onFailed: (error: unknown) => void }) {
    this.#identities = parts.identities;
    this.#shown = parts.shown;
    this.#onFailed = parts.onFailed;
  }

  begin(): void {
    this.#later = new Map();
  }

  end(): void {
    this.settleNew();
    const later = this.#later;
    this.#later = undefined;
    for (const { id, time } of later?.values() ?? []) this.#setLater(id, time);
  }

  get inBatch(): boolean {
    return this.#later !== undefined;
  }

  /** Sets the times of an open file; its status after. */
  ofOpen(fd: Fd, { atime, mtime, ctime }: TimesToSet): Status {
    if (atime !== undefined || mtime !== undefined) utimensOpen(fd, atime, mtime);
    return this.shown(statxFd(fd), ctime);
  }

  /** The batch made a file; `fd` is good during the next operation. Its times are set then, or by settleNew(). */
  ofNew(fd: Fd, ino: bigint, time: Timestamp | null): void {
    this.settleNew();
    this.#new = { fd, ino, time };
  }

  /** To be called before the next operation, if it is no write; else after it, as it may have failed. */
  settleNew(): void {
    const made = this.#new;
    this.#new = undefined;
    if (made === undefined) return;
    try {
      this.ofOpen(made.fd, timesOfNew(made.time));
    } catch (error) {
      this.#onFailed(error);
    }
  }

  /** An open file was written to; its status after. */
  ofWritten(fd: Fd, ino: bigint, time: Timestamp | null): Status {
    const made = this.#new;
    if (made?.ino !== ino) {
      this.settleNew();
      return this.ofOpen(fd, { mtime: time ?? undefined, ctime: time });
    }
    this.#new = undefined;
    const { atime } = timesOfNew(made.time);
    return this.ofOpen(fd, { atime, mtime: time ?? 'now', ctime: time });
  }

  /** Sets the times of what a name leads to, of a symlink itself; its status after. */
  ofName(directory: Fd, name: Buffer, { atime, mtime, ctime }: TimesToSet): Status {
    if (atime !== undefined || mtime !== undefined) {
      utimensat(directory, name, atime, mtime, AT_SYMLINK_NOFOLLOW);
    }
    return this.shown(statusAt(directory, name), ctime);
  }

  /** Sets the times of a file, wherever it is; its status after. */
  ofLocated(located: Located, set: TimesToSet): Status {
    if ('fd' in located) return this.ofOpen(located.fd, set);
    return this.ofName(located.directory, located.name, set);
  }

  /** Shows a ctime of a file that an operation changed otherwise. */
  shown(status: Status, ctime: Timestamp | null): Status {
    this.#shown.show(status, ctime);
    return status;
  }

  /** Names of a directory changed. */
  ofDirectory(directory: Directory, time: Timestamp | null): void {
    if (time === null) {
      this.#later?.delete(directory.ino);
    } else if (this.#later === undefined) {
      this.ofOpen(directory.fd, { mtime: time, ctime: time });
    } else {
      const later = this.#later.get(directory.ino);
      if (later === undefined) this.#later.set(directory.ino, { id: directory, time });
      else later.time = time;
    }
  }

  /** To be called before the attributes of a directory itself change: what is to be set comes first. */
  settle(ino: bigint): void {
    const later = this.#later?.get(ino);
    if (later === undefined) return;
    this.#later?.delete(ino);
    this.#setLater(later.id, later.time);
  }

  #setLater(id: FileId, time: Timestamp): void {
    try {
      const { fd } = this.#identities.directoryOf({ ino: id.ino, birth: id.birth, path: null });
      this.ofOpen(fd, { mtime: time, ctime: time });
    } catch (error) {
      // ESTALE: the directory was removed after.
      if (Failure.from(error).kind !== 'ESTALE') this.#onFailed(error);
    }
  }
}

/** All are set: an inode granted ahead has the times of when it was made. */
export function timesOfNew(time: Timestamp | null): TimesToSet {
  return { atime: time ?? 'now', mtime: time ?? 'now', ctime: time };
}

/*
 * Units of the leases that begin and end as names are made and removed (protocol.md, New units): what is watched of the disk,
 * and who holds them.
 *
 * Invariant: what begins to be a unit is held by nobody from before: an entry of the same number is of another file, or of
 * this one when it was a unit the last time.
 */
import type { Status } from '../../../posix/status.js';
import type { DiskWatch } from './disk-watch.js';
import { isDirectory } from '../disk/file-ids.js';
import type { LeaseHolder } from './lease-table.js';
import type { Leases } from './leases.js';

/** A name that an operation removed. */
export interface LostName {
  /** What it led to, as that was. */
  readonly before: Status;
  /** Inode number of the directory. */
  readonly parent: bigint;
  /** Whether who removed it has the file open. */
  readonly hold: boolean;
}

export class UnitChanges {
  readonly #leases: Leases;
  readonly #watch: DiskWatch;

  constructor(parts: { leases: Leases; watch: DiskWatch }) {
    this.#leases = parts.leases;
    this.#watch = parts.watch;
  }

  /** A client made a unit below `parent`. `told`: as Leases.made(). */
  made(client: LeaseHolder, parent: bigint, ino: bigint, told: boolean): void {
    this.#watch.made(client, ino);
    this.#leases.made(client, parent, ino, told);
  }

  /** A name was removed. `inLog`: by an operation of its log, of which the client sees by itself what it holds now. */
  lost(client: LeaseHolder, { before, parent, hold }: LostName, inLog: boolean): void {
    const { ino, nlink } = before;
    // It has others.
    if (!isDirectory(before) && nlink > 2) return;
    this.#watch.removed(ino);
    const isOpen = hold && !isDirectory(before) && nlink < 2;
    if (inLog && isOpen) this.#leases.made(client, parent, ino, false);
    else this.#leases.removed(ino, inLog ? client : undefined);
  }
}

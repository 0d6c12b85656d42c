/*
 * The batches of the trash on the disk (trash-layout.ts): begun, found, and removed when they are empty.
 *
 * Invariant: each directory and link made here is charged when it is made, as part of the trash, and given back when it is removed; so
 * all that a count finds below the directory of the trash is charged. That itself is free: there is one.
 */
import { readEntries } from '../../../posix/directory.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { AT_REMOVEDIR, O_RDONLY } from '../../../posix/flags.js';
import { addInodeFlags, FS_TOPDIR_FL } from '../../../posix/inode-flags.js';
import { linkat, mkdirat, readlinkat, symlinkat, unlinkat } from '../../../posix/names.js';
import { TRASH_NAME } from '../../../state/home-layout.js';
import type { Clock } from '../calls/clock.js';
import { closing, type ConfinedTree } from '../disk/confined.js';
import type { Quota } from '../quota/quota.js';
import {
  batchName,
  batchNumber,
  isPeriod,
  itemId,
  pathIn,
  pieceOf,
  recordName,
  recordTargets,
  type ItemPlace,
} from './trash-layout.js';

const PRIVATE_MODE = 0o700;
/** Directories whose batch of this period is remembered. */
const MAX_CURRENT = 4096;
const SCRATCH_BYTES = 32 * 1024;

export class TrashBatches {
  readonly #clock: Clock;
  readonly #tree: ConfinedTree;
  readonly #quota: Quota;
  /** Undefined until it is needed, or there is none. */
  #fd: Fd | undefined;
  /** In order; undefined until they are asked for. */
  #periods: string[] | undefined;
  #current = '';
  /** Of the last batch that was begun here. */
  #lastNumber = 0n;
  /** The batches of the current period that may take more: by the path of the directory, as latin1. */
  readonly #open = new Map<string, string>();

  constructor(parts: { tree: ConfinedTree; quota: Quota; clock: Clock }) {
    this.#clock = parts.clock;
    this.#tree = parts.tree;
    this.#quota = parts.quota;
  }

  /** The directory of the trash; undefined: there is none. */
  get fd(): Fd | undefined {
    return (this.#fd ??= this.#tree.openOwn(TRASH_NAME));
  }

  /** Those that there are, the oldest first. */
  get periods(): readonly string[] {
    return (this.#periods ??= this.#readPeriods());
  }

  /** Gives the last name of a file a second one in here. `path`: of the directory. Throws as the calls do; Unfinished. */
  link(period: string, path: Buffer, directory: Fd, name: Buffer): ItemPlace {
    const key = path.toString('latin1');
    if (period !== this.#current) this.#open.clear();
    this.#current = period;
    const known = this.#open.get(key);
    if (known !== undefined) {
      try {
        return this.#link({ period, batch: known, name }, directory);
      } catch (error) {
        // The name is taken, or the batch was emptied.
        if (!isError(error, 'EEXIST', 'ENOENT')) throw error;
      }
    }
    const batch = this.#begin(period, path);
    if (this.#open.size >= MAX_CURRENT) this.#open.clear();
    this.#open.set(key, batch);
    return this.#link({ period, batch, name }, directory);
  }

  /** Opens the directory of a period, or of a batch, for reading; undefined: it has gone. The caller closes. */
  openIn(...names: readonly string[]): Fd | undefined {
    const { fd } = this;
    if (fd === undefined) return undefined;
    return unlessGone(() => this.#tree.openDirectory(fd, pathIn(...names), O_RDONLY));
  }

  /** As pathOfBatch(). */
  pathOf(period: string, batch: string): Buffer | undefined {
    return this.fd && pathOfBatch(this.fd, { period, batch });
  }

  /** Nothing more goes into the batches that there are: they are being emptied. */
  seal(period: string): void {
    if (period === this.#current) this.#open.clear();
  }

  /** Removes a batch that may be empty, what tells of it, and the period if it was the last one. */
  removeIfEmpty(period: string, batch: string): void {
    if (this.#remove(pathIn(period, batch), AT_REMOVEDIR) === 'in use') return;
    for (let piece = 0; this.removeRecord(period, recordName(batch, piece));) piece += 1;
    this.removePeriodIfEmpty(period);
  }

  /** Removes a link that tells of a batch. Whether it was there. */
  removeRecord(period: string, name: string): boolean {
    return this.#remove(pathIn(period, name), 0) === 'removed';
  }

  /** Removes a period that may be empty. */
  removePeriodIfEmpty(period: string): void {
    if (this.#remove(pathIn(period), AT_REMOVEDIR) === 'in use') return;
    this.#periods = this.periods.filter((other) => other !== period);
  }

  close(): void {
    if (this.#fd !== undefined) close(this.#fd);
    this.#fd = undefined;
  }

  #link(place: ItemPlace, directory: Fd): ItemPlace {
    linkat(directory, place.name, this.#made(), itemId(place), 0);
    return place;
  }

  #begin(period: string, path: Buffer): string {
    const fd = this.#made();
    const batch = this.#newBatch();
    const targets = recordTargets(path);
    this.#quota.makeRoom(0, targets.length + 2);
    if (this.periods.at(-1) !== period && !this.periods.includes(period)) {
      this.#charging(() => mkdirat(fd, pathIn(period), PRIVATE_MODE));
      this.#periods = [...this.periods, period].toSorted();
    }
    for (const [piece, target] of targets.entries()) {
      this.#charging(() => symlinkat(target, fd, pathIn(period, recordName(batch, piece))));
    }
    this.#charging(() => mkdirat(fd, pathIn(period, batch), PRIVATE_MODE));
    return batch;
  }

  /** A name for a batch, behind those of the batches that were begun here before. */
  #newBatch(): string {
    const number = batchNumber(this.#clock.date());
    this.#lastNumber = number > this.#lastNumber ? number : this.#lastNumber + 1n;
    return batchName(this.#lastNumber);
  }

  /** The directory of the trash, which is made where there is none. */
  #made(): Fd {
    if (this.#fd !== undefined) return this.#fd;
    this.#fd = this.#tree.makeOwn(TRASH_NAME);
    try {
      // So that ext4 looks elsewhere for inodes than in the home (hidden-directory.ts).
      addInodeFlags(this.#fd, FS_TOPDIR_FL);
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
    }
    return this.#fd;
  }

  #charging(make: () => void): void {
    this.#quota.reserve(0, 1);
    try {
      make();
    } catch (error) {
      this.#quota.release(0, 1);
      throw error;
    }
    this.#quota.moveToTrash(0, 1);
  }

  /** Removes what was made here. */
  #remove(path: Buffer, flags: number): 'removed' | 'missing' | 'in use' {
    const { fd } = this;
    if (fd === undefined) return 'missing';
    this.#quota.prepare();
    try {
      unlinkat(fd, path, flags);
    } catch (error) {
      if (isError(error, 'ENOENT')) return 'missing';
      if (isError(error, 'ENOTEMPTY', 'EEXIST')) return 'in use';
      throw error;
    }
    this.#quota.moveToTrash(0, -1);
    this.#quota.release(0, 1);
    return 'removed';
  }

  #readPeriods(): string[] {
    const fd = this.fd && this.#tree.openDirectory(this.fd, Buffer.alloc(0), O_RDONLY);
    if (fd === undefined) return [];
    const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
    const periods: string[] = [];
    closing(fd, () => {
      for (;;) {
        const records = readEntries(fd, scratch);
        if (records.length === 0) return;
        periods.push(...records.map(({ name }) => name.toString('latin1')).filter(isPeriod));
      }
    });
    return periods.toSorted();
  }
}

/** The path of the directory of which a batch is; undefined where that is not known. `trash`: the directory of the trash. */
export function pathOfBatch(
  trash: Fd,
  { period, batch }: Pick<ItemPlace, 'period' | 'batch'>,
): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let piece = 0; ; piece += 1) {
    const target = unlessGone(() => readlinkat(trash, pathIn(period, recordName(batch, piece))));
    if (target === undefined) break;
    pieces.push(pieceOf(target));
  }
  return pieces.length === 0 ? undefined : Buffer.concat(pieces);
}

/** Whether an error is one of these of a system call. */
export function isError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof PosixError && codes.includes(error.code);
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

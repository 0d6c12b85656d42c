/*
 * What is removed from the trash, and in which order: the oldest period first, and all of it before the next one.
 *
 * Invariant: each step takes some 50 us, however much there is. Walks go over all that there is, one after the other, until one has
 * removed nothing: what came behind where it was is met by the next one, and what cannot be removed is passed over.
 */
import { readEntries, type DirectoryRecord } from '../../../posix/directory.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { isBatch, type ItemPlace } from './trash-layout.js';
import { isError, type TrashBatches } from './trash-batches.js';

const SCRATCH_BYTES = 8 * 1024;

/** A directory that is being read. */
interface Reading {
  readonly name: string;
  readonly fd: Fd;
  /** What was read of it, and not looked at yet. */
  records: DirectoryRecord[];
}

type Remove = (place: ItemPlace) => boolean;

export class TrashEmptying {
  readonly #batches: TrashBatches;
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #period: Reading | undefined;
  #batch: Reading | undefined;
  /** The last period that the walk went over. */
  #done = '';
  /** The walk has removed something. */
  #found = false;

  constructor(batches: TrashBatches) {
    this.#batches = batches;
  }

  /**
   * One step further. False: nothing that can be removed is left, or what is left is not of before the period `end`. `remove`: removes an
   * item, if it can; whether it has.
   */
  step(remove: Remove, end?: string): boolean {
    const period = this.#period?.name ?? this.#batches.periods.find((one) => one > this.#done);
    if (period === undefined) {
      this.#done = '';
      const again = this.#found;
      this.#found = false;
      return again;
    }
    if (end !== undefined && period >= end) return false;
    this.#period ??= this.#open(period);
    if (this.#period === undefined) this.#periodIsOver(period);
    else if (this.#batch !== undefined) this.#stepInBatch(this.#period, this.#batch, remove);
    else this.#stepInPeriod(this.#period);
    return true;
  }

  close(): void {
    if (this.#batch !== undefined) close(this.#batch.fd);
    if (this.#period !== undefined) close(this.#period.fd);
    this.#batch = undefined;
    this.#period = undefined;
  }

  #stepInBatch(period: Reading, batch: Reading, remove: Remove): void {
    const item = this.#next(batch);
    if (item !== undefined) {
      if (remove({ period: period.name, batch: batch.name, name: item.name })) this.#found = true;
      return;
    }
    close(batch.fd);
    this.#batch = undefined;
    this.#batches.removeIfEmpty(period.name, batch.name);
  }

  #stepInPeriod(period: Reading): void {
    const record = this.#next(period);
    if (record === undefined) {
      close(period.fd);
      this.#period = undefined;
      return this.#periodIsOver(period.name);
    }
    const name = record.name.toString('latin1');
    const [batch = ''] = name.split('.');
    if (!isBatch(batch)) return;
    this.#batches.seal(period.name);
    const there = this.#open(period.name, batch);
    if (name === batch) this.#batch = there;
    // A link goes with its batch; this one was left when that was removed, or not begun.
    else if (there === undefined) this.#batches.removeRecord(period.name, name);
    else close(there.fd);
  }

  #periodIsOver(period: string): void {
    this.#batches.removePeriodIfEmpty(period);
    this.#done = period;
  }

  #open(...names: [period: string, batch?: string]): Reading | undefined {
    const path = names.filter((name) => name !== undefined);
    const fd = this.#batches.openIn(...path);
    return fd === undefined ? undefined : { name: path.at(-1) ?? '', fd, records: [] };
  }

  #next(reading: Reading): DirectoryRecord | undefined {
    if (reading.records.length === 0) reading.records = this.#read(reading.fd);
    return reading.records.shift();
  }

  #read(fd: Fd): DirectoryRecord[] {
    try {
      return readEntries(fd, this.#scratch);
    } catch (error) {
      // It was removed meanwhile, empty.
      if (isError(error, 'ENOENT')) return [];
      throw error;
    }
  }
}

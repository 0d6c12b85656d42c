/**
 * A part of a file that is read ahead, or that reads wait for: from the request on until nobody needs it.
 *
 * Invariant: its data stay as long as it is not dropped, or reads that need them wait for other blocks.
 */
import { giveBuffer, takeBuffer } from '../../protocol/transport/buffer-pool.js';
import type { Failure } from '../../protocol/failure.js';
import type { Eventually } from '../operations.js';
import type { Interruptible } from '../remote/interruption.js';
import type { Cancel } from './fetch.js';

/** Gets what was read, up to the end of the file: views, valid only during the call. */
export type Reply = (pieces: readonly Buffer[]) => void;

/** One read(2) that waits for blocks. */
export interface Waiting {
  readonly offset: number;
  readonly end: number;
  readonly blocks: readonly Block[];
  readonly reply: Reply;
  readonly caller: Interruptible;
  settle(outcome: Failure | Eventually<void>): void;
}

/** A part of the file that is here or on its way. */
export class Block {
  start: number;
  /** What was asked for; where it has come, what there is. */
  end: number;
  /** What the budget was asked for. */
  readonly charge: number;
  /** Bytes from `start` on; at first a view that is valid during the arrival. */
  data: Buffer | undefined;
  #buffer: Buffer | undefined;
  arrived = false;
  /** The file ended in it. */
  last = false;
  /** No read begins here any more. */
  dropped = false;
  /** Bytes that no read got. */
  unread: number;
  cancel: Cancel = () => undefined;
  /** Reads that wait for its arrival, or for that of another block that they need, too. */
  readonly readers = new Set<Waiting>();

  constructor(start: number, length: number) {
    this.start = start;
    this.end = start + length;
    this.charge = length;
    this.unread = length;
  }

  /** Keeps a copy of the data from the place `from` on. */
  keep(from: number): void {
    const { data } = this;
    if (data === undefined) return;
    const kept = data.subarray(from - this.start);
    this.start = from;
    this.#buffer = takeBuffer(kept.length);
    kept.copy(this.#buffer);
    this.data = this.#buffer.subarray(0, kept.length);
  }

  get isOfUse(): boolean {
    return !this.dropped || this.readers.size > 0;
  }

  /** Nobody needs it where it was dropped and nobody waits: then the data go, or the request. */
  release(): void {
    if (this.isOfUse) return;
    if (!this.arrived) this.cancel();
    this.data = undefined;
    if (this.#buffer !== undefined) giveBuffer(this.#buffer);
    this.#buffer = undefined;
  }
}

/**
 * Moves a range of a file, or a stream, through blocks: filled, then hashed and drained at the same time. Of a hole there is
 * nothing to fill: its zeros are hashed, and who drains is told.
 *
 * A put fills from the local file and drains to the server, a get the other way round. Fills of a range are started in order
 * and run at once; drains are started in order; MD5 takes the blocks in order on another thread, while the main thread
 * encrypts. So the slowest of the three sets the pace, which is MD5 (740 MB/s a core) where the network is fast.
 *
 * Invariants: a block is reused only when its fill, hash and drain have all ended, whatever failed; progress and
 * checkpoints are told in order, and only for what is both hashed and drained.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import type { Md5 } from '../../posix/libcrypto.js';
import { Failure } from '../../protocol/failure.js';
import { ZEROS } from '../../protocol/zeros.js';
import type { Run } from '../../posix/file-runs.js';
import type { BlockPool } from './blocks.js';
import { CHECKPOINT_BYTES } from './journal.js';

/** What takes the blocks. */
export interface Destination {
  readonly blocks: BlockPool;
  /** The hash of everything before the first block. */
  readonly md5: Md5;
  /** Hands the block on; it may be overwritten when the promise has settled. One of a hole is shared: nobody writes to it. */
  drain(block: Buffer, position: number, isHole: boolean): Promise<void>;
  progress(bytes: number): void;
  /** `state` is that of MD5 after `offset` bytes, a multiple of CHECKPOINT_BYTES. */
  checkpoint?(offset: number, state: Buffer): void;
  /** Ends the transfer early with ECANCELED, after what is under way. */
  readonly signal: AbortSignal;
}

export interface Range extends Destination {
  readonly start: number;
  readonly end: number;
  /** Fills the whole block with the bytes from `position` on. */
  fill(block: Buffer, position: number): Promise<void>;
  /** Where holes are, which need not be filled; absent: there are none. */
  readonly runs?: { at(position: number): Run | Promise<Run> } | undefined;
}

export interface Stream extends Destination {
  /** Destroyed where the transfer ends before it. */
  readonly source: Readable;
}

/** Rejects with the failure of the first block that has one, when no block is in use any more. */
export async function moveRange(range: Range): Promise<void> {
  const { start, end, blocks, runs } = range;
  const pipeline = new Pipeline(range);
  try {
    for (let position = start; position < end && !pipeline.stopped;) {
      const run = runs === undefined ? { end, isHole: false } : await runs.at(position);
      // Checkpoints are where blocks end.
      const blockEnd = position - (position % blocks.bytes) + blocks.bytes;
      const length = Math.min(blockEnd, run.end, end) - position;
      // A hole takes a block, too: so no more than there are blocks are under way.
      const whole = await blocks.acquire();
      const block = (run.isHole ? ZEROS : whole).subarray(0, length);
      const filled = run.isHole ? Promise.resolve() : range.fill(block, position);
      pipeline.take(whole, block, filled, position);
      position += length;
    }
  } finally {
    await pipeline.finished();
  }
}

/** The same for what comes one after the other, up to its end. Returns how many bytes that were. */
export async function moveStream(stream: Stream): Promise<number> {
  const { blocks, source } = stream;
  const pipeline = new Pipeline(stream);
  // Who waits for what may never come has to know that it is not wanted any more.
  addAbortSignal(pipeline.stop, source);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (block: Buffer): Promise<number> => {
    let filled = 0;
    while (filled < block.length) {
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done === true) break;
        rest = next.value;
      }
      const copied = rest.copy(block, filled);
      filled += copied;
      rest = rest.subarray(copied);
    }
    return filled;
  };
  let position = 0;
  try {
    for (let filled = blocks.bytes; filled === blocks.bytes && !pipeline.stopped; position += filled) {
      const whole = await blocks.acquire();
      filled = await fill(whole).catch((error: unknown) => {
        blocks.release(whole);
        throw error;
      });
      if (filled === 0) blocks.release(whole);
      else pipeline.take(whole, whole.subarray(0, filled), Promise.resolve(), position);
    }
  } finally {
    await pipeline.finished();
  }
  return position;
}

/** The blocks that are under way. */
class Pipeline {
  readonly #to: Destination;
  /** Aborted when no further block is wanted. */
  readonly stop: AbortSignal;
  readonly #failed = new AbortController();
  readonly #inUse = new Set<Promise<void>>();
  #issued: Promise<unknown> = Promise.resolve();
  #hashed: Promise<unknown> = Promise.resolve();
  #completed: Promise<void> = Promise.resolve();

  constructor(to: Destination) {
    this.#to = to;
    this.stop = AbortSignal.any([to.signal, this.#failed.signal]);
  }

  get stopped(): boolean {
    return this.stop.aborted;
  }

  /** Takes the `block` of a `whole` one, which is given back when nothing uses it any more. */
  take(whole: Buffer, block: Buffer, filled: Promise<void>, position: number): void {
    const to = this.#to;
    const issue = issueDrain(to, this.#issued, filled, block, position);
    const hash = hashBlock(to, this.#hashed, filled, block, position);
    this.#issued = issue;
    this.#hashed = hash;
    const drained = issue.then((drain) => drain.ended);
    this.#completed = complete(to, this.#completed, drained, hash, block.length, position + block.length);
    this.#completed.catch(() => this.#failed.abort());
    const free = Promise.allSettled([filled, drained, hash]).then(() => {
      to.blocks.release(whole);
      this.#inUse.delete(free);
    });
    this.#inUse.add(free);
  }

  /** Rejects with the failure of the first block that has one. */
  async finished(): Promise<void> {
    try {
      await this.#completed;
    } finally {
      await Promise.all(this.#inUse);
    }
    if (this.#to.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  }
}

/** The result is wrapped so that awaiting the start of a drain does not await its end. */
async function issueDrain(
  to: Destination,
  before: Promise<unknown>,
  filled: Promise<void>,
  block: Buffer,
  position: number,
): Promise<{ ended: Promise<void> }> {
  await Promise.all([before, filled]);
  return { ended: to.drain(block, position, isOfHole(block)) };
}

function isOfHole(block: Buffer): boolean {
  return block.buffer === ZEROS.buffer;
}

/** Returns the state of MD5 where a checkpoint is due. */
async function hashBlock(
  to: Destination,
  before: Promise<unknown>,
  filled: Promise<void>,
  block: Buffer,
  position: number,
): Promise<Buffer | undefined> {
  await Promise.all([before, filled]);
  await to.md5.updateAsync(block, 0, block.length);
  return (position + block.length) % CHECKPOINT_BYTES === 0 ? to.md5.save() : undefined;
}

async function complete(
  to: Destination,
  before: Promise<void>,
  drained: Promise<void>,
  hash: Promise<Buffer | undefined>,
  bytes: number,
  offset: number,
): Promise<void> {
  const moved = Promise.all([drained, hash]);
  moved.catch(() => undefined);
  await before; // Its failure is the reason: a server refuses the blocks behind one that it could not take.
  const [, state] = await moved;
  to.progress(bytes);
  if (state !== undefined) to.checkpoint?.(offset, state);
}

/**
 * Moves a range of a file through blocks: filled, then hashed and drained at the same time.
 *
 * A put fills from the local file and drains to the server, a get the other way round. Fills are started in order and
 * run at once; drains are started in order; MD5 takes the blocks in order on another thread, while the main thread
 * encrypts. So the slowest of the three sets the pace, which is MD5 (740 MB/s a core) where the network is fast.
 *
 * Invariants: a block is reused only when its fill, hash and drain have all ended, whatever failed; progress and
 * checkpoints are told in order, and only for what is both hashed and drained.
 */
import type { Md5 } from '../../posix/libcrypto.js';
import { Failure } from '../../protocol/failure.js';
import { CHECKPOINT_BYTES } from '../../protocol/limits.js';
import { BLOCK_BYTES, type BlockPool } from './blocks.js';

export interface Range {
  /** A multiple of BLOCK_BYTES. */
  readonly start: number;
  readonly end: number;
  readonly blocks: BlockPool;
  /** The hash of everything before `start`. */
  readonly md5: Md5;
  /** Fills the whole block with the bytes from `position` on. */
  fill(block: Buffer, position: number): Promise<void>;
  /** Hands the block on; it may be overwritten when the promise has settled. */
  drain(block: Buffer, position: number): Promise<void>;
  progress(bytes: number): void;
  /** `state` is that of MD5 after `offset` bytes, a multiple of CHECKPOINT_BYTES. */
  checkpoint?(offset: number, state: Buffer): void;
  /** Ends the transfer early with ECANCELED, after what is under way. */
  readonly signal: AbortSignal;
}

/** Rejects with the failure of the first block that has one, when no block is in use any more. */
export async function moveRange(range: Range): Promise<void> {
  const { start, end, blocks, signal } = range;
  const inUse = new Set<Promise<void>>();
  const stopped = new AbortController();
  let issued: Promise<unknown> = Promise.resolve();
  let hashed: Promise<unknown> = Promise.resolve();
  let completed: Promise<void> = Promise.resolve();

  for (
    let position = start;
    position < end && !stopped.signal.aborted && !signal.aborted;
    position += BLOCK_BYTES
  ) {
    const whole = await blocks.acquire();
    const block = whole.subarray(0, Math.min(BLOCK_BYTES, end - position));
    const filled = range.fill(block, position);
    const issue = issueDrain(range, issued, filled, block, position);
    const hash = hashBlock(range, hashed, filled, block, position);
    issued = issue;
    hashed = hash;
    const drained = issue.then((drain) => drain.ended);
    completed = complete(range, completed, drained, hash, block.length, position + block.length);
    completed.catch(() => stopped.abort());
    const free = Promise.allSettled([filled, drained, hash]).then(() => {
      blocks.release(whole);
      inUse.delete(free);
    });
    inUse.add(free);
  }

  try {
    await completed;
  } finally {
    await Promise.all(inUse);
  }
  if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
}

/** The result is wrapped so that awaiting the start of a drain does not await its end. */
async function issueDrain(
  range: Range,
  before: Promise<unknown>,
  filled: Promise<void>,
  block: Buffer,
  position: number,
): Promise<{ ended: Promise<void> }> {
  await Promise.all([before, filled]);
  return { ended: range.drain(block, position) };
}

/** Returns the state of MD5 where a checkpoint is due. */
async function hashBlock(
  range: Range,
  before: Promise<unknown>,
  filled: Promise<void>,
  block: Buffer,
  position: number,
): Promise<Buffer | undefined> {
  await Promise.all([before, filled]);
  await range.md5.updateAsync(block, 0, block.length);
  return (position + block.length) % CHECKPOINT_BYTES === 0 ? range.md5.save() : undefined;
}

async function complete(
  range: Range,
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
  range.progress(bytes);
  if (state !== undefined) range.checkpoint?.(offset, state);
}

import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import t from 'tap';
import { BLOCK_BYTES, BlockPool } from '../../../ctl/transfer/blocks.js';
import { CHECKPOINT_BYTES } from '../../../ctl/transfer/journal.js';
import { Lanes } from '../../../ctl/transfer/lanes.js';
import { moveRange, moveStream, type Range } from '../../../ctl/transfer/pipeline.js';
import { Md5 } from '../../../posix/libcrypto.js';
import { failing } from '../../lib/failing.js';

const source = Buffer.concat([randomBytes(1024), Buffer.alloc(2 * CHECKPOINT_BYTES + 5 * BLOCK_BYTES, 'x')]);
const CHECKPOINTS = [CHECKPOINT_BYTES, 2 * CHECKPOINT_BYTES];

/** Moves `source` into a buffer; parts can be replaced. */
function moving(parts: Partial<Range> = {}) {
  const copy = Buffer.alloc(source.length);
  const md5 = new Md5();
  const told = { bytes: 0, checkpoints: [] as number[], drains: [] as number[] };
  const range: Range = {
    start: 0,
    end: source.length,
    blocks: new BlockPool(),
    md5,
    // Fills end in any order.
    fill: async (block, position) => {
      if (position % (2 * BLOCK_BYTES) === 0) await new Promise(setImmediate);
      source.copy(block, 0, position, position + block.length);
    },
    drain: async (block, position) => {
      told.drains.push(position);
      await new Promise(setImmediate);
      block.copy(copy, position);
    },
    progress: (bytes) => {
      told.bytes += bytes;
    },
    checkpoint: (offset, state) => {
      told.checkpoints.push(offset);
      const expected = createHash('md5').update(source.subarray(0, offset)).digest();
      t.same(Md5.load(state).digest(), expected, 'the state is that of the bytes before');
    },
    signal: new AbortController().signal,
    ...parts,
  };
  return { range, copy, md5, told };
}

const allBlocksAreFree = async (blocks: BlockPool): Promise<void> => {
  // Acquiring more than there are would wait for ever, so take exactly all of them.
  const taken = await Promise.all(Array.from({ length: 8 }, () => blocks.acquire()));
  for (const block of taken) blocks.release(block);
};

t.test('everything arrives, hashed, in order', async (t) => {
  const { range, copy, md5, told } = moving();
  await moveRange(range);
  t.ok(copy.equals(source));
  t.equal(md5.digest().toString('hex'), createHash('md5').update(source).digest('hex'));
  t.equal(told.bytes, source.length);
  t.strictSame(told.checkpoints, CHECKPOINTS);
  t.strictSame(
    told.drains,
    told.drains.toSorted((a, b) => a - b),
  );
  await allBlocksAreFree(range.blocks);
});

t.test('no more is under way than may be sent twice', async (t) => {
  let underWay = 0;
  let most = 0;
  const { range } = moving({
    drain: async (block) => {
      underWay += block.length;
      most = Math.max(most, underWay);
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      underWay -= block.length;
    },
  });
  await moveRange(range);
  t.ok(most <= 8 * 1024 * 1024, `${most} bytes were under way`);
});

t.test('it goes on from a checkpoint', async (t) => {
  let state: Buffer | undefined;
  await moveRange({ ...moving().range, checkpoint: (_, saved) => (state ??= saved) });
  if (state === undefined) throw new Error('no checkpoint was told');
  const { range, copy, told } = moving({ start: CHECKPOINT_BYTES, md5: Md5.load(state) });
  await moveRange(range);
  t.ok(copy.subarray(CHECKPOINT_BYTES).equals(source.subarray(CHECKPOINT_BYTES)));
  t.same(range.md5.digest(), createHash('md5').update(source).digest());
  t.equal(told.bytes, source.length - CHECKPOINT_BYTES);
});

t.test('a hole is hashed, and told to who drains, and never filled', async (t) => {
  const hole = { start: 3 * BLOCK_BYTES + 7, end: CHECKPOINT_BYTES + 2 * BLOCK_BYTES - 9 };
  const filled: number[] = [];
  const holes: number[] = [];
  const { range, told } = moving({
    fill: async (block, position) => {
      filled.push(position);
      block.fill('x');
    },
    drain: async (block, position, isHole) => {
      if (isHole) holes.push(position, block.length);
    },
    runs: {
      at: (position) =>
        position < hole.start
          ? { end: hole.start, isHole: false }
          : { end: position < hole.end ? hole.end : Infinity, isHole: position < hole.end },
    },
    checkpoint: (offset) => told.checkpoints.push(offset),
  });
  const md5 = range.md5;
  await moveRange(range);
  const whole = Buffer.alloc(range.end, 'x').fill(0, hole.start, hole.end);
  t.equal(md5.digest().toString('hex'), createHash('md5').update(whole).digest('hex'));
  t.ok(filled.every((position) => position < hole.start || position >= hole.end));
  t.equal(holes[0], hole.start);
  t.equal((holes.at(-2) ?? 0) + (holes.at(-1) ?? 0), hole.end);
  t.strictSame(told.checkpoints, CHECKPOINTS);
  t.equal(told.bytes, range.end);
  await allBlocksAreFree(range.blocks);
});

t.test('a failure ends it, and no block is lost or told as moved', async (t) => {
  const failAt = 3 * BLOCK_BYTES;
  for (const part of ['fill', 'drain'] as const) {
    const good = moving();
    const { range, told } = moving({
      [part]: (block: Buffer, position: number) =>
        position === failAt
          ? Promise.reject(new Error(`no ${part}`))
          : good.range[part](block, position, false),
    });
    await t.rejects(moveRange(range), { message: `no ${part}` });
    t.ok(told.bytes <= failAt, part);
    await allBlocksAreFree(range.blocks);
  }
});

t.test('of several failures that of the first block is told, whichever comes first', async (t) => {
  const { range } = moving({
    drain: async (_, position) => {
      if (position === 0) await new Promise(setImmediate);
      throw new Error(position === 0 ? 'the disk is full' : 'out of order');
    },
  });
  await t.rejects(moveRange(range), { message: 'the disk is full' });
  await allBlocksAreFree(range.blocks);
});

t.test('an interruption ends it after what is under way', async (t) => {
  const interrupt = new AbortController();
  const { range, told } = moving({ signal: interrupt.signal });
  const drain = range.drain.bind(range);
  const moved = moveRange({
    ...range,
    drain: (block, position) => {
      if (position === 2 * BLOCK_BYTES) interrupt.abort();
      return drain(block, position, false);
    },
  });
  await t.rejects(moved, failing('ECANCELED'));
  t.ok(told.bytes < source.length);
  t.equal(told.bytes % BLOCK_BYTES, 0);
  await allBlocksAreFree(range.blocks);
});

t.test('a stream arrives up to its end, in whatever pieces it comes', async (t) => {
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0, length = 1; at < source.length; at += length, length = (length * 7) % 3_000_017) {
      yield source.subarray(at, at + length);
    }
  };
  const { range, copy, md5, told } = moving();
  t.equal(await moveStream({ ...range, source: Readable.from(pieces()) }), source.length);
  t.ok(copy.equals(source));
  t.same(md5.digest(), createHash('md5').update(source).digest());
  t.same([told.bytes, told.checkpoints], [source.length, CHECKPOINTS]);
  t.equal(await moveStream({ ...moving().range, source: Readable.from([]) }), 0);
  await allBlocksAreFree(range.blocks);
});

t.test('a stream is not waited for when it is not wanted any more', async (t) => {
  const silent = (): Readable => new Readable({ read: () => undefined });
  const full = silent();
  full.push(Buffer.alloc(BLOCK_BYTES));
  const { range } = moving({ drain: () => Promise.reject(new Error('no room')) });
  await t.rejects(moveStream({ ...range, source: full }), { message: 'no room' });
  t.ok(full.destroyed);
  const interrupt = new AbortController();
  const moved = moveStream({ ...range, signal: interrupt.signal, source: silent() });
  interrupt.abort();
  await t.rejects(moved, failing('ECANCELED'));
  await allBlocksAreFree(range.blocks);
});

t.test('an empty range is nothing', async (t) => {
  const { range, md5, told } = moving({ end: 0 });
  await moveRange(range);
  t.equal(told.bytes, 0);
  t.equal(md5.digest().toString('hex'), 'd41d8cd98f00b204e9800998ecf8427e');
});

t.test('lanes run so many at once, and stop at what is fatal', async (t) => {
  const lanes = new Lanes(2);
  let running = 0;
  let most = 0;
  const job = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
  };
  for (let n = 0; n < 5; n++) await lanes.run(job);
  await lanes.finished();
  t.equal(most, 2);
  t.equal(running, 0);
  await lanes.run(() => Promise.reject(new Error('fatal')));
  await t.rejects(lanes.finished(), { message: 'fatal' });
  await t.rejects(lanes.run(job), { message: 'fatal' }, 'nothing is started any more');
});

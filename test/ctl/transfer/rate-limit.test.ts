/*
 * The rate of --limit: never above it, in order, and nobody waits who is interrupted.
 */
import t from 'tap';
import { BLOCK_BYTES, blockBytes } from '../../../ctl/transfer/blocks.js';
import { RateLimit } from '../../../ctl/transfer/rate-limit.js';
import { failing } from '../../lib/failing.js';

const never = new AbortController().signal;

t.test('so many bytes a second, whatever their pieces are, in the order asked for', async (t) => {
  const limit = new RateLimit(100_000);
  const pieces = [1, 5000, 1, 4999, 9000, 999, 10];
  const turns: number[] = [];
  const startedAt = performance.now();
  await Promise.all(pieces.map((bytes, turn) => limit.take(bytes, never).then(() => turns.push(turn))));
  const ms = performance.now() - startedAt;
  t.same(turns, [0, 1, 2, 3, 4, 5, 6]);
  t.ok(ms >= 200 - 1, `all but the last are paid for: ${ms} ms`);
});

t.test('who is interrupted waits no more, and the next does not wait for that', async (t) => {
  const limit = new RateLimit(1);
  const interrupt = new AbortController();
  await limit.take(10_000, never);
  const waiting = limit.take(1, interrupt.signal);
  interrupt.abort();
  await t.rejects(waiting, failing('ECANCELED'));
  await t.rejects(limit.take(1, interrupt.signal), failing('ECANCELED'));
});

t.test('blocks under a limit are of a part of a second, and checkpoints begin with one', async (t) => {
  t.same([1, 1e6, 4e6, 1e12].map(blockBytes), [16 * 1024, 64 * 1024, 256 * 1024, BLOCK_BYTES]);
});

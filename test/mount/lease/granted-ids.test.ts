import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import type { FileId } from '../../../protocol/references.js';
import { GrantedIds } from '../../../mount/lease/granted-ids.js';
import { failing } from '../../lib/failing.js';

const ids = (count: number): FileId[] =>
  Array.from({ length: count }, (_, i) => ({ ino: BigInt(i), birth: 0n }));

t.test('as many are kept as are used in a second', async (t) => {
  const granted = new GrantedIds();
  let now = 0;
  const refill = (): number => {
    const asked = granted.toAsk(now);
    granted.asked(now);
    granted.add(ids(asked), now);
    return asked;
  };
  const use = (count: number): void => {
    for (let i = 0; i < count; i++) granted.take();
  };
  t.equal(refill(), 16);
  t.equal(granted.toAsk(now), 0);
  for (const kept of [16, 32, 64, 128, 256, 256]) {
    use(kept);
    now += 10;
    granted.asked(now);
    granted.add(ids(granted.toAsk(now)), now);
  }
  use(256);
  t.equal(granted.toAsk(now), 256, 'no more than the server gives');
  for (const kept of [128, 64, 32, 16, 16]) {
    now += 120_000;
    granted.asked(now);
    t.equal(granted.toAsk(now), kept, 'less where they last');
  }
});

t.test('they are used in order', async (t) => {
  const granted = new GrantedIds();
  granted.add(ids(2), 0);
  const first = granted.take();
  t.equal(first?.ino, 0n);
  granted.putBack({ ino: 0n, birth: 0n });
  t.same([granted.take()?.ino, granted.take()?.ino, granted.take()], [0n, 1n, undefined]);
});

t.test('who waits is told when there are some, or none', async (t) => {
  const granted = new GrantedIds();
  const waiting = granted.wait();
  t.ok(granted.awaited);
  granted.add(ids(1), 0);
  await waiting;
  await granted.wait();
  granted.forget();
  const other = granted.wait();
  granted.fail(new Failure('ENOSPC'));
  await t.rejects(other, failing('ENOSPC'));
  t.notOk(granted.awaited);
});

t.test('a server that had none is not asked at once again', async (t) => {
  const granted = new GrantedIds();
  granted.add([], 0);
  t.equal(granted.toAsk(500), 0);
  t.equal(granted.toAsk(1_000), 16);
  granted.add([], 1_000);
  const waiting = granted.wait();
  t.equal(granted.toAsk(1_000), 16, 'but for who waits');
  granted.add([], 1_000);
  t.equal(granted.toAsk(1_000), 0);
  granted.used();
  t.equal(granted.toAsk(1_000), 16, 'or when some that it gave were used');
  granted.add(ids(1), 1_000);
  await waiting;
});

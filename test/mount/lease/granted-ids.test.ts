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
    const asked = granted.ask(now);
    if (asked > 0) granted.add(ids(asked), now);
    return asked;
  };
  const use = (count: number): void => {
    for (let i = 0; i < count; i++) granted.take();
  };
  t.equal(refill(), 16);
  t.equal(refill(), 0);
  now += 10_000;
  use(10);
  t.equal(refill(), 10, 'few are used');
  now += 100;
  use(9);
  t.equal(refill(), 83, 'ninety in a second');
  now += 100_000;
  use(90);
  t.equal(refill(), 45, 'less where they last');
  now += 1_000;
  use(45);
  t.equal(refill(), 45, 'no fractions');
  now += 10;
  use(30);
  t.equal(refill(), 241, 'no more than the server gives, in one request');
  t.equal(refill(), 0);
  for (const kept of [128, 64, 32, 16, 16]) {
    now += 1_000_000;
    while (granted.take() !== undefined);
    t.equal(refill(), kept);
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
  t.equal(granted.ask(500), 0);
  t.equal(granted.ask(1_000), 16);
  granted.add([], 1_000);
  const waiting = granted.wait();
  t.equal(granted.ask(1_000), 16, 'but for who waits');
  granted.add([], 1_000);
  t.equal(granted.ask(1_000), 0);
  granted.used();
  t.equal(granted.ask(1_000), 16, 'or when some that it gave were used');
  granted.add(ids(1), 1_000);
  await waiting;
});

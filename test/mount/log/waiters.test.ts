import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { Waiters } from '../../../mount/log/waiters.js';

t.test('all who wait are let go, once', async (t) => {
  const waiters = new Waiters();
  t.equal(waiters.empty, true);
  const both = [waiters.wait(), waiters.wait()];
  t.equal(waiters.empty, false);
  waiters.resolve();
  await Promise.all(both);
  t.equal(waiters.empty, true);
});

t.test('or told why they wait in vain', async (t) => {
  const waiters = new Waiters();
  const waiting = waiters.wait();
  waiters.reject(new Failure('EACCES'));
  await t.rejects(waiting, new Failure('EACCES'));
});

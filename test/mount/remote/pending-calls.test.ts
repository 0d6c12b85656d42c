import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { PendingCalls, type Call, type Waiting } from '../../../mount/remote/pending-calls.js';

function waiting(since: number, done: Waiting['done']): Waiting {
  return { since, done, endWatch: undefined, settled: false };
}

function call(since: number, once: boolean, done: Waiting['done']): Call {
  const params = { method: 'readlink', params: [], data: undefined, bytes: 0 } as const;
  return { ...waiting(since, done), ...params, once, sent: undefined, faults: 0 };
}

t.test('what settles is told once, and is not in the table any more', async (t) => {
  const pending = new PendingCalls();
  const told: unknown[] = [];
  let watched = true;
  const a = call(1, false, (failure, result) =>
    told.push(failure?.kind ?? result, pending.calls().length, watched),
  );
  a.endWatch = () => {
    watched = false;
  };
  pending.add(a);
  pending.settle(a, undefined, 'result');
  pending.settle(a, new Failure('EIO'));
  t.same(told, ['result', 0, false]);
});

t.test('calls are in the order in which they were made', async (t) => {
  const pending = new PendingCalls();
  const told: string[] = [];
  const calls = ['a', 'b', 'c'].map((name, i) => call(i, i === 1, () => told.push(name)));
  for (const each of calls) pending.add(each);
  pending.addWait(waiting(0.5, () => told.push('wait')));
  t.same(
    pending.calls().map(({ since }) => since),
    [0, 1, 2],
  );
  t.same(
    pending.patient().map(({ since }) => since),
    [0, 0.5, 2],
    'a deadline counts for all but what is made once',
  );
  pending.settleAll(new Failure('ENOTCONN'));
  t.same(told, ['a', 'b', 'c', 'wait']);
  t.same(pending.calls(), []);
});

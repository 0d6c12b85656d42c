import t from 'tap';
import { PendingCalls } from '../../../mount/remote/pending-calls.js';
import { SoftDeadline } from '../../../mount/remote/soft-deadline.js';

const now = (): number => performance.now();

interface Line {
  quietSince: number;
  unreachable: boolean;
}

/** Resolves when somebody who began to wait at `since` is told that it takes too long: with the time of that. */
function told(ms: number, since: number, line: Line): Promise<number> {
  const pending = new PendingCalls();
  const deadline = new SoftDeadline({
    pending,
    ms,
    now,
    quietSince: () => line.quietSince,
    unreachable: () => line.unreachable,
  });
  return new Promise((resolve, reject) => {
    const done = (failure: { kind: string } | undefined): void => {
      if (failure?.kind === 'ETIMEDOUT') resolve(now());
      else reject(new Error('something else'));
    };
    pending.addWait({ since, done, endWatch: undefined, settled: false });
    deadline.watch();
  });
}

t.test('it counts from when the wait began, or from the last word of the server', async (t) => {
  const began = now();
  t.ok((await told(20, began, { quietSince: 0, unreachable: true })) >= began + 20);
  const heard = now();
  t.ok((await told(20, began, { quietSince: heard, unreachable: true })) >= heard + 20);
});

t.test('a server that is alive may take its time', async (t) => {
  const line: Line = { quietSince: 0, unreachable: false };
  const began = now();
  const waiting = told(1, began, line);
  await new Promise<void>((resolve) => {
    setTimeout(resolve, 30);
  });
  const died = now();
  line.unreachable = true;
  t.ok((await waiting) >= died);
});

t.test('without a deadline nobody is told', async (t) => {
  const pending = new PendingCalls();
  const line = { quietSince: () => 0, unreachable: () => true };
  const deadline = new SoftDeadline({ pending, ms: undefined, now, ...line });
  deadline.watch();
  deadline.stop();
  t.pass();
});

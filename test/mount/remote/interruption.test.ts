import { once } from 'node:events';
import { spawn } from 'node:child_process';
import t from 'tap';
import { interruptible, isDying, onInterrupt } from '../../../mount/remote/interruption.js';
import { failureOf } from '../filesystem/mounted-home.js';

/** No process has this id. */
const GONE = 2 ** 30;

t.test('who is dying', async (t) => {
  t.notOk(isDying(process.pid));
  t.ok(isDying(GONE));
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const pid = child.pid ?? GONE;
  t.notOk(isDying(pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.ok(isDying(pid));
});

t.test('a caller that dies is let go at once', async (t) => {
  const abort = new AbortController();
  const waiting = failureOf(() => interruptible(new Promise(() => {}), { pid: GONE, signal: abort.signal }));
  abort.abort();
  t.equal(await waiting, 'EINTR');
  t.equal(
    await failureOf(() => interruptible(new Promise(() => {}), { pid: GONE, signal: abort.signal })),
    'EINTR',
    'also where the signal came before',
  );
});

t.test('a caller that lives on is let go after a moment', async (t) => {
  const abort = new AbortController();
  const waiting = failureOf(() =>
    interruptible(new Promise(() => {}), { pid: process.pid, signal: abort.signal }),
  );
  abort.abort();
  t.equal(await waiting, 'EINTR');
});

t.test('what settles first counts', async (t) => {
  const abort = new AbortController();
  const caller = { pid: GONE, signal: abort.signal };
  t.equal(await interruptible(Promise.resolve(5), caller), 5);
  const end = onInterrupt(caller, () => t.fail('let go after the end'));
  end?.();
  abort.abort();
  t.equal(
    onInterrupt({ pid: GONE }, () => t.fail('nobody interrupts')),
    undefined,
  );
});

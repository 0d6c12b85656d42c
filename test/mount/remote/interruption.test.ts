import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { endsOfSignal, interruptible, isDying, onInterrupt } from '../../../mount/remote/interruption.js';
import { failureOf } from './failure-of.js';
import { dying, stop, stopped, waitingShell } from './processes.js';

/** No process has this id. */
const GONE = 2 ** 30;
const never = (): Promise<never> => new Promise(() => undefined);

t.test('a signal without a handler ends the process', async (t) => {
  t.ok(isDying(await dying(t)));
});

t.test('a signal that is handled or ignored does not', async (t) => {
  t.notOk(isDying(process.pid));
  for (const signal of ['QUIT', 'INT', 'TERM', 'HUP', 'ALRM'] as const) {
    t.notOk(isDying(await stopped(t, `trap : ${signal}`, `SIG${signal}`)), `${signal}, handled`);
    t.notOk(isDying(await stopped(t, `trap '' ${signal}`, `SIG${signal}`)), `${signal}, ignored`);
  }
  t.notOk(isDying(await stopped(t, ':', 'SIGCHLD')), 'nor one that does nothing');
});

t.test('what /proc says of a thread', async (t) => {
  const status = (
    pending: string,
    shared: string,
    blocked: string,
    ignored: string,
    caught: string,
  ): string =>
    [
      `SigPnd:\t${pending.padStart(16, '0')}`,
      `ShdPnd:\t${shared.padStart(16, '0')}`,
      `SigBlk:\t${blocked.padStart(16, '0')}`,
      `SigIgn:\t${ignored.padStart(16, '0')}`,
      `SigCgt:\t${caught.padStart(16, '0')}\n`,
    ].join('\n');
  t.ok(endsOfSignal(status('100', '0', '0', '0', '0')), 'SIGKILL of its own');
  t.ok(endsOfSignal(status('100', '2', '0', '0', '2')), 'SIGKILL, besides a SIGINT that is handled');
  t.ok(endsOfSignal(status('0', '2', '0', '0', '0')), 'SIGINT, held up by a debugger');
  t.notOk(endsOfSignal(status('0', '2', '0', '0', '2')), 'SIGINT, handled');
  t.notOk(endsOfSignal(status('0', '4', '4', '0', '0')), 'SIGQUIT, blocked');
  t.notOk(endsOfSignal(status('0', '2000', '0', '0', '0')), 'SIGALRM');
  t.notOk(endsOfSignal('State:\tR (running)\n'));
});

t.test('who cannot be seen is alive', async (t) => {
  t.notOk(isDying(GONE));
  t.notOk(isDying(0), 'the kernel has no number for who is in another namespace');
  const pid = await dying(t);
  const module = JSON.stringify(new URL('../../../mount/remote/interruption.js', import.meta.url).href);
  const program = `import(${module}).then(({ isDying }) => console.log(isDying(${pid})))`;
  let seen: string;
  try {
    const unshare = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc'];
    seen = execFileSync('unshare', [...unshare, process.execPath, '-e', program], { encoding: 'utf8' });
  } catch {
    return t.comment('no namespaces here');
  }
  t.equal(seen, 'false\n');
});

t.test('a caller that dies is let go at once', async (t) => {
  const pid = await dying(t);
  const abort = new AbortController();
  const waiting = failureOf(interruptible(never(), { pid, signal: abort.signal }));
  abort.abort();
  t.equal(await waiting, 'EINTR');
  t.equal(await failureOf(interruptible(never(), { pid, signal: abort.signal })), 'EINTR', 'or was dying');
});

t.test('a caller that handles a timer goes on waiting, until it is killed', async (t) => {
  const child = await waitingShell(t, "trap 'echo handled' ALRM");
  const abort = new AbortController();
  const waiting = failureOf(interruptible(never(), { pid: child.pid, signal: abort.signal }));
  child.kill('SIGALRM');
  abort.abort();
  await once(child.stdout, 'data');
  t.notOk(isDying(child.pid));
  // The kernel tells nothing of the second signal.
  await stop(child, 'SIGQUIT');
  t.equal(await waiting, 'EINTR');
});

t.test('what settles first counts', async (t) => {
  const pid = await dying(t);
  const abort = new AbortController();
  const caller = { pid, signal: abort.signal };
  t.equal(await interruptible(Promise.resolve(5), caller), 5);
  const end = onInterrupt(caller, () => t.fail('let go after the end'));
  end?.();
  abort.abort();
  t.equal(
    onInterrupt({ pid }, () => t.fail('nobody interrupts')),
    undefined,
  );
  const child = await waitingShell(t, ':');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(isDying(child.pid), 'nobody waits any more');
});

/*
 * Locks of two mounts of one home: who is kept out, who waits and is woken, and what becomes of the locks of processes, mounts
 * and daemons that die or are away.
 */
import t, { type Test } from 'tap';
import { startProxy, type Proxy } from '../../bench/proxy.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { Locker } from '../lib/locker.js';
import { mountHome, type Mounted } from '../lib/mounted.js';

/** Seconds. */
const TERM = 3;

interface Scene {
  readonly daemon: Daemon;
  readonly one: Mounted;
  /** Reaches the daemon by the proxy. */
  readonly two: Mounted;
  readonly proxy: Proxy;
  /** Processes in `one`, `one` and `two`, which have the files f and g open. */
  readonly a: Locker;
  readonly a2: Locker;
  readonly b: Locker;
}

async function scene(t: Test): Promise<Scene> {
  const daemon = await startDaemon(t, {
    users: { alice: { quota: '1G' } },
    args: ['--lease-term', String(TERM)],
  });
  const proxy = await startProxy(t, daemon.port);
  const one = await mountHome(t, daemon, 'alice');
  const two = await mountHome(t, daemon, 'alice', { port: proxy.port });
  const [a, a2, b] = [new Locker(t, one), new Locker(t, one), new Locker(t, two)];
  for (const locker of [a, a2, b]) for (const file of ['f', 'g']) await locker.open(file);
  return { daemon, one, two, proxy, a, a2, b };
}

t.test('who has a lock keeps the other mount out, and wakes who waits there', async (t) => {
  const { a, b } = await scene(t);
  for (const [here, there] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const how of ['posix', 'flock'] as const) {
      t.equal(await here[how]('f', 'w'), 'ok');
      t.equal(await there[how]('f', 'r'), 'EAGAIN');
      const waiting = there[how]('f', 'w', true);
      await there.waits();
      t.equal(await here[how]('f', 'u'), 'ok');
      t.equal(await waiting, 'ok');
      t.equal(await here[how]('f', 'r'), 'EAGAIN');
      t.equal(await there[how]('f', 'u'), 'ok');
    }
    t.equal(await here.run(`posix($f{f}, 'w', 10, 10)`), 'ok');
    t.equal(await there.run(`found($f{f}, 'r', 15, 100)`), 'w 10 10 0', 'a process of another machine');
    t.equal(await there.run(`found($f{f}, 'r', 20, 100)`), 'free');
    t.equal(await there.run(`posix($f{f}, 'w', 20, 10)`), 'ok', 'beside');
    for (const locker of [here, there]) t.equal(await locker.posix('f', 'u'), 'ok');
  }
});

t.test('those who wait under the lease wait behind it, in their order', async (t) => {
  const { a, a2, b } = await scene(t);
  t.equal(await a.flock('f', 'w'), 'ok');
  const second = a2.flock('f', 'w', true);
  await a2.waits();
  t.equal(await b.flock('f', 'r'), 'EAGAIN', 'by then all is at the server');
  const third = b.flock('f', 'w', true);
  await b.waits();
  t.equal(await a.flock('f', 'u'), 'ok');
  t.equal(await second, 'ok');
  t.equal(await a2.flock('f', 'u'), 'ok');
  t.equal(await third, 'ok');
});

t.test('a process that is killed leaves no lock, and one that waits gets none', async (t) => {
  const { a, a2, b } = await scene(t);
  t.equal(await a.posix('f', 'w'), 'ok');
  t.equal(await a.flock('g', 'w'), 'ok');
  const waiting = b.posix('f', 'w', true);
  await b.waits();
  a.service.signal('SIGKILL');
  t.equal(await waiting, 'ok');
  t.equal(await b.flock('g', 'w', true), 'ok');
  a2.posix('f', 'w', true).catch(() => undefined);
  await a2.waits();
  await a2.service.kill();
  t.equal(await b.posix('f', 'u'), 'ok');
  t.equal(await b.posix('f', 'w'), 'ok', 'who was killed did not get it');
});

t.test('a mount that is killed keeps others waiting for the term', async (t) => {
  const { one, a, b } = await scene(t);
  t.equal(await b.posix('g', 'r'), 'ok', "the unit is nobody's");
  t.equal(await a.posix('f', 'w'), 'ok');
  await one.service.kill();
  t.equal(await b.posix('f', 'w'), 'EAGAIN');
  t.equal(await b.posix('f', 'w', true), 'ok');
});

/** One of them is told of the circle, as their waits reach the server in any order; the others go on when it is gone. */
async function breaksCircle(t: Test, waits: readonly (readonly [Locker, Promise<string>])[]): Promise<void> {
  const outcomes: string[] = [];
  const ends = waits.map(async ([locker, wait]) => {
    outcomes.push(await wait);
    await locker.run('close $_ for values %f; 1');
  });
  await Promise.all(ends);
  t.strictSame(outcomes, ['EDEADLK', ...waits.slice(1).map(() => 'ok')]);
}

t.test('a circle over two mounts is refused', async (t) => {
  const { a, b } = await scene(t);
  t.equal(await a.posix('f', 'w'), 'ok');
  t.equal(await b.posix('g', 'w'), 'ok');
  await breaksCircle(t, [
    [a, a.posix('g', 'w', true)],
    [b, b.posix('f', 'w', true)],
  ]);
});

t.test('also by way of a file of which only one mount knows', async (t) => {
  const { a, a2, b } = await scene(t);
  await a.run('mkdir "own"');
  for (const locker of [a, a2]) await locker.open('own/h');
  t.equal(await a2.posix('own/h', 'w'), 'ok');
  t.equal(await a.posix('f', 'w'), 'ok');
  t.equal(await b.posix('g', 'w'), 'ok');
  await breaksCircle(t, [
    [a, a.posix('own/h', 'w', true)],
    [a2, a2.posix('g', 'w', true)],
    [b, b.posix('f', 'w', true)],
  ]);
});

/** What becomes of the names here/f and there/f of one file, and which of them is there then. */
const CHANGED_NAMES = {
  'loses one of its two names': [`unlink 'here/f'`, 'there/f'],
  'has one of its two names taken by another file': [`rename 'here/x', 'here/f'`, 'there/f'],
  'loses the name that the other mount owns': [`unlink 'there/f'`, 'here/f'],
  'is moved': [`unlink 'there/f'; rename 'here/f', 'there/g'`, 'there/g'],
  'has a third name': [`link 'here/f', 'there/g'; unlink 'here/f', 'there/f'`, 'there/g'],
} as const;

t.test('a locked file stays locked in whatever directories it has names', async (t) => {
  const { a, b } = await scene(t);
  for (const [what, [change, left]] of Object.entries(CHANGED_NAMES)) {
    for (const how of ['posix', 'flock'] as const) {
      await a.run(`mkdir 'here'; mkdir 'there'; opened('here/f'); link 'here/f', 'there/f'`);
      // The directory is the other mount's then, and the file nobody's: whoever locks it owns it.
      await b.run(`opened('there/x')`);
      await a.run(`opened('here/x')`);
      await a.open('here/f');
      t.equal(await a[how]('here/f', 'w'), 'ok');
      await a.run(change);
      await b.open(left);
      t.equal(await b[how](left, 'w'), 'EAGAIN', `one that ${what} (${how})`);
      t.equal(await a[how]('here/f', 'u'), 'ok');
      t.equal(await b[how](left, 'w'), 'ok');
      await a.run(`unlink glob('*here/*'); rmdir 'here'; rmdir 'there'`);
    }
  }
});

t.test('a signal interrupts who waits at the server', async (t) => {
  const { a, b } = await scene(t);
  t.equal(await a.posix('f', 'w'), 'ok');
  // Perl restarts nothing.
  const waiting = b.posix('f', 'w', true);
  await b.waits();
  b.service.signal('SIGUSR1');
  t.equal(await waiting, 'EINTR');
  t.equal(await a.posix('f', 'u'), 'ok');
  t.equal(await a.posix('f', 'w'), 'ok', 'it did not get it');
});

t.test('a daemon that is killed is told again what was locked', async (t) => {
  const { daemon, one, a, a2, b } = await scene(t);
  t.equal(await b.posix('f', 'w'), 'ok');
  t.equal(await b.run(`posix($f{f}, 'r', 5, 5)`), 'ok');
  t.equal(await b.flock('g', 'w'), 'ok');
  t.equal(await a.posix('g', 'w'), 'ok');
  const waiting = a.posix('f', 'w', true);
  await a.waits();
  await daemon.kill();
  await daemon.start();
  t.equal(await a2.posix('f', 'r'), 'EAGAIN');
  t.equal(await a2.run(`posix($f{f}, 'r', 6, 2)`), 'ok', 'as it was');
  t.equal(await a2.run(`posix($f{f}, 'u', 0, 0)`), 'ok');
  t.equal(await a2.flock('g', 'r'), 'EAGAIN');
  t.equal(await b.posix('g', 'r'), 'EAGAIN');
  t.equal(await b.posix('f', 'u'), 'ok');
  t.equal(await waiting, 'ok');
  await a.run(`syswrite($f{f}, 'still good')`);
  t.equal(await one.succeed('cat', ['f']), 'still good');
});

t.test('a mount that was cut off for less than the term keeps its locks', async (t) => {
  const { proxy, a, b } = await scene(t);
  t.equal(await b.posix('f', 'w'), 'ok');
  const waiting = a.posix('f', 'w', true);
  await a.waits();
  await proxy.refuse();
  await proxy.resume();
  t.equal(await b.run(`syswrite($f{f}, 'still good')`), '10');
  t.equal(await b.posix('f', 'u'), 'ok');
  t.equal(await waiting, 'ok');
});

t.test('one that was cut off for longer is told: EIO, until the file is closed', async (t) => {
  const { proxy, two, a, b } = await scene(t);
  t.equal(await b.posix('f', 'w'), 'ok');
  t.equal(await b.flock('g', 'w'), 'ok');
  await proxy.refuse();
  t.equal(await a.posix('f', 'w', true), 'ok', 'after the term');
  await proxy.resume();
  t.equal(await b.run(`outcome(syswrite($f{f}, 'lost'))`), 'EIO');
  t.equal(await b.run(`outcome(sysread($f{f}, my $read, 10))`), 'EIO');
  t.equal(await b.posix('f', 'w'), 'EIO');
  t.equal(await b.flock('g', 'w'), 'EIO', 'all of them were taken');
  await b.run('delete $f{f}; 1');
  await b.open('f');
  t.equal(await b.posix('f', 'w'), 'EAGAIN');
  t.equal(await a.posix('f', 'u'), 'ok');
  t.equal(await b.posix('f', 'w'), 'ok');
  t.match(two.service.output, /a lock was lost/);
});

t.test('locks that were taken under a lease are told when the mount is back too late', async (t) => {
  const { proxy, one, two, a, b } = await scene(t);
  await b.run('mkdir "own"');
  await b.open('own/h');
  t.equal(await b.posix('own/h', 'w'), 'ok');
  await two.synced();
  await proxy.refuse();
  await one.succeed('ls', ['-l', 'own']);
  await a.open('own/h');
  t.equal(await a.posix('own/h', 'w'), 'ok');
  await proxy.resume();
  t.equal(await b.posix('own/h', 'w'), 'EIO');
});

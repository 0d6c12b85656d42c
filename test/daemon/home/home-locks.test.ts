/*
 * Locks of several clients of a home: who waits for whom, what the leases have to do with it, and clients that go, are away,
 * or come back.
 */
import t, { type Test } from 'tap';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_FLOCK,
  LOCK_POSIX,
  type LockType,
} from '../../../protocol/file-locks.js';
import { LEASE_TERM_MS } from '../../../protocol/limits.js';
import { LEASE_READ, LEASE_WRITE } from '../../../protocol/methods.js';
import { Call } from '../../../daemon/home/calls/call.js';
import { CONTESTED_MS } from '../../../daemon/home/leases/leases.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { isPending, kindOf, Place, TestClient } from './fixture.js';

const OWNER = 7;

/** Takes or gives back a POSIX lock of a whole file. */
function lock(
  client: TestClient,
  file: unknown,
  type: LockType,
  options: { wait?: boolean; owner?: number; call?: Call } = {},
): Promise<unknown> {
  const { wait = false, owner = OWNER, call = new Call() } = options;
  return client.call('lock', [file, owner, LOCK_POSIX, [type, 0, 99, 4711], wait], call);
}

function relock(client: TestClient, file: unknown, type: LockType): Promise<unknown> {
  return client.call('relock', [file, OWNER, LOCK_POSIX, [[type, 0, 99, 4711]]]);
}

interface Scene {
  readonly disk: Place;
  readonly clock: ManualClock;
  readonly home: UserHome;
  readonly one: TestClient;
  readonly two: TestClient;
}

/** Two mounts of a home with the file d/f; the directory is leased to nobody for writing. */
async function scene(t: Test): Promise<Scene> {
  const disk = new Place(t);
  const clock = new ManualClock();
  const home = await disk.open({ clock });
  const one = new TestClient(home, { wants: LEASE_WRITE });
  const two = new TestClient(home, { wants: LEASE_WRITE });
  await one.paths.mkdir('d');
  await one.paths.put('d/f', 'x');
  await two.paths.stat('d/f');
  return { disk, clock, home, one, two };
}

t.test('one waits for the other, and is told what is in the way', async (t) => {
  const { one, two } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  t.equal(await kindOf(() => lock(two, 'd/f', F_RDLCK)), 'EAGAIN');
  const asked = ['d/f', OWNER, [F_RDLCK, 50, 60, 1]];
  t.strictSame(await two.call('getLock', asked), { type: F_WRLCK, start: 0n, end: 99n, pid: 0 });
  t.equal(await one.call('getLock', asked), null, 'its own');
  const other = await one.call('getLock', ['d/f', OWNER + 1, [F_RDLCK, 50, 60, 1]]);
  t.equal(other?.pid, 4711, 'a process of the same machine');
  const waiting = lock(two, 'd/f', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  await lock(one, 'd/f', F_UNLCK);
  await waiting;
  t.equal(await kindOf(() => lock(one, 'd/f', F_RDLCK)), 'EAGAIN');
});

t.test('a wait is cancelled; a directory has no locks', async (t) => {
  const { one, two } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  const call = new Call();
  const waiting = lock(two, 'd/f', F_WRLCK, { wait: true, call });
  t.ok(await isPending(waiting));
  call.cancel();
  t.equal(await kindOf(() => waiting), 'ECANCELED');
  await lock(one, 'd/f', F_UNLCK);
  await lock(one, 'd/f', F_WRLCK);
  t.equal(await kindOf(() => lock(one, 'd', F_WRLCK)), 'EISDIR');
});

t.test('a circle over two clients and two files', async (t) => {
  const { one, two } = await scene(t);
  await one.paths.put('g', '');
  await lock(one, 'd/f', F_WRLCK);
  await lock(two, 'g', F_WRLCK);
  const waiting = lock(one, 'g', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  t.equal(await kindOf(() => lock(two, 'd/f', F_WRLCK, { wait: true })), 'EDEADLK');
  await lock(two, 'g', F_UNLCK);
  await waiting;
});

t.test('who owns the unit for writing hands its locks over with the recall', async (t) => {
  const disk = new Place(t);
  const home = await disk.open();
  const owner = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await owner.paths.put('f', 'x');
  const other = new TestClient(home, { wants: LEASE_WRITE });
  const waiting = lock(other, 'f', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  t.strictSame(owner.recalls(), [[home.identities.root.ino, LEASE_READ]]);
  await relock(owner, 'f', F_WRLCK);
  owner.give([[home.identities.root.ino, LEASE_READ]]);
  t.ok(await isPending(waiting), 'for the lock by now');
  await lock(owner, 'f', F_UNLCK);
  await waiting;
});

t.test('where another one has locks, or waits, nobody gets the unit for writing', async (t) => {
  const { one, two, clock, home } = await scene(t);
  const unit = BigInt((await one.paths.stat('d')).ino);
  const modeOfOne = async (): Promise<number> => {
    clock.pass(CONTESTED_MS + 1);
    await one.paths.setattr('d/f', { mode: 0o600 });
    return home.leases.mode(one.client, unit);
  };
  await lock(two, 'd/f', F_RDLCK);
  t.equal(await modeOfOne(), LEASE_READ);
  await lock(one, 'd/f', F_RDLCK);
  await lock(two, 'd/f', F_UNLCK);
  const waiting = lock(two, 'd/f', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  t.equal(await modeOfOne(), LEASE_READ);
  await lock(one, 'd/f', F_UNLCK);
  await waiting;
  await lock(two, 'd/f', F_UNLCK);
  t.equal(await modeOfOne(), LEASE_WRITE);
});

t.test('a locked file that comes into a unit that is leased for writing takes that along', async (t) => {
  const { one, two, clock, home } = await scene(t);
  await one.paths.mkdir('own');
  clock.pass(CONTESTED_MS + 1);
  await one.paths.put('own/g', '');
  const unit = BigInt((await one.paths.stat('own')).ino);
  t.equal(home.leases.mode(one.client, unit), LEASE_WRITE);
  await lock(two, 'd/f', F_WRLCK);
  one.recalls();
  await one.paths.rename('d/f', 'own/f');
  t.strictSame(one.recalls(), [[unit, LEASE_READ]]);
  t.equal(await kindOf(() => lock(one, 'own/f', F_RDLCK)), 'EAGAIN');
  await one.paths.link('own/f', 'second');
  const own = BigInt((await one.paths.stat('second')).ino);
  t.equal(home.leases.mode(one.client, own), LEASE_READ);
});

t.test('a client that logs out has no locks any more, nor one that is away for the term', async (t) => {
  const { one, two, clock, home } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  const waiting = lock(two, 'd/f', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  home.logout(one.client);
  await waiting;
  const three = new TestClient(home, { wants: LEASE_READ });
  const asked = lock(three, 'd/f', F_WRLCK, { wait: true });
  t.ok(await isPending(asked));
  two.leave();
  clock.pass(LEASE_TERM_MS - 1);
  t.ok(await isPending(asked));
  clock.pass(1);
  await asked;
  const back = new TestClient(home, { wants: LEASE_WRITE, id: two.id });
  await lock(three, 'd/f', F_UNLCK);
  t.equal(await kindOf(() => relock(back, 'd/f', F_WRLCK)), 'ENOLCK', 'others have had it');
  await lock(back, 'd/f', F_WRLCK);
});

t.test(
  'what a client had locked that logs out is free piece by piece, but for the same id at once',
  async (t) => {
    const disk = new Place(t);
    const home = await disk.open({ sliceMs: 0 });
    const [one, two] = [new TestClient(home), new TestClient(home)];
    const names = Array.from({ length: 1000 }, (_, i) => `f${i}`);
    for (const name of names) {
      await one.paths.put(name, '');
      await lock(one, name, F_WRLCK);
    }
    const waiting = names.map((name) => lock(two, name, F_WRLCK, { wait: true }));
    t.ok(await isPending(Promise.race(waiting)));
    home.logout(one.client);
    t.ok(await isPending(Promise.all(waiting)), 'others have had a turn');
    await Promise.all(waiting);
    for (const name of names) await lock(two, name, F_UNLCK);

    home.logout(two.client);
    const three = new TestClient(home);
    for (const name of names) await lock(three, name, F_WRLCK);
    home.logout(three.client);
    const again = new TestClient(home, { id: three.id });
    for (const name of names) await lock(again, name, F_WRLCK);
    await new Promise((resolve) => setImmediate(resolve));
    const other = new TestClient(home);
    t.equal(await kindOf(() => lock(other, 'f999', F_WRLCK)), 'EAGAIN');
  },
);

t.test(
  'who was away for longer, while nobody waited, keeps its locks; who asks then gets them',
  async (t) => {
    const { one, two, clock, home } = await scene(t);
    await lock(one, 'd/f', F_WRLCK);
    one.leave();
    clock.pass(2 * LEASE_TERM_MS);
    const back = new TestClient(home, { wants: LEASE_WRITE, id: one.id });
    t.equal(await kindOf(() => lock(two, 'd/f', F_RDLCK)), 'EAGAIN');
    await relock(back, 'd/f', F_WRLCK);
    back.leave();
    clock.pass(LEASE_TERM_MS);
    await lock(two, 'd/f', F_RDLCK);
  },
);

t.test('who is connected and silent is asked for a word, and then has no locks any more', async (t) => {
  const { two, clock, home } = await scene(t);
  const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await lock(one, 'd/f', F_WRLCK);
  const waiting = lock(two, 'd/f', F_WRLCK, { wait: true });
  t.ok(await isPending(waiting));
  const asked = (): number[] => one.recalls().map(([, mode]) => mode);
  asked();
  clock.pass(LEASE_TERM_MS / 2);
  t.strictSame(asked(), [LEASE_READ]);
  one.client.heard();
  clock.pass(LEASE_TERM_MS - 1);
  t.strictSame(asked(), [LEASE_READ], 'again');
  t.ok(await isPending(waiting), 'the term is counted from its last word');
  t.equal(one.dropped, undefined);
  clock.pass(1);
  await waiting;
  t.equal(one.dropped?.kind, 'ETIMEDOUT');
});

t.test('leases that are lost take the locks with them', async (t) => {
  const { one, two, clock, home } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  const keeper = new TestClient(home, { wants: LEASE_WRITE, id: one.id, keeps: true });
  await keeper.paths.stat('d/f');
  const change = two.paths.setattr('d/f', { mode: 0o600 });
  t.ok(await isPending(change));
  clock.pass(LEASE_TERM_MS);
  await change;
  t.equal(keeper.dropped?.kind, 'ETIMEDOUT');
  await lock(two, 'd/f', F_WRLCK);
});

/** The home is open anew: one had a file locked, and the other has come back and waits for it. */
async function restarted(t: Test) {
  const { disk, home, one, two } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  await home.close();
  const clock = new ManualClock();
  const again = await disk.open({ clock });
  const other = new TestClient(again, { wants: LEASE_WRITE, id: two.id });
  const waiting = lock(other, 'd/f', F_WRLCK, { wait: true });
  const comeBack = (): TestClient => new TestClient(again, { wants: LEASE_WRITE, id: one.id });
  return { clock, other, waiting, comeBack };
}

t.test('after a restart locks are said again before others may have them', async (t) => {
  const { other, waiting, comeBack } = await restarted(t);
  t.ok(await isPending(waiting));
  const back = comeBack();
  await relock(back, 'd/f', F_WRLCK);
  t.ok(await isPending(waiting), 'it may have more to say');
  await back.call('returned', [[]]);
  t.equal(await kindOf(() => lock(other, 'd/f', F_RDLCK)), 'EAGAIN');
  await lock(back, 'd/f', F_UNLCK);
  await waiting;
});

t.test('who comes back after the grace period has nothing to say', async (t) => {
  const { clock, other, waiting, comeBack } = await restarted(t);
  clock.pass(2 * LEASE_TERM_MS);
  await waiting;
  await lock(other, 'd/f', F_UNLCK);
  const back = comeBack();
  t.equal(await kindOf(() => relock(back, 'd/f', F_WRLCK)), 'ENOLCK');
});

t.test('flock and POSIX locks do not meet', async (t) => {
  const { one, two } = await scene(t);
  await lock(one, 'd/f', F_WRLCK);
  await two.call('lock', ['d/f', OWNER, LOCK_FLOCK, [F_WRLCK, 0, 99, 1], false]);
});

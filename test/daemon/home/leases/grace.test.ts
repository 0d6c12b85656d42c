/*
 * After a restart: who is waited for, and what those who come back may do meanwhile.
 */
import t, { type Test } from 'tap';
import { LEASE_TERM_MS } from '../../../../protocol/limits.js';
import { LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../../protocol/methods.js';
import { MKDIR, packOperation, RMDIR, type Operation } from '../../../../protocol/operations.js';
import { Grace } from '../../../../daemon/home/leases/grace.js';
import type { UserHome } from '../../../../daemon/home/user-home.js';
import { ManualClock } from '../../../lib/manual-clock.js';
import { place } from '../../../lib/path-client.js';
import { isPending, Place, TestClient } from '../fixture.js';

function mkdir(path: string): Operation {
  return { kind: MKDIR, ...place(path), time: null, mode: 0o755, id: null };
}

void t.test('clients are held up by those that are missing, but not by themselves', (t) => {
  const clock = new ManualClock();
  let changes = 0;
  const grace = new Grace({
    ...{ expected: ['a', 'b'], clock, ms: 1000 },
    onMissed: () => t.fail('they were there'),
    onChanged: () => (changes += 1),
  });
  t.strictSame(
    ['a', 'b', 'c'].map((id) => grace.holdsUp(id)),
    [true, true, true],
  );
  t.notOk(grace.isAlone('a'));
  grace.back('c');
  t.equal(changes, 0, 'nobody waited for it');
  grace.back('a');
  t.strictSame(
    ['a', 'b', 'c'].map((id) => grace.holdsUp(id)),
    [true, false, true],
  );
  grace.back('b');
  t.strictSame(
    ['a', 'b', 'c'].map((id) => grace.holdsUp(id)),
    [false, false, false],
  );
  t.equal(changes, 2);
  clock.pass(2000);
  t.equal(changes, 2, 'the time is not waited for any more');
  t.end();
});

void t.test('after the term nobody is waited for', (t) => {
  const clock = new ManualClock();
  let changes = 0;
  const missed: string[] = [];
  const grace = new Grace({
    ...{ expected: ['a', 'b'], clock, ms: 1000 },
    onMissed: (ids) => missed.push(...ids),
    onChanged: () => (changes += 1),
  });
  grace.back('b');
  t.notOk(grace.isAlone('a'), 'there were two');
  clock.pass(1000);
  t.strictSame([changes, missed], [2, ['a']]);
  t.notOk(grace.holdsUp('b') || grace.isMissing('a'));
  t.end();
});

/** A home that two mounts, with leases, and a plain client used when its daemon was killed. */
async function restarted(t: Test): Promise<{
  home: UserHome;
  disk: Place;
  clock: ManualClock;
  ids: { one: Buffer; two: Buffer; plain: Buffer };
}> {
  const disk = new Place(t);
  const before = await disk.open();
  const one = new TestClient(before, { wants: LEASE_WRITE });
  const two = new TestClient(before, { wants: LEASE_WRITE });
  const plain = new TestClient(before);
  await one.paths.mkdir('d');
  await one.paths.mkdir('e');
  await two.paths.mkdir('e/of-two');
  await plain.paths.create('p');
  await before.close();
  const clock = new ManualClock();
  return {
    home: await disk.open({ clock }),
    disk,
    clock,
    ids: { one: one.id, two: two.id, plain: plain.id },
  };
}

void t.test('until all with leases are back others wait, and nothing is leased', async (t) => {
  const { home, ids } = await restarted(t);
  const plain = new TestClient(home, { id: ids.plain });
  const reading = plain.call('getattr', ['d']);
  t.ok(await isPending(reading));
  const one = new TestClient(home, { id: ids.one, wants: LEASE_WRITE });
  t.strictSame([one.resumed, one.leased, one.covered], [false, false, true]);
  t.strictSame(
    (await one.call('apply', [1, [mkdir('d/x')].map(packOperation), null]))[0],
    1,
    'its log is taken',
  );
  const own = one.call('getattr', ['d']);
  t.ok(await isPending(own), 'another may have what it asks for');
  t.ok(await isPending(reading));
  const two = new TestClient(home, { id: ids.two, wants: LEASE_WRITE });
  await two.call('statfs', []);
  await Promise.all([own, reading]);
  const homes = [...one.leases(), ...two.leases()].filter(([unit]) => unit === WHOLE_HOME);
  t.strictSame(homes, [[WHOLE_HOME, LEASE_WRITE]], 'one of them has the home now');
});

void t.test('who does not come back is waited for as long as its leases may last', async (t) => {
  const { home, clock, ids } = await restarted(t);
  const one = new TestClient(home, { id: ids.one, wants: LEASE_WRITE });
  const reading = one.call('getattr', ['d']);
  clock.pass(LEASE_TERM_MS - 1);
  t.ok(await isPending(reading));
  clock.pass(1);
  await reading;
  t.strictSame(one.leases()[0], [WHOLE_HOME, LEASE_WRITE]);
});

void t.test('the only one with leases finds all as it was', async (t) => {
  const disk = new Place(t);
  const before = await disk.open();
  const first = new TestClient(before, { wants: LEASE_WRITE });
  await first.call('apply', [1, [mkdir('d')].map(packOperation), null]);
  await before.close();
  const home = await disk.open();
  const stranger = new TestClient(home, { wants: LEASE_WRITE });
  const reading = stranger.call('getattr', ['']);
  const again = new TestClient(home, { id: first.id, wants: LEASE_WRITE });
  t.strictSame([again.resumed, again.leased], [false, true]);
  t.strictSame(again.leases(), [[WHOLE_HOME, LEASE_WRITE]]);
  t.equal(again.client.marks?.applied, 1);
  t.ok(await isPending(reading), 'its log may still come');
  t.equal((await again.call('apply', [2, [mkdir('d/x')].map(packOperation), null]))[0], 2);
  await again.call('getattr', ['']);
  await reading;
  t.strictSame(stranger.leases(), [[(await stranger.paths.stat('')).ino, LEASE_READ]]);
});

void t.test('an operation that was under way when the daemon was killed is not done twice', async (t) => {
  const disk = new Place(t);
  const before = await disk.open();
  const first = new TestClient(before, { wants: LEASE_WRITE });
  await first.paths.mkdir('d');
  const { ino, birth } = await first.paths.stat('d');
  const rmdir: Operation = { kind: RMDIR, ...place('d'), time: null, id: { ino, birth } };
  const log = [rmdir].map(packOperation);
  t.strictSame((await first.call('apply', [1, log, null]))[0], 1);
  first.client.marks?.setApplied(0); // as if it had been killed just before this was marked
  await before.close();
  const home = await disk.open();
  const again = new TestClient(home, { id: first.id, wants: LEASE_WRITE });
  const [applied, , , , outcomes] = await again.call('apply', [1, log, null]);
  t.strictSame([applied, outcomes], [1, []]);
  await again.call('statfs', []);
  const [reapplied, , , , failures] = await again.call('apply', [2, log, null]);
  t.strictSame([reapplied, failures[0]?.[1]?.[0]], [2, 'ENOENT'], 'what is new is judged as new');
});

void t.test('who had lost its leases before, or has logged out, is not waited for', async (t) => {
  const disk = new Place(t);
  const clock = new ManualClock();
  const before = await disk.open({ clock });
  const one = new TestClient(before, { wants: LEASE_WRITE, keeps: true });
  const two = new TestClient(before, { wants: LEASE_WRITE });
  const reading = two.call('getattr', ['']);
  clock.pass(LEASE_TERM_MS);
  await reading;
  t.equal(one.dropped?.kind, 'ETIMEDOUT');
  before.logout(two.client);
  await before.close();
  const home = await disk.open();
  await new TestClient(home).call('getattr', ['']);
  const again = new TestClient(home, { id: one.id, wants: LEASE_WRITE });
  t.strictSame(
    [again.leased, again.covered],
    [false, false],
    'others may have changed what its log is about',
  );
  t.strictSame(again.leases(), [[WHOLE_HOME, LEASE_WRITE]]);
});

void t.test('who did not come back is waited for once', async (t) => {
  const { home, disk, clock, ids } = await restarted(t);
  const one = new TestClient(home, { id: ids.one, wants: LEASE_WRITE });
  const reading = one.call('getattr', ['d']);
  clock.pass(LEASE_TERM_MS);
  await reading;
  await home.close();
  const again = await disk.open();
  const plain = new TestClient(again, { id: ids.plain });
  t.ok(await isPending(plain.call('getattr', ['d'])), 'the other one may come back again');
  const back = new TestClient(again, { id: ids.one, wants: LEASE_WRITE });
  t.equal(back.leased, true, 'and nobody else can have had anything');
  await back.call('getattr', ['d']);
  const late = new TestClient(again, { id: ids.two, wants: LEASE_WRITE });
  t.equal(late.leased, false);
  t.equal(late.client.marks?.applied, 0, 'its marks are there');
});

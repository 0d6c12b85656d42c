/*
 * A home on a disk that takes no changes, or of which a sync failed: what its clients are told, and what they keep.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { LEASE_TERM_MS, RESUME_MS } from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_WRITE } from '../../../protocol/methods.js';
import { MKDIR, packOperation, type Operation } from '../../../protocol/operations.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { place } from '../../lib/path-client.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

function mkdir(path: string): Operation {
  return { kind: MKDIR, ...place(path), time: null, mode: 0o755, id: null };
}

void t.test('without room for its marks a client works without leases', async (t) => {
  const home = await new Place(t).open();
  home.tree.makeOwn = () => {
    throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  const client = new TestClient(home, { wants: LEASE_WRITE });
  t.strictSame([client.client.wants, client.leases()], [LEASE_NONE, []]);
  await client.paths.mkdir('d');
  t.equal(await kindOf(() => client.call('apply', [1, [mkdir('e')].map(packOperation), null])), 'ENOSPC');
});

/** The daemon's own directory cannot be changed any more. */
function makeReadOnly(home: UserHome): void {
  home.tree.openOwn = () => {
    throw Object.assign(new Error('read-only'), { code: 'EROFS' });
  };
}

homeTest('a logout is whole although its marks cannot be removed', {}, async (t, home, disk) => {
  const first = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await first.paths.put('f', 'x');
  await first.call('hold', ['f']);
  await first.call('download', ['f']);
  await first.paths.unlink('f');
  const other = new TestClient(home);
  const reading = other.call('getattr', ['']);
  makeReadOnly(home);
  const open = readdirSync('/proc/self/fd').length;
  home.logout(first.client);
  await reading;
  const { bytes, files, handles } = home.status();
  t.strictSame([bytes, files, handles], [0, 0, 0]);
  t.equal(readdirSync('/proc/self/fd').length, open - 2, 'the file and the marks were closed');
  t.strictSame(
    disk.lines.filter(({ level }) => level === 'error').map(({ fields }) => String(fields['error'])),
    ['Error: read-only'],
    'it is said in the log',
  );
});

void t.test('a client that stays away ends although its marks cannot be removed', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t).open({ clock });
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  client.leave();
  makeReadOnly(home);
  clock.pass(RESUME_MS);
  t.equal(home.status().clients, 0);
});

void t.test('leases are lost in time although the marks cannot be written', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t).open({ clock });
  const silent = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const other = new TestClient(home, { wants: LEASE_WRITE });
  for (const { client } of [silent, other]) {
    client.mark().setLeased = () => {
      throw Object.assign(new Error('read-only'), { code: 'EROFS' });
    };
  }
  const reading = other.call('getattr', ['']);
  clock.pass(LEASE_TERM_MS);
  await reading;
  t.equal(silent.dropped?.kind, 'ETIMEDOUT');
});

void t.test('a home on a disk that takes no changes is opened and read', async (t) => {
  const disk = new Place(t);
  const before = await disk.open();
  const first = new TestClient(before, { wants: LEASE_WRITE });
  await first.paths.put('f', 'x');
  await first.call('grant', [0, 0, 1, 1]);
  await before.close();
  execFileSync('mount', ['--bind', disk.directory, disk.directory]);
  t.teardown(() => execFileSync('umount', ['-l', disk.directory]));
  execFileSync('mount', ['-o', 'remount,ro,bind', disk.directory]);
  const clock = new ManualClock();
  const home = await disk.open({ clock });
  const other = new TestClient(home, { wants: LEASE_WRITE });
  const reading = other.paths.read('f');
  clock.pass(LEASE_TERM_MS);
  t.equal(String(await reading), 'x');
  t.equal(await kindOf(() => other.paths.mkdir('d')), 'EROFS');
  t.throws(
    () => new TestClient(home, { id: first.id, wants: LEASE_WRITE }),
    { code: 'EROFS' },
    'nobody is told a number of which it is not known whether it is right',
  );
  t.equal(home.status().sessions, 1);
  await home.close();
});

/** A home whose next sync fails when it is told to. */
async function onBrokenDisk(
  t: Test,
  disk: Place = new Place(t),
): Promise<{ home: UserHome; broken: () => void }> {
  let broken = false;
  const home = await disk.open({
    sync: () => {
      if (!broken) return Promise.resolve();
      broken = false;
      return Promise.reject(Object.assign(new Error('broken'), { code: 'EIO' }));
    },
  });
  return {
    home,
    broken: () => {
      broken = true;
    },
  };
}

void t.test('what a failed sync may have lost is sent again before it is called durable', async (t) => {
  const { home, broken } = await onBrokenDisk(t);
  const first = new TestClient(home, { wants: LEASE_WRITE });
  const log = [mkdir('d'), mkdir('d/e')].map(packOperation);
  await first.call('apply', [1, log.slice(0, 1), null]);
  t.equal(await first.call('sync', [1]), 1);
  await first.call('apply', [2, log.slice(1), null]);
  broken();
  t.equal(await kindOf(() => first.call('sync', [2])), 'EIO');
  t.equal(first.asked.length, 1, 'it is to connect again');
  t.equal(first.client.marks?.applied, 1);
  first.leave();
  const again = new TestClient(home, { id: first.id, wants: LEASE_WRITE });
  t.strictSame([again.resumed, again.leased], [true, true]);
  t.equal(await again.call('sync', [1]), 1, 'nothing else is durable, whatever is synced later');
  const [applied, , , , outcomes] = await again.call('apply', [2, log.slice(1), null]);
  const failures = outcomes.filter(([, error]) => error !== null);
  t.strictSame([applied, failures], [2, []], 'it is judged as a replay');
  t.equal(await again.call('sync', [2]), 2);
  const [, , , , more] = await again.call('apply', [3, [mkdir('d/e')].map(packOperation), null]);
  t.equal(more[0]?.[1]?.[0], 'EEXIST', 'and what is new as new');
});

void t.test('a sync that failed is told to each client once', async (t) => {
  const { home, broken } = await onBrokenDisk(t);
  const one = new TestClient(home);
  const two = new TestClient(home);
  await one.paths.mkdir('one');
  await two.paths.mkdir('two');
  broken();
  t.equal(await kindOf(() => one.call('sync', [0])), 'EIO');
  await one.call('sync', [0]);
  t.equal(await kindOf(() => two.call('sync', [0])), 'EIO');
  await two.call('sync', [0]);
  t.strictSame([one.asked, two.asked], [[], []], 'they have nothing to send again');
  await new TestClient(home).call('sync', [0]);
});

void t.test('who was away when a sync failed sends again, too', async (t) => {
  const disk = new Place(t);
  const before = await disk.open();
  const missing = new TestClient(before, { wants: LEASE_WRITE });
  await missing.call('apply', [1, [mkdir('a')].map(packOperation), null]);
  missing.client.mark().setDurable = () => undefined; // as if it had been killed before
  await before.close();
  const { home, broken } = await onBrokenDisk(t, disk);
  const other = new TestClient(home);
  broken();
  t.equal(await kindOf(() => other.call('sync', [0])), 'EIO');
  const back = new TestClient(home, { id: missing.id, wants: LEASE_WRITE });
  t.equal(back.client.marks?.applied, 0);
  t.equal((await back.call('apply', [1, [mkdir('a')].map(packOperation), null]))[0], 1);
  await back.call('statfs', []);
  await back.call('apply', [2, [mkdir('b')].map(packOperation), null]);
  back.leave();
  broken();
  t.equal(await kindOf(() => other.call('sync', [0])), 'EIO');
  const again = new TestClient(home, { id: missing.id, wants: LEASE_WRITE });
  t.equal(again.client.marks?.applied, 0);
});

void t.test('a home of which a sync failed is counted when it is opened next', async (t) => {
  const disk = new Place(t);
  const { home, broken } = await onBrokenDisk(t, disk);
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  broken();
  await kindOf(() => client.call('sync', [0]));
  home.logout(client.client);
  await home.close();
  t.equal(disk.state.ledger.read(disk.user)?.clean, false);
  t.ok(disk.lines.some(({ message }) => message === 'the home was not synced'));
});

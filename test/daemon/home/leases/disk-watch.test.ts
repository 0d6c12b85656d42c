/*
 * What others change on the disk is taken back from who believes it; what the daemon does itself is not.
 */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PosixError } from '../../../../posix/error.js';
import { LEASE_NONE, LEASE_WRITE, WHOLE_HOME, type LeaseItem } from '../../../../protocol/methods.js';
import { UNWATCHED_MS } from '../../../../protocol/limits.js';
import { CLOCK } from '../../../../daemon/home/calls/clock.js';
import { DiskWatch } from '../../../../daemon/home/leases/disk-watch.js';
import type { LeaseHolder } from '../../../../daemon/home/leases/lease-table.js';
import type { UserHome } from '../../../../daemon/home/user-home.js';
import { ManualClock } from '../../../lib/manual-clock.js';
import { succeed } from '../../../lib/run.js';
import { Place, TestClient } from '../fixture.js';
import { mkdir, partsTest, rmdir, type Parts } from '../home-parts.js';

/** Waits for recalls; which units it were. */
async function recalled(client: TestClient): Promise<bigint[]> {
  let items: LeaseItem[] = [];
  while (items.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    items = client.recalls();
  }
  for (const [, mode] of items) if (mode !== LEASE_NONE) throw new Error('only down to read');
  return items.map(([unit]) => unit);
}

/** A test with an open home, of which others change something: it is not charged for that. */
function sharedTest(name: string, body: (t: Test, home: UserHome, place: Place) => Promise<void>): void {
  void t.test(name, async (t) => {
    const place = new Place(t);
    await body(t, await place.open(), place);
  });
}

function inHome(place: Place): (command: string) => Promise<string> {
  return (command) => succeed('sh', ['-c', command], { cwd: place.directory });
}

/** Somebody changes something in the home itself: what happened before was told before. */
async function nothingBut(t: Test, client: TestClient, home: UserHome, place: Place): Promise<void> {
  await inHome(place)('touch last');
  t.strictSame(await recalled(client), [home.identities.root.ino], 'nothing else was taken back');
}

sharedTest(
  'what others do in a directory takes it back, and what is not touched by it stays',
  async (t, home, place) => {
    const outside = inHome(place);
    const client = new TestClient(home, { wants: LEASE_WRITE });
    const d = await client.paths.mkdir('d');
    const sub = await client.paths.mkdir('d/sub');
    await client.paths.put('d/f', 'content');
    await client.paths.list('');
    t.strictSame(client.recalls(), []);
    for (const command of [
      'echo x >> d/f',
      'chmod 600 d/f',
      'touch -d 2001-01-01 d/f',
      'truncate -s 3 d/f',
      'echo new > d/new',
      'mv d/new d/f',
      'ln -s there d/link',
      'rm d/link',
      'mkfifo d/fifo',
    ]) {
      await outside(command);
      t.strictSame(await recalled(client), [d.ino], command);
      await client.paths.list('d');
    }
    await outside('chmod 700 d/sub');
    t.ok((await recalled(client)).includes(sub.ino), 'a directory');
    await client.paths.list('d/sub');
    await outside('touch d/sub/f');
    t.strictSame(await recalled(client), [sub.ino], 'in it');
    await outside('mv d/sub moved');
    const moved = new Set<bigint>();
    while (moved.size < 3) for (const unit of await recalled(client)) moved.add(unit);
    t.strictSame(
      moved,
      new Set([home.identities.root.ino, d.ino, sub.ino]),
      'both directories, and what was moved',
    );
  },
);

sharedTest('who is alone has back at once what it gave', async (t, home, place) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  await client.paths.list('');
  t.strictSame(client.leases(), [[WHOLE_HOME, LEASE_WRITE]]);
  await inHome(place)('touch f');
  await recalled(client);
  t.strictSame(client.leases(), [[home.identities.root.ino, LEASE_WRITE]]);
  t.ok(home.leases.holdsAll(client.client));
  await nothingBut(t, client, home, place);
});

sharedTest('own work takes nothing back', async (t, home, place) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const { paths } = client;
  await paths.list('');
  for (const name of ['a', 'b']) {
    await paths.mkdir(name);
    for (let i = 0; i < 100; i++) {
      await paths.put(`${name}/${i}`, 'content');
      await paths.setattr(`${name}/${i}`, { mode: 0o600, size: 3, mtime: 'now' });
    }
    await paths.link(`${name}/1`, `${name}/linked`);
    await paths.rename(`${name}/2`, `${name}/renamed`);
    await paths.symlink('there', `${name}/link`);
    await paths.list(name);
  }
  await paths.rename('a/renamed', 'b/moved');
  for (const name of await paths.list('a')) await paths.unlink(`a/${name}`);
  await paths.rmdir('a');
  const [handle] = await client.call('uploadBegin', ['up', 3, 0o644, 0, 0, Buffer.alloc(32)]);
  await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
  await client.call('uploadFinish', [handle, Buffer.from('900150983cd24fb0d6963f7d28e17f72', 'hex')]);
  await client.call('grant', [1000, 10, 10, 10]);
  await nothingBut(t, client, home, place);
});

sharedTest('a file with several names, by each of them', async (t, home, place) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  await client.paths.mkdir('d');
  await client.paths.put('f', 'x');
  const { ino } = await client.paths.link('f', 'd/g');
  // Somebody looks at one of the names only.
  await inHome(place)('echo more >> d/g');
  t.ok((await recalled(client)).includes(ino), 'written');
  await client.paths.stat('f');
  await inHome(place)('rm d/g');
  const units = new Set<bigint>();
  while (!units.has(ino)) for (const unit of await recalled(client)) units.add(unit);
  t.ok(units.has(ino), 'a name removed');
});

void t.test('where nothing can be watched, what was told is taken back after a while, once', async (t) => {
  const place = new Place(t);
  const clock = new ManualClock();
  let opened = 0;
  const openWatch = (): never => {
    opened += 1;
    throw new PosixError(constants.errno.EPERM, 'fanotify_init');
  };
  const home = await place.open({ clock, openWatch });
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const root = home.identities.root.ino;
  const { ino } = await client.paths.mkdir('d');
  clock.pass(UNWATCHED_MS - 1);
  t.strictSame(client.recalls(), []);
  clock.pass(1);
  t.strictSame(
    client.recalls().map(([unit]) => unit),
    [root, ino],
  );
  await Promise.resolve(); // it gives back
  clock.pass(10 * UNWATCHED_MS);
  t.strictSame(client.recalls(), [], 'nothing is told of, and nothing is taken back');
  await client.paths.stat('d');
  clock.pass(UNWATCHED_MS);
  t.not(client.recalls().length, 0, 'told anew');
  t.equal(opened, 1);
  t.equal(place.lines.filter(({ message }) => message.includes('cannot be watched')).length, 1);
});

void t.test('a client that believes nothing has nothing watched', async (t) => {
  const place = new Place(t);
  const openWatch = (): never => t.fail('it was opened') as never;
  const home = await place.open({ openWatch });
  const client = new TestClient(home, { wants: LEASE_NONE });
  await client.paths.mkdir('d');
  t.strictSame(await client.paths.list(''), ['d']);
});

/** Of a client, what the watch looks at. */
const believer = { wants: LEASE_WRITE } as LeaseHolder;

/** A watch of its own, and what it told. */
function watchOf(
  t: Test,
  parts: Parts,
  maxWatched?: number,
  open?: () => never,
): { watch: DiskWatch; changed: bigint[] } {
  const changed: bigint[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  const watch = new DiskWatch({
    ...{ identities: parts.identities, held: parts.held, log, maxWatched, open },
    clock: {
      ...CLOCK,
      after: (ms, act) => {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
      },
    },
    onChanged: (units) => changed.push(...units),
  });
  t.teardown(() => watch.close());
  return { watch, changed };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

partsTest('the oldest make room', {}, async (t, parts) => {
  const { watch, changed } = watchOf(t, parts, 4);
  const client = parts.client();
  const units = Array.from({ length: 5 }, (_, i) => client.changed(mkdir(parts.home, `d${i}`)).ino);
  for (const unit of units.slice(0, 4)) {
    t.ok(watch.cover(believer, [{ unit, write: false }]), 'watched from now on');
    t.notOk(watch.cover(believer, [{ unit, write: false }]), 'as it was');
  }
  t.strictSame(changed, []);
  watch.cover(believer, [{ unit: units[4] ?? 0n, write: false }]);
  t.strictSame(changed.splice(0), units.slice(0, 2), 'the oldest are taken back');
  await succeed('sh', ['-c', 'touch d0/f d1/f d2/f d3/f d4/f'], { cwd: parts.directory });
  await until(() => changed.length >= 3);
  t.strictSame(changed, units.slice(2));
  await succeed('sh', ['-c', 'rm d*/f'], { cwd: parts.directory });
  watch.close();
});

partsTest('so is what cannot be watched', {}, (t, parts) => {
  const cannot = (): never => {
    throw new PosixError(constants.errno.EPERM, 'fanotify_init');
  };
  const { watch, changed } = watchOf(t, parts, 4, cannot);
  const units = Array.from({ length: 1000 }, (_, i) => BigInt(i + 100));
  for (const unit of units) watch.cover(believer, [{ unit, write: false }]);
  t.ok(changed.length >= units.length - 4, 'the oldest are taken back');
  t.strictSame(changed, units.slice(0, changed.length), 'each once');
  watch.close();
});

partsTest('a number that is used again is another directory', {}, async (t, parts) => {
  const { watch, changed } = watchOf(t, parts);
  const client = parts.client();
  const seen = new Set<bigint>();
  let ino = 0n;
  // At once, mostly; not where others use the disk meanwhile.
  for (let i = 0; i < 5_000; i++) {
    ({ ino } = client.changed(mkdir(parts.home, 'd')));
    watch.made(believer, ino);
    if (seen.has(ino)) break;
    seen.add(ino);
    client.change(rmdir(parts.home, 'd'));
    watch.removed(ino);
  }
  t.ok(seen.has(ino), 'the disk has used a number again');
  await succeed('touch', ['d/f'], { cwd: parts.directory });
  await until(() => changed.length > 0);
  t.strictSame(changed, [ino]);
  await succeed('rm', ['d/f'], { cwd: parts.directory });
  watch.close();
});

partsTest('events that were lost may have been of anything', {}, async (t, parts) => {
  const { watch, changed } = watchOf(t, parts);
  const client = parts.client();
  const units = ['a', 'b'].map((name) => client.changed(mkdir(parts.home, name)).ino);
  const touches = units.map((unit) => ({ unit, write: false }));
  t.ok(watch.cover(believer, touches));
  const many = 'for (my $i = 0; $i < 20000; $i++) { open(my $f, ">", "f$i"); close($f); unlink("f$i"); }';
  // Meanwhile nothing is read.
  spawnSync('perl', ['-e', many], { cwd: join(parts.directory, 'a') });
  await until(() => units.every((unit) => changed.includes(unit)));
  t.ok(watch.cover(believer, touches), 'watched anew');
  changed.splice(0);
  await succeed('touch', ['b/f'], { cwd: parts.directory });
  await until(() => changed.includes(units[1] ?? 0n));
  await succeed('rm', ['b/f'], { cwd: parts.directory });
  watch.close();
});

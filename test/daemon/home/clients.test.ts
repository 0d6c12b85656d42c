/*
 * Clients over lost connections, and several that share a home by leases.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { LEASE_TERM_MS, RESUME_MS } from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { LINK, MKDIR, packOperation, RMDIR, type Operation } from '../../../protocol/operations.js';
import { Call } from '../../../daemon/home/call.js';
import { CONTESTED_MS } from '../../../daemon/home/leases.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { packId } from '../../../protocol/references.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { place, ref } from '../../lib/path-client.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';

function mkdir(path: string): Operation {
  return { kind: MKDIR, ...place(path), time: null, mode: 0o755, id: null };
}

homeTest('what is open outlives a lost connection, for the same client only', {}, async (t, home) => {
  const first = new TestClient(home);
  t.equal(first.resumed, false);
  await first.paths.put('f', 'kept');
  const [handle] = await first.call('download', ['f']);
  first.leave();
  t.equal(home.status().sessions, 0);
  const stranger = new TestClient(home);
  t.equal(await kindOf(() => stranger.call('downloadRead', [handle, 0, 10])), 'EBADF');
  const back = new TestClient(home, { id: first.id });
  t.equal(back.resumed, true);
  t.equal(String(await back.call('downloadRead', [handle, 0, 10])), 'kept');
  home.logout(back.client);
  t.equal(home.status().handles, 0);
  t.equal(await kindOf(() => back.call('download', ['f'])), 'ECONNABORTED');
});

homeTest('a listing goes on only over its own connection', {}, async (t, home) => {
  const first = new TestClient(home);
  await first.paths.mkdir('d');
  for (let i = 0; i < 1100; i++) await first.paths.create(`d/${i}`);
  const [listing] = await first.call('list', ['d', 1024]);
  first.leave();
  const back = new TestClient(home, { id: first.id });
  t.equal(await kindOf(() => back.call('listNext', [listing?.[2]])), 'EBADF');
});

homeTest('a connection that is half open is replaced by the new one of its client', {}, async (t, home) => {
  const old = new TestClient(home);
  const back = new TestClient(home, { id: old.id });
  t.equal(old.dropped?.kind, 'ECONNABORTED');
  old.leave();
  t.equal(home.status().sessions, 1, 'the end of the old one ends nothing');
  await back.paths.mkdir('d');
});

void t.test('a client with nothing to come back for is forgotten at once', async (t) => {
  const idle = { resolve: () => undefined as void };
  const isIdle = new Promise<void>((resolve) => {
    idle.resolve = resolve;
  });
  const home = await new Place(t).open({ onIdle: () => idle.resolve() });
  const reader = new TestClient(home);
  await reader.call('getattr', ['']);
  const changer = new TestClient(home);
  await changer.paths.mkdir('d');
  reader.leave();
  changer.leave();
  t.equal(home.status().clients, 1, 'a change may be asked for again');
  const back = new TestClient(home, { id: changer.id });
  home.logout(back.client);
  back.leave();
  await isIdle;
  t.equal(home.status().clients, 0);
});

void t.test('clients that stay away are limited, in time and in number', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t).open({ clock });
  const clients = Array.from({ length: 66 }, () => new TestClient(home));
  for (const client of clients) {
    await client.paths.mkdir(`${client.id.readUInt32BE()}`);
    client.leave();
  }
  t.equal(home.status().clients, 64);
  const [first, last] = [clients[0], clients[65]].map((client) => client?.id ?? Buffer.alloc(16));
  t.equal(new TestClient(home, { id: first ?? Buffer.alloc(16) }).resumed, false);
  t.equal(new TestClient(home, { id: last ?? Buffer.alloc(16) }).resumed, true);
  clock.pass(RESUME_MS);
  t.equal(home.status().clients, 2);
});

homeTest('a change that is sent again over a new connection is made once', {}, async (t, home) => {
  const first = new TestClient(home);
  await first.paths.change(mkdir('d'), 1);
  first.leave();
  const back = new TestClient(home, { id: first.id, lastChange: 1 });
  t.equal((await back.paths.change(mkdir('d'), 1))[0]?.ino, (await back.paths.stat('d')).ino);
  t.equal(await kindOf(() => back.paths.mkdir('d')), 'EEXIST');
  const stranger = new TestClient(home);
  t.equal(
    await kindOf(() => stranger.paths.change(mkdir('d'), 1)),
    'EEXIST',
    "another's numbers are its own",
  );
});

homeTest('leases and a log outlive a lost connection', {}, async (t, home) => {
  const first = new TestClient(home, { wants: LEASE_WRITE });
  await first.call('apply', [1, [mkdir('d')].map(packOperation), null]);
  first.leave();
  const back = new TestClient(home, { id: first.id, wants: LEASE_WRITE });
  t.strictSame([back.resumed, back.leased, back.client.marks?.applied], [true, true, 1]);
  const [applied, , , , outcomes] = await back.call('apply', [
    1,
    [mkdir('d'), mkdir('e')].map(packOperation),
    null,
  ]);
  t.equal(applied, 2);
  t.strictSame(
    outcomes.map(([number, error]) => [number, error]),
    [
      [1, null],
      [2, null],
    ],
    'what was told of the first is told again',
  );
  t.strictSame(await back.paths.list(''), ['d', 'e']);
});

homeTest(
  'a client asks for what another one has, and both go on by what they are leased',
  {},
  async (t, home) => {
    const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
    await one.paths.mkdir('d');
    const d = await one.paths.stat('d');
    one.leases();
    const two = new TestClient(home, { wants: LEASE_WRITE });
    const making = two.call('change', [
      1,
      packOperation({ ...mkdir('x'), directory: { ...d, path: null } } as Operation),
      null,
    ]);
    t.ok(await isPending(making));
    t.strictSame(one.recalls(), [[d.ino, LEASE_NONE]]);
    const log = [{ ...mkdir('y'), directory: { ...d, path: null } } as Operation].map(packOperation);
    t.equal((await one.call('apply', [1, log, null]))[0], 1, 'what it did before is still taken');
    one.give([[d.ino, LEASE_NONE]]);
    await making;
    t.equal((await one.call('apply', [2, log, null]))[0], 1, 'and then not any more');
    t.strictSame((await one.call('apply', [2, log, null]))[4][0]?.[1]?.[0], 'ESTALE');
    const [listing] = await two.call('list', [packId(d), 1]);
    t.strictSame((listing?.[1] ?? []).map(([name]) => name.toString()).toSorted(), ['x', 'y']);
  },
);

homeTest('what a client asks for sees what another had not told yet', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const root = await one.paths.stat('');
  const two = new TestClient(home);
  const stat = two.call('getattr', ['d/e']);
  t.strictSame(one.recalls(), [[root.ino, LEASE_READ]], 'the directory where the path begins');
  await one.call('apply', [1, [mkdir('d'), mkdir('d/e')].map(packOperation), null]);
  one.give([[root.ino, LEASE_READ]]);
  t.ok(await isPending(stat), 'and then what is on the way from there');
  one.give(one.recalls());
  t.equal((await stat).mode & 0o777, 0o755);
});

homeTest('a lookup of what does not exist waits, too', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const two = new TestClient(home);
  const lookup = kindOf(() => two.call('lookup', ['', 'f']));
  t.ok(await isPending(lookup));
  one.give(one.recalls());
  t.equal(await lookup, 'ENOENT');
});

homeTest('a call that waits can be cancelled', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const two = new TestClient(home);
  const call = new Call();
  const waiting = kindOf(() => two.call('getattr', [''], call));
  call.cancel();
  t.equal(await waiting, 'ECANCELED');
  t.equal(home.waits.size, 0);
  t.equal(one.recalls().length, 1);
});

void t.test(
  'who shares a directory works by single changes, and gets it when the other leaves it alone',
  async (t) => {
    const clock = new ManualClock();
    const home = await new Place(t).open({ clock });
    const one = new TestClient(home, { wants: LEASE_WRITE });
    await one.paths.mkdir('d');
    const { ino } = await one.paths.stat('d');
    const two = new TestClient(home, { wants: LEASE_WRITE });
    await two.paths.create('d/1');
    t.strictSame(
      two.leases().filter(([unit]) => unit === ino),
      [[ino, LEASE_READ]],
    );
    await one.paths.create('d/2');
    await two.paths.create('d/3');
    clock.pass(CONTESTED_MS + 1);
    two.leases();
    await two.paths.create('d/4');
    t.strictSame(two.leases(), [[ino, LEASE_WRITE]]);
  },
);

void t.test('units that a client makes in what it holds are its own', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t).open({ clock });
  const one = new TestClient(home, { wants: LEASE_WRITE });
  await one.paths.mkdir('d');
  const two = new TestClient(home, { wants: LEASE_WRITE });
  await two.paths.create('d/f');
  clock.pass(CONTESTED_MS + 1);
  await two.paths.create('d/g');
  const link: Operation = { kind: LINK, ...place('d/h'), time: null, file: ref('d/g') };
  const operations = [mkdir('d/e'), mkdir('d/e/i'), link].map(packOperation);
  t.equal((await two.call('apply', [1, operations, null]))[0], 3, 'also the ones that it just made');
  const [e, g] = await Promise.all(['d/e', 'd/g'].map(async (path) => (await two.paths.stat(path)).ino));
  t.strictSame(
    [e, g].map((unit) => home.leases.mode(two.client, unit ?? 0n)),
    [LEASE_WRITE, LEASE_WRITE],
  );
  await two.paths.mkdir('d/n');
  const { ino, birth } = await two.paths.stat('d/n');
  t.equal(home.leases.mode(two.client, ino), LEASE_WRITE, 'by a single change as well');
  const rmdir: Operation = { kind: RMDIR, ...place('d/n'), time: null, id: { ino, birth } };
  two.leases();
  t.equal((await two.call('apply', [4, [rmdir].map(packOperation), null]))[0], 4);
  t.strictSame(two.leases(), [[ino, LEASE_NONE]]);
});

homeTest(
  'a listing brings what nobody else writes to, and says what may be believed',
  {},
  async (t, home) => {
    const one = new TestClient(home, { wants: LEASE_WRITE });
    for (const path of ['a', 'b']) await one.paths.mkdir(path);
    const [root, a] = await Promise.all(['', 'a'].map(async (path) => (await one.paths.stat(path)).ino));
    const two = new TestClient(home, { wants: LEASE_WRITE });
    t.equal((await two.call('list', ['', 1024])).length, 1, 'what is below is leased to another');
    t.strictSame(two.leases(), [[root, LEASE_READ]]);
    await two.call('list', ['a', 1024]);
    two.leases();
    t.equal((await two.call('list', ['', 1024])).length, 2);
    t.equal(home.leases.mode(two.client, a ?? 0n), LEASE_READ);
  },
);

void t.test('a client that gives nothing back loses what it has', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t, { bytes: 1000 }).open({ clock });
  const one = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await one.call('grant', [1000, 0, 2, 2]);
  const two = new TestClient(home, { wants: LEASE_WRITE });
  const making = two.paths.mkdir('d');
  t.ok(await isPending(making));
  clock.pass(LEASE_TERM_MS);
  await making;
  t.equal(one.dropped?.kind, 'ETIMEDOUT');
  one.leave();
  t.strictSame(two.leases()[0], [WHOLE_HOME, LEASE_WRITE]);
  t.equal(home.quota.granted.bytes, 0, 'what was granted for use under the leases is free, too');
  const back = new TestClient(home, { id: one.id, wants: LEASE_WRITE });
  t.strictSame([back.resumed, back.leased], [true, false]);
});

void t.test('lowered limits ask for what was granted, and take it in the end', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t, { bytes: 1000 }).open({ clock });
  const one = new TestClient(home, { wants: LEASE_WRITE });
  await one.call('grant', [800, 0, 0, 0]);
  home.setLimits({ bytes: 900, files: 0 });
  t.notOk(
    one.told.some(([name]) => name === 'ungrant'),
    'there is room for it',
  );
  home.setLimits({ bytes: 500, files: 0 });
  t.ok(one.told.some(([name]) => name === 'ungrant'));
  await one.call('grant', [-400, 0, 0, 0]);
  clock.pass(LEASE_TERM_MS);
  t.equal(home.quota.granted.bytes, 400, 'enough was given back');
  home.setLimits({ bytes: 300, files: 0 });
  clock.pass(LEASE_TERM_MS);
  t.equal(home.quota.granted.bytes, 0);
});

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
  missing.client.mark().setDurable = () => Promise.resolve(); // as if it had been killed before
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

/*
 * Clients over lost connections, and several that share a home by leases.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { remotePath } from '../../../protocol/ids.js';
import { LEASE_TERM_MS, RESUME_MS } from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import {
  CREATE,
  LINK,
  MKDIR,
  packOperation,
  RMDIR,
  UNLINK,
  type Operation,
} from '../../../protocol/operations.js';
import { Call } from '../../../daemon/home/calls/call.js';
import { listMarks } from '../../../daemon/home/operations/marks.js';
import { CONTESTED_MS } from '../../../daemon/home/leases/leases.js';
import { packId } from '../../../protocol/references.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { place, ref } from '../../lib/path-client.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';
import { setattr } from './home-parts.js';

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

homeTest('clients that are away keep few provisional ids', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE });
  const id = (number: number) => ({ ino: 0n, birth: BigInt(number) });
  const real = (number: number) => ({ ino: 7n, birth: BigInt(number) });
  const last = 30_000;
  const remember = ({ client }: TestClient): void => {
    for (let number = 0; number <= last; number++) client.provisional.set(id(number), real(number));
  };
  const knows = ({ client }: TestClient): boolean =>
    client.provisional.ref({ ...id(last), path: remotePath(Buffer.from('f')) }).ino === 7n;
  remember(one);
  one.leave();
  t.ok(knows(one));
  const others = Array.from({ length: 5 }, () => new TestClient(home, { wants: LEASE_WRITE }));
  others.forEach(remember);
  t.notOk(knows(one));
  t.ok(others.every(knows));
});

homeTest('nothing is done for a client after it ended', { bytes: 1000 }, async (t, home) => {
  const content = Buffer.from('content');
  const uploader = new TestClient(home);
  const begun = await uploader.call('uploadBegin', ['u', content.length, 0o644, 0, 0, Buffer.alloc(32)]);
  await uploader.call('uploadWrite', [begun[0], 0, content]);
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await holder.call('grant', [900, 0, 0, 0]);
  const [maker, needy] = [1, 2].map(() => new TestClient(home, { wants: LEASE_WRITE }));
  if (maker === undefined || needy === undefined) throw new Error('two clients');
  const kinds = Promise.all([
    kindOf(() => maker.paths.mkdir('d')),
    kindOf(() => needy.call('grant', [600, 0, 0, 0, 600, 0])),
    kindOf(() => uploader.call('uploadFinish', [begun[0], createHash('md5').update(content).digest()])),
  ]);
  for (const { client } of [maker, needy, uploader, holder]) home.logout(client);
  t.strictSame(await kinds, ['ECONNABORTED', 'ECONNABORTED', 'ECONNABORTED']);
  t.strictSame(await new TestClient(home).paths.list(''), []);
  t.strictSame(home.quota.granted, { bytes: 0, files: 0 });
  t.strictSame(listMarks(home.tree), [], 'and no marks were made anew');
});

void t.test('nothing is done for those who wait when the home closes', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const making = kindOf(() => new TestClient(home).paths.mkdir('d'));
  t.ok(await isPending(making));
  t.equal(holder.recalls().length, 1);
  await home.close();
  t.equal(await making, 'ECONNABORTED');
  t.notOk(existsSync(join(place.directory, 'd')));
});

homeTest('a listing goes on over the next connection of its client', {}, async (t, home) => {
  const first = new TestClient(home);
  await first.paths.mkdir('d');
  for (let i = 0; i < 1100; i++) await first.paths.create(`d/${i}`);
  const [listing] = await first.call('list', ['d', 1024]);
  first.leave();
  const back = new TestClient(home, { id: first.id });
  let told = listing?.[1].length ?? 0;
  for (let cursor = listing?.[2] ?? null; cursor !== null;) {
    const [entries, next] = await back.call('listNext', [cursor]);
    told += entries.length;
    cursor = next;
  }
  t.equal(told, 1100);
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
  t.strictSame([back.resumed, back.leased, back.covered], [true, true, true]);
  t.equal(back.client.marks?.applied, 1);
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

void t.test('nothing is carried out of a log of a lost connection once its client is back', async (t) => {
  const place = new Place(t);
  const home = await place.open({ sliceMs: 0 });
  const former = new TestClient(home, { wants: LEASE_WRITE });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const applying = former.call('apply', [1, names.map(mkdir).map(packOperation), null]);
  const back = new TestClient(home, { id: former.id, wants: LEASE_WRITE });
  t.equal(back.client.marks?.applied, 1, 'what its login told');
  t.equal(await kindOf(() => applying), 'ECONNABORTED');
  // As after lost leases: it made the rest by changes, and its log goes on with the same numbers.
  const [applied, , , , outcomes] = await back.call('apply', [
    2,
    ['x', 'y', 'z'].map(mkdir).map(packOperation),
    null,
  ]);
  t.equal(applied, 4);
  t.strictSame(
    outcomes.map(([number, error]) => [number, error]),
    [2, 3, 4].map((number) => [number, null]),
  );
  t.strictSame((await back.paths.list('')).toSorted(), ['a', 'x', 'y', 'z']);
});

homeTest('inodes whose ids did not arrive are granted no more', {}, async (t, home) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const [, , arrived] = await client.call('grant', [0, 0, 2, 0]);
  const [, , lost] = await client.call('grant', [0, 0, 2, 0]);
  await client.call('grant', [0, 0, 0, 0, 0, 0, arrived.length]);
  const { inodes } = client.client.grant;
  t.strictSame(
    [...arrived, ...lost].map((file) => inodes.hasFile(file)),
    [true, true, false, false],
  );
});

homeTest('the inode of a file that could not be made is granted no more', {}, async (t, home) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  await client.paths.mkdir('taken');
  const [, , [file], [directory]] = await client.call('grant', [0, 0, 1, 1]);
  const { inodes } = client.client.grant;
  if (file === undefined || directory === undefined) throw new Error('nothing was granted');
  const failing = [
    { ...mkdir('taken'), kind: CREATE, mode: 0o100644, id: file },
    { ...mkdir('taken'), id: directory },
  ] as Operation[];
  const [, , , , outcomes] = await client.call('apply', [1, failing.map(packOperation), null]);
  t.strictSame(
    outcomes.map(([, error]) => error?.[0]),
    ['EEXIST', 'EEXIST'],
  );
  t.strictSame([inodes.hasFile(file), inodes.hasDirectory(directory)], [false, false]);
});

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
  t.equal(home.leases.mode(two.client, ino), LEASE_NONE);
  const id = await two.paths.stat('d/g');
  const unlinks = ['d/h', 'd/g'].map((path): Operation => ({
    ...{ kind: UNLINK, ...place(path), time: null, hold: true },
    id: { ino: id.ino, birth: id.birth },
  }));
  t.equal((await two.call('apply', [5, unlinks.slice(0, 1).map(packOperation), null]))[0], 5);
  t.equal(home.leases.mode(two.client, id.ino), LEASE_NONE, 'it has one name again');
  const chmod = setattr({ ino: id.ino, birth: id.birth, path: null }, { mode: 0o600 });
  t.strictSame(two.leases(), [], 'as it knows');
  await one.paths.create('d/of-one');
  clock.pass(CONTESTED_MS + 1);
  await one.paths.create('d/also');
  const rest = [...unlinks.slice(1), chmod].map(packOperation);
  t.equal((await one.call('apply', [1, rest, null]))[0], 2, 'and a unit without one, of who removed that');
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

homeTest('a listing gives nothing away that somebody waits for', {}, async (t, home) => {
  const plain = new TestClient(home);
  await plain.paths.mkdir('d');
  const { ino } = await plain.paths.stat('d');
  const one = new TestClient(home, { wants: LEASE_READ, keeps: true });
  await one.call('list', ['d', 1]);
  const making = plain.paths.mkdir('d/e');
  t.ok(await isPending(making));
  const two = new TestClient(home, { wants: LEASE_READ, keeps: true });
  t.equal((await two.call('list', ['', 1024])).length, 2);
  t.notOk(two.leases().some(([unit, mode]) => unit === ino && mode !== LEASE_NONE));
  one.give(one.recalls());
  await making;
});

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
  t.strictSame([back.resumed, back.leased, back.covered], [true, false, false]);
});

void t.test('the term of leases may be another one', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t).open({ clock, leaseTermMs: 3000 });
  const keeper = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const making = new TestClient(home).paths.mkdir('d');
  clock.pass(2999);
  t.ok(await isPending(making));
  clock.pass(1);
  await making;
  t.equal(keeper.dropped?.kind, 'ETIMEDOUT');
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

t.test('who held many files lets go of them while others have their turns', async (t) => {
  const place = new Place(t);
  const home = await place.open({ sliceMs: 0 });
  const client = new TestClient(home);
  for (let n = 0; n < 300; n++) {
    await client.paths.create(`f${n}`);
    await client.call('hold', [Buffer.from(`f${n}`)]);
  }
  home.logout(client.client);
  client.leave();
  t.notOk(home.held.empty);
  while (!home.held.empty) await new Promise((resolve) => setImmediate(resolve));
  while (place.state.ledger.read(place.user)?.clean !== true)
    await new Promise((resolve) => setImmediate(resolve));
});

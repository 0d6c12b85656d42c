/*
 * The trash of a home: what goes there and what does not, what its owner sees of it, and what it gives back.
 */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { MAX_PAGE_TRASH } from '../../../../protocol/limits.js';
import { LINK, packOperation, RENAME, WRITE, type Operation } from '../../../../protocol/operations.js';
import { LEASE_NONE, LEASE_WRITE, type Result } from '../../../../protocol/methods.js';
import { CHECK_MS } from '../../../../daemon/home/home-expiry.js';
import { PERIOD_MS } from '../../../../daemon/home/trash/trash-layout.js';
import { ManualClock } from '../../../lib/manual-clock.js';
import { place as pathPlace, ref } from '../../../lib/path-client.js';
import { homeTest, isPending, kindOf, Place, TestClient } from '../fixture.js';

const DAY_MS = 86_400_000;
const TRASH = { trashMs: 30 * DAY_MS };
/** A period, a batch, and what tells of it. */
const ONE_BATCH = 3;

type Item = Result<'trash'>[0][number];

async function items(client: TestClient): Promise<Item[]> {
  const all: Item[] = [];
  for (let from: Buffer | null = null; ;) {
    const [page, next]: Result<'trash'> = await client.call('trash', [from]);
    all.push(...page);
    if (next === null) return all;
    from = next;
  }
}

/** Former paths, in the order of the alphabet. */
async function paths(client: TestClient): Promise<string[]> {
  return (await items(client)).map(([, path]) => String(path)).toSorted();
}

async function idOf(client: TestClient, path: string): Promise<Buffer> {
  const found = (await items(client)).find(([, former]) => String(former) === path);
  if (found === undefined) throw new Error(`${path} is not in the trash`);
  return found[0];
}

function read(place: Place, path: string): string {
  return readFileSync(join(place.directory, path), 'utf8');
}

async function upload(client: TestClient, path: string, text: string): Promise<void> {
  const md5 = createHash('md5').update(text).digest();
  const file = [Buffer.from(path), Buffer.byteLength(text), 0o644, 1_000_000, 0, md5, []];
  await client.call('uploadFiles', [[file], Buffer.from(text)]);
}

homeTest('what is removed, renamed over or uploaded over goes there', TRASH, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  await client.paths.put('d/removed', 'one');
  await client.paths.put('over', 'two');
  await client.paths.put('by', 'three');
  await client.paths.put('uploaded', 'four');
  await client.paths.symlink('target', 'link');
  const before = home.quota.used;
  await client.paths.unlink('d/removed');
  await client.paths.rename('by', 'over');
  await upload(client, 'uploaded', 'five!');
  await client.paths.unlink('link');
  t.strictSame(await paths(client), ['d/removed', 'link', 'over', 'uploaded']);
  const inBatches = ONE_BATCH + 2;
  t.strictSame(home.quota.used, { bytes: before.bytes + 5, files: before.files + 1 + inBatches });
  t.strictSame(home.quota.trashed, { bytes: 3 + 3 + 4, files: 4 + inBatches });
  const space = await client.call('statfs', []);
  t.strictSame(
    [space[2], space[5], space[9], space[10]],
    [5 + 5, 3, 10, 4 + inBatches],
    'it is told as free',
  );

  await client.paths.rmdir('d');
  t.equal(
    await kindOf(async () => client.call('trashRestore', [await idOf(client, 'd/removed'), 'd/x'])),
    'ENOENT',
  );
  await client.paths.mkdir('e');
  await client.call('trashRestore', [await idOf(client, 'd/removed'), 'e/restored']);
  t.equal(read(place, 'e/restored'), 'one');
  const over = await idOf(client, 'over');
  t.equal(await kindOf(() => client.call('trashRestore', [over, 'over'])), 'EEXIST');
  t.equal(read(place, 'over'), 'three', 'what is there stays');
  t.equal(await kindOf(() => client.call('trashRestore', [over, '.ftpmount/x'])), 'ENOENT');
  t.equal(await kindOf(() => client.call('trashRestore', [over, '.ftpmount'])), 'EACCES');
  await client.call('trashRestore', [over, 'over-2']);
  t.equal(read(place, 'over-2'), 'two');
  await client.call('trashRestore', [await idOf(client, 'link'), 'link']);
  t.equal(readlinkSync(join(place.directory, 'link')), 'target');
  await client.call('trashRemove', [await idOf(client, 'uploaded')]);
  t.strictSame(await items(client), []);
  t.strictSame(home.quota.trashed, { bytes: 0, files: 0 }, 'nothing is left of it');
});

homeTest('what has another name, a directory and what is cut off do not', TRASH, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.put('a', 'data');
  await client.paths.link('a', 'b');
  await client.paths.unlink('a');
  await client.paths.mkdir('d');
  await client.paths.rmdir('d');
  await client.paths.setattr('b', { size: 0 });
  t.strictSame([await items(client), home.quota.used], [[], { bytes: 0, files: 1 }]);
});

homeTest('without a time for it nothing does', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('a', 'data');
  await client.paths.unlink('a');
  t.strictSame([await items(client), home.quota.used], [[], { bytes: 0, files: 0 }]);
  await client.call('trashEmpty', []);
  t.notOk(readdirSync(join(place.directory, '.ftpmount')).includes('trash'));
  t.equal(await kindOf(() => client.call('trashRemove', ['0'.repeat(8)])), 'ENOENT');
});

homeTest(
  'names of any bytes, again and again, and from directories of long paths',
  TRASH,
  async (t, home) => {
    const client = new TestClient(home);
    const odd = Buffer.from([0x66, 0xff, 0x0a, 0x2e]);
    for (const text of ['1', '22', '333']) {
      await client.paths.put(odd, text);
      await client.paths.unlink(odd);
    }
    t.strictSame(
      (await items(client)).map(([, path, , bytes]) => [path?.equals(odd), bytes]).toSorted(),
      [1, 2, 3].map((bytes) => [true, bytes]),
    );
    let deep = '';
    for (let i = 0; i < 40; i++) {
      deep += `${deep === '' ? '' : '/'}${'d'.repeat(200)}`;
      await client.paths.mkdir(deep);
    }
    const long = `${deep}/${'n'.repeat(255)}`;
    await client.paths.put(long, 'deep');
    await client.paths.unlink(long);
    t.ok((await paths(client)).includes(long), 'beyond PATH_MAX');
    await client.call('trashRestore', [await idOf(client, long), long]);
    t.equal(String(await client.paths.read(long)), 'deep');
  },
);

homeTest('who has it open goes on, and cannot make it a name', TRASH, async (t, home) => {
  const client = new TestClient(home);
  const other = new TestClient(home);
  await client.paths.put('f', 'data');
  const { ino, birth } = await client.paths.stat('f');
  const ref = [ino, birth, null];
  await client.call('hold', [ref]);
  await other.paths.unlink('f');
  t.equal((await client.call('getattr', [ref])).nlink, 0, 'to them it has no name');
  t.equal(String(await client.call('read', [ref, 0, 10])), 'data');
  await client.paths.put('g', '');
  const { used } = home.quota;
  const again: Operation = { kind: LINK, ...pathPlace('h'), time: null, file: { ino, birth, path: null } };
  t.equal(await kindOf(() => client.paths.change(again)), 'ENOENT');
  t.strictSame(home.quota.used, used);
  await client.call('trashEmpty', []);
  t.strictSame(home.quota.used, { bytes: 4, files: 2 }, 'it is charged while it is open');
  t.equal(String(await client.call('read', [ref, 0, 10])), 'data');
  client.leave();
  home.logout(client.client);
  t.strictSame(home.quota.used, { bytes: 0, files: 1 });
});

homeTest('what was removed a moment ago can be held, and is charged once', TRASH, async (t, home) => {
  const client = new TestClient(home);
  const other = new TestClient(home);
  await client.paths.put('f', 'data');
  const { ino, birth } = await client.paths.stat('f');
  await other.paths.unlink('f');
  const { used } = home.quota;
  const held = await client.call('hold', [[ino, birth, null]]);
  t.equal(held.nlink, 0);
  t.strictSame(home.quota.used, used);
  await client.call('trashRestore', [await idOf(client, 'f'), 'f']);
  t.equal((await client.paths.stat('f')).nlink, 1);
});

homeTest('more than a page, of a batch and of several', { trashMs: DAY_MS }, async (t, home) => {
  const client = new TestClient(home);
  const expected: string[] = [];
  for (let i = 0; i < 2 * MAX_PAGE_TRASH + 10; i++) {
    const path = i % 3 === 0 ? `d${i % 4}/f${i}` : `f${i}`;
    if (i % 3 === 0 && i < 12) await client.paths.mkdir(`d${i % 4}`);
    await client.paths.put(path, '');
    await client.paths.unlink(path);
    expected.push(path);
  }
  t.strictSame(await paths(client), expected.toSorted());
  t.equal(await kindOf(() => client.call('trash', ['nonsense'])), 'EINVAL');
  await client.call('trashEmpty', []);
  t.strictSame([await items(client), home.quota.trashed], [[], { bytes: 0, files: 0 }]);
});

void t.test('a page ends with the turn, and the next one goes on there', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t, TRASH).open({ sliceMs: 0, clock });
  const client = new TestClient(home);
  const expected: string[] = [];
  for (let i = 0; i < 12; i++) {
    if (i % 4 === 0) await client.paths.mkdir(`d${i / 4}`);
    const path = `d${i % 4 === 0 ? i / 4 : 0}/f${i}`;
    await client.paths.put(path, '');
    await client.paths.unlink(path);
    expected.push(path);
    if (i % 5 === 0) clock.pass(PERIOD_MS);
  }
  const pages: number[] = [];
  for (let from = null as Buffer | null; ;) {
    const [page, next]: Result<'trash'> = await client.call('trash', [from]);
    pages.push(page.length);
    if (next === null) break;
    t.notOk(from?.equals(next));
    from = next;
  }
  t.equal(Math.max(...pages), 1);
  t.strictSame(await paths(client), expected.toSorted());
});

homeTest('which of a path was removed last is told, also within a tick', TRASH, async (t, home, place) => {
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  await mount.paths.put('f0', '0');
  for (let i = 1; i <= 9; i++) await mount.paths.put(`f${i}`, String(i));
  const saves = Array.from({ length: 9 }, (_, i): Operation => ({
    ...{ kind: RENAME, ...pathPlace(`f${i + 1}`), newDirectory: ref(''), newName: Buffer.from('f0') },
    ...{ time: null, id: null, replaced: null, flags: 0, hold: false },
  }));
  await mount.call('apply', [1, saves.map(packOperation), null]);
  const contents = (all: Item[]): string =>
    all.map(([id]) => read(place, `.ftpmount/trash/${String(id)}`)).join('');
  const all = await items(mount);
  const byId = all.toSorted(([a], [b]) => Buffer.compare(a, b));
  t.equal(contents(byId), '012345678');
  const byTime = byId.toSorted(([, , , , a, aNsec], [, , , , b, bNsec]) => a - b || aNsec - bNsec);
  t.equal(contents(byTime), '012345678');
});

homeTest('who may only read changes nothing of it', TRASH, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'data');
  await client.paths.unlink('f');
  const reader = new TestClient(home, { isReadOnly: true });
  const id = await idOf(reader, 'f');
  t.equal(await kindOf(() => reader.call('trashRestore', [id, 'f'])), 'EROFS');
  t.equal(await kindOf(() => reader.call('trashRemove', [id])), 'EROFS');
  t.equal(await kindOf(() => reader.call('trashEmpty', [])), 'EROFS');
  t.strictSame(await paths(client), ['f']);
});

homeTest('no id leads out of it', TRASH, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'data');
  await client.paths.unlink('f');
  const id = String(await idOf(client, 'f'));
  const batch = id.slice(0, id.lastIndexOf('/'));
  for (const wrong of [
    `${batch}/..`,
    `${batch}/../f`,
    `${batch}/.`,
    batch,
    `${batch}.0`,
    '../clients',
    '/etc',
    `${batch}//etc`,
  ]) {
    t.equal(await kindOf(() => client.call('trashRestore', [wrong, 'x'])), 'ENOENT', wrong);
    t.equal(await kindOf(() => client.call('trashRemove', [wrong])), 'ENOENT', wrong);
  }
  t.equal(await kindOf(() => client.paths.stat(`.ftpmount/trash/${id}`)), 'ENOENT');
  t.ok(lstatSync(join(place.directory, '.ftpmount/trash', id)).isFile());
});

void t.test('it is kept over restarts, and expires', async (t) => {
  const place = new Place(t, TRASH);
  const clock = new ManualClock();
  const before = await place.open({ clock });
  const early = new TestClient(before);
  await early.paths.put('early', 'a');
  await early.paths.put('late', 'bb');
  await early.paths.unlink('early');
  await before.close();
  clock.pass(10 * DAY_MS);

  const home = await place.open({ clock });
  const client = new TestClient(home);
  t.strictSame(home.quota.trashed, { bytes: 1, files: 1 + ONE_BATCH }, 'what the ledger says');
  await client.paths.unlink('late');
  t.strictSame(await paths(client), ['early', 'late']);
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms);
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await pass(20 * DAY_MS - CHECK_MS);
  t.strictSame(await paths(client), ['early', 'late']);
  await pass(2 * CHECK_MS + PERIOD_MS);
  t.strictSame(await paths(client), ['late']);
  home.trash.keepMs = 0;
  await pass(300 * DAY_MS);
  t.strictSame(await paths(client), ['late'], 'of who has no trash any more it stays');
  const { ledger, tree, trash } = await home.check(false);
  t.strictSame([ledger, trash.ledger], [tree, trash.tree]);
});

void t.test('after a crash it is counted', async (t) => {
  const place = new Place(t, TRASH);
  const before = await place.open();
  const early = new TestClient(before);
  await early.paths.put('f', 'data');
  await early.paths.put('g', 'more');
  await early.paths.unlink('f');
  await before.close();
  place.state.ledger.markDirty(place.user);

  const home = await place.open();
  t.strictSame(home.quota.used, { bytes: 8, files: 2 + ONE_BATCH });
  t.strictSame(home.quota.trashed, { bytes: 4, files: 1 + ONE_BATCH });
});

const BATCH_OF_CRASH = '00000001/0000000000000001';

/** What a removal of d/f does on the disk before it takes that name away, one step after the other. */
const STEPS_OF_REMOVAL: readonly [done: string, (home: string, trash: string) => void][] = [
  ['nothing', () => undefined],
  ['the directory of the trash', (_, trash) => mkdirSync(trash, { recursive: true, mode: 0o700 })],
  ['the period', (_, trash) => mkdirSync(join(trash, '00000001'))],
  ['what tells where it was', (_, trash) => symlinkSync(':d', join(trash, `${BATCH_OF_CRASH}.0`))],
  ['the batch', (_, trash) => mkdirSync(join(trash, BATCH_OF_CRASH))],
  ['the name in it', (home, trash) => linkSync(join(home, 'd/f'), join(trash, BATCH_OF_CRASH, 'f'))],
];
for (const [at, [done]] of STEPS_OF_REMOVAL.entries()) {
  void t.test(`a removal that was cut short behind: ${done}`, async (t) => {
    const place = new Place(t, TRASH);
    const trash = join(place.directory, '.ftpmount/trash');
    mkdirSync(join(place.directory, 'd'));
    writeFileSync(join(place.directory, 'd/f'), 'data');
    for (const [, step] of STEPS_OF_REMOVAL.slice(0, at + 1)) step(place.directory, trash);

    const home = await place.open();
    const client = new TestClient(home);
    t.strictSame(await paths(client), [], 'it was not removed');
    t.match(await client.paths.stat('d/f'), { size: 4, nlink: 1 });
    const counted = await home.check(false);
    t.strictSame([counted.ledger, counted.trash.ledger], [counted.tree, counted.trash.tree]);

    await client.paths.unlink('d/f');
    t.strictSame(await paths(client), ['d/f']);
    await client.call('trashRestore', [await idOf(client, 'd/f'), 'd/f']);
    t.equal(read(place, 'd/f'), 'data');
    await client.call('trashEmpty', []);
    t.strictSame(readdirSync(trash), [], 'nothing of it is left');
    t.strictSame(home.quota.used, { bytes: 4, files: 2 });
    t.strictSame(home.quota.trashed, { bytes: 0, files: 0 });
  });
}

void t.test('a removal or a restoring that was cut short behind its last step is done', async (t) => {
  const place = new Place(t, TRASH);
  const trash = join(place.directory, '.ftpmount/trash');
  mkdirSync(join(place.directory, 'd'));
  writeFileSync(join(place.directory, 'd/f'), 'data');
  for (const [, step] of STEPS_OF_REMOVAL) step(place.directory, trash);
  unlinkSync(join(place.directory, 'd/f'));
  const removed = await place.open();
  t.strictSame(await paths(new TestClient(removed)), ['d/f']);
  await removed.close();

  renameSync(join(trash, BATCH_OF_CRASH, 'f'), join(place.directory, 'd/f'));
  place.state.ledger.markDirty(place.user);
  const home = await place.open();
  const client = new TestClient(home);
  t.strictSame(await paths(client), []);
  t.equal(read(place, 'd/f'), 'data');
  await client.call('trashEmpty', []);
  t.strictSame(readdirSync(trash), []);
  t.strictSame(home.quota.used, { bytes: 4, files: 2 });
});

void t.test('a file of the trash that has another name elsewhere is left there', async (t) => {
  const place = new Place(t, TRASH);
  const trash = join(place.directory, '.ftpmount/trash');
  mkdirSync(join(place.directory, 'd'));
  writeFileSync(join(place.directory, 'd/f'), 'data');
  for (const [, step] of STEPS_OF_REMOVAL) step(place.directory, trash);
  // As by a backup that links what it has, or another file that has the name by now.
  renameSync(join(place.directory, 'd/f'), join(place.directory, '..', 'f of a backup'));
  writeFileSync(join(place.directory, 'd/f'), 'another');
  const home = await place.open();
  t.strictSame(await paths(new TestClient(home)), ['d/f']);
  t.equal(read(place, 'd/f'), 'another');
  const { ledger, tree, trash: inTrash } = await home.check(false);
  t.strictSame([ledger, inTrash.ledger], [tree, inTrash.tree]);
});

void t.test('a removal that it cannot take is one as without it, and is logged', async (t) => {
  const place = new Place(t, TRASH);
  mkdirSync(join(place.directory, '.ftpmount'), { mode: 0o700 });
  symlinkSync('/', join(place.directory, '.ftpmount/trash'));
  const home = await place.open();
  const client = new TestClient(home);
  await client.paths.put('f', 'data');
  await client.paths.put('g', 'data');
  await client.paths.unlink('f');
  await client.paths.unlink('g');
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
  t.equal(
    place.lines.filter(({ message }) => message.startsWith('the trash did not')).length,
    1,
    'once in a while',
  );
});

homeTest('restoring asks who has the file open for what they did to it', TRASH, async (t, home, place) => {
  const mount = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await mount.paths.put('f', 'data');
  const { ino, birth } = await mount.paths.stat('f');
  await mount.call('hold', [[ino, birth, null]]);
  await mount.paths.unlink('f');
  const other = new TestClient(home);
  const restoring = other.call('trashRestore', [await idOf(other, 'f'), 'f']);
  t.ok(await isPending(restoring));
  const recalled = mount.recalls();
  t.ok(recalled.some(([unit]) => unit === ino));
  const file = { ino, birth, path: null };
  const more = { kind: WRITE, file, offset: 4, data: Buffer.from(' and more'), time: null } as const;
  await mount.call('apply', [1, [packOperation(more)], null]);
  mount.give(recalled.map(([unit]) => [unit, LEASE_NONE]));
  await restoring;
  t.equal(read(place, 'f'), 'data and more');
  t.equal((await mount.call('getattr', [[ino, birth, null]])).nlink, 1);
});

homeTest('restoring asks for the leases that others have', TRASH, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'data');
  await client.paths.unlink('f');
  client.leave();
  home.logout(client.client);
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  await mount.paths.stat('');
  t.not(mount.leases().length, 0);
  const other = new TestClient(home);
  await other.call('trashRestore', [await idOf(other, 'f'), 'f']);
  t.equal(read(place, 'f'), 'data');
  t.equal(mount.told.filter(([name]) => name === 'recall').length, 1);
});

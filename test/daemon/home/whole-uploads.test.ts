/*
 * Uploads of many small files at once: each whole under its name, or not at all, and charged as a count of the tree finds them
 * (homeTest).
 */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Call } from '../../../daemon/home/calls/call.js';
import { LEASE_WRITE, type LeaseItem, type Result } from '../../../protocol/methods.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';

interface Given {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
  /** Of another text, where its MD5 is to be wrong. */
  readonly hashed?: string;
  readonly xattrs?: readonly (readonly [name: string, value: string])[];
}

/** By how much something grows from one look at it to the next. */
class Steps {
  highest = 0;
  #before: number | undefined;

  next(value: number): void {
    this.highest = Math.max(this.highest, value - (this.#before ?? value));
    this.#before = value;
  }
}

function upload(
  client: TestClient,
  given: readonly Given[],
  call = new Call(),
): Promise<Result<'uploadFiles'>> {
  const files = given.map(({ path, text, mode = 0o644, hashed = text, xattrs = [] }) => [
    ...[Buffer.from(path), Buffer.byteLength(text), mode, 1_000_000, 5],
    createHash('md5').update(hashed).digest(),
    xattrs.map((xattr) => xattr.map((part) => Buffer.from(part))),
  ]);
  return client.call('uploadFiles', [files, Buffer.from(given.map(({ text }) => text).join(''))], call);
}

/** Which files failed, and how. */
function kinds(result: Result<'uploadFiles'>): (string | null)[] {
  return result.map((failure) => failure?.[0] ?? null);
}

/** What is recalled from a client, as soon as anything is. */
async function recalledFrom(client: TestClient): Promise<LeaseItem[]> {
  for (;;) {
    const items = client.recalls();
    if (items.length > 0) return items;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

homeTest('files appear with their data, modes and times, in several directories', {}, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  await client.paths.put('d/old', 'former');
  const given = [
    { path: 'a', text: 'one', mode: 0o600 },
    { path: 'empty', text: '' },
    { path: 'd/b', text: 'two' },
    { path: 'd/old', text: 'replaced' },
  ];
  t.same(kinds(await upload(client, given)), [null, null, null, null]);
  for (const { path, text, mode } of given) {
    t.equal((await client.paths.read(path)).toString(), text);
    const status = await client.paths.stat(path);
    t.equal(status.mode & 0o7777, mode ?? 0o644);
    t.same(status.mtime, { sec: 1_000_000, nsec: 5 });
  }
  t.same(kinds(await upload(client, given)), [null, null, null, null], 'and once more');
});

homeTest('one that fails keeps none of the others', { bytes: 100, files: 5 }, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  await client.paths.put('old', 'former');
  const result = await upload(client, [
    { path: 'wrong', text: 'text', hashed: 'other' },
    { path: 'old', text: 'x'.repeat(95) },
    { path: 'd', text: 'text' },
    { path: 'none/f', text: 'text' },
    { path: '.ftpmount', text: 'text' },
    { path: 'good', text: 'x'.repeat(90) },
    { path: 'more', text: 'xxxxx' },
  ]);
  t.same(kinds(result), ['EBADMSG', 'EDQUOT', 'EISDIR', 'ENOENT', 'EACCES', null, 'EDQUOT']);
  t.equal((await client.paths.read('old')).toString(), 'former');
  t.same(readdirSync(place.directory).toSorted(), ['.ftpmount', 'd', 'good', 'old']);
  t.same(home.quota.used, { bytes: 96, files: 3 });
  const [files, data] = [[[Buffer.from('f'), 4, 0o600, 0, 0, Buffer.alloc(16)]], Buffer.from('abc')];
  t.equal(await kindOf(() => client.call('uploadFiles', [files, data])), 'EINVAL');
});

homeTest('they wait for what others are leased, and can be cancelled', {}, async (t, home, place) => {
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await holder.paths.mkdir('d');
  const client = new TestClient(home);
  const call = new Call();
  const waiting = upload(client, [{ path: 'd/f', text: 'text' }], call);
  const cancelled = kindOf(() => waiting);
  const items = await recalledFrom(holder);
  t.ok(await isPending(waiting));
  call.cancel();
  t.equal(await cancelled, 'ECANCELED');
  t.same(readdirSync(join(place.directory, 'd')), []);
  const again = upload(client, [{ path: 'd/f', text: 'text' }]);
  holder.give(items);
  t.same(kinds(await again), [null]);
  t.equal(statSync(join(place.directory, 'd/f')).size, 4);
});

void t.test('what was not named when the daemon died is gone, and not charged', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  await holder.paths.mkdir('d');
  const waiting = upload(new TestClient(home), [{ path: 'd/f', text: 'text' }]);
  waiting.catch(() => undefined);
  await recalledFrom(holder);
  t.equal(home.quota.used.bytes, 4, 'it is written, and waits for the directory');
  const next = await place.open();
  t.same(next.quota.used, { bytes: 0, files: 1 });
  t.same(readdirSync(join(place.directory, 'd')), []);
});

void t.test('a home closes when the batches that are under way have ended', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home);
  const given = ['a', 'b', 'c'].map((text) => [{ path: text, text }]);
  // More than are written at once: the last has not begun.
  const batches = Promise.allSettled(given.map((files) => upload(client, files)));
  await new Promise((resolve) => setImmediate(resolve));
  client.leave();
  home.logout(client.client);
  const open = readdirSync('/proc/self/fd').length;
  await home.close();
  t.ok(readdirSync('/proc/self/fd').length < open, 'they hold nothing open');
  await batches;
  const found = readdirSync(place.directory).filter((name) => name !== '.ftpmount');
  const next = await place.open();
  t.same(next.quota.used, { bytes: found.length, files: found.length }, 'only what has a name is charged');
});

void t.test('others have their turn after each file, and after each attribute', async (t) => {
  const place = new Place(t);
  const home = await place.open({ sliceMs: 0 });
  const client = new TestClient(home);
  const xattrs = Array.from({ length: 40 }, (_, index) => [`user.${index + 10}`, 'value'] as const);
  const given = Array.from({ length: 20 }, (_, index) => ({ path: `f${index}`, text: '' }));
  const uploaded = upload(client, [...given, { path: 'g', text: '', xattrs }]);
  const [names, bytes] = [new Steps(), new Steps()];
  for (let pending = true; pending;) {
    pending = await isPending(uploaded);
    names.next(readdirSync(place.directory).length);
    bytes.next(home.quota.used.bytes);
  }
  t.ok((await uploaded).every((failure) => failure === null));
  t.equal(names.highest, 1, 'names in one turn');
  t.equal(bytes.highest, 'user.10value'.length, 'bytes of attributes in one turn');
});

/*
 * Partial uploads as their owner sees them: listed, thrown away, and removed when nobody came back for them.
 */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAX_PAGE_UPLOADS } from '../../../protocol/limits.js';
import type { Result } from '../../../protocol/methods.js';
import { CHECK_MS } from '../../../daemon/home/home-expiry.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const DAY_SECONDS = 86_400;

async function begin(client: TestClient, path: string): Promise<Result<'uploadBegin'>[0]> {
  const [handle] = await client.call('uploadBegin', [path, 10, 0o640, 0, 0, Buffer.alloc(32, 5)]);
  await client.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
  return handle;
}

/** One that broke off. */
async function leave(client: TestClient, path: string): Promise<void> {
  await client.call('close', [await begin(client, path)]);
  await client.home.uploads.allClosed();
}

function partials(place: Place): string[] {
  return readdirSync(join(place.directory, '.ftpmount')).filter((name) => /^[0-9a-f]{32}-/.test(name));
}

homeTest('they are listed with what they are of, and thrown away', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await leave(client, 'left');
  const killed = new TestClient(home);
  await begin(killed, 'killed');
  killed.leave();
  const handle = await begin(client, 'open');
  const listed = await client.call('uploads', [null]);
  const byPath = new Map(listed.map((upload) => [upload[1]?.toString(), upload]));
  t.strictSame([...byPath.keys()].toSorted(), ['killed', 'left', 'open']);
  for (const [path, [, , size, received, age, left, isUnderWay]] of byPath) {
    t.strictSame([size, received, isUnderWay], [10, 3, path === 'open'], `${path} is told`);
    t.ok(age < 60 && left > DAY_SECONDS - 60 && left <= DAY_SECONDS, 'when it expires');
  }
  t.strictSame(home.uploads.use, { bytes: 9, files: 3 });
  const id = (path: string): Buffer => byPath.get(path)?.[0] ?? Buffer.alloc(0);
  t.equal(await kindOf(() => client.call('uploadRemove', [id('open')])), 'EBUSY');
  await client.call('uploadRemove', [id('left')]);
  await client.call('uploadRemove', [id('killed')]);
  t.equal(await kindOf(() => client.call('uploadRemove', [id('left')])), 'ENOENT');
  t.equal(
    await kindOf(() => client.call('uploadRemove', ['marks'])),
    'ENOENT',
    'no other file of the daemon',
  );
  t.strictSame([partials(place).length, home.quota.used], [1, { bytes: 3, files: 1 }]);
  await client.call('uploadAbort', [handle]);
  t.strictSame(await client.call('uploads', [null]), []);
});

void t.test('more than a page of them, of which nothing is known', async (t) => {
  const place = new Place(t);
  const directory = join(place.directory, '.ftpmount');
  mkdirSync(directory, { mode: 0o700 });
  const names = Array.from({ length: MAX_PAGE_UPLOADS + 1 }, (_, i) => `${i}`.padStart(96, '0'));
  for (const name of names) writeFileSync(join(directory, name), 'x');
  const client = new TestClient(await place.open());
  const first = await client.call('uploads', [null]);
  t.equal(first.length, MAX_PAGE_UPLOADS);
  const second = await client.call('uploads', [first.at(-1)?.[0]]);
  t.strictSame(
    [...first, ...second].map(([id, path, size]) => [id.toString(), path, size]),
    names.map((name) => [name, null, null]),
  );
  t.strictSame(await client.call('uploads', [second[0]?.[0]]), []);
});

void t.test('a home in use removes those that expired, and none that is under way', async (t) => {
  const place = new Place(t);
  const clock = new ManualClock();
  const home = await place.open({ clock, uploadKeepMs: 0 });
  const client = new TestClient(home);
  await leave(client, 'left');
  const handle = await begin(client, 'open');
  t.equal(partials(place).length, 2);
  clock.pass(CHECK_MS);
  await home.whenChangeable();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(partials(place).length, 1);
  t.strictSame(
    (await client.call('uploads', [null])).map(([, path]) => path?.toString()),
    ['open'],
  );
  await client.call('close', [handle]);
  await home.uploads.allClosed();
  clock.pass(CHECK_MS);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(partials(place).length, 0, 'and looks again');
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
});

void t.test('a home that opens removes those that expired', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  await leave(new TestClient(home), 'left');
  // As that of a source of long ago is set before the file gets its name.
  utimesSync(join(place.directory, '.ftpmount', partials(place)[0] ?? ''), 1000, 1000);
  await home.close();
  const next = await place.open();
  t.strictSame(next.quota.used, { bytes: 3, files: 1 }, 'it is kept for its time');
  await next.close();
  t.strictSame((await place.open({ uploadKeepMs: 0 })).quota.used, { bytes: 0, files: 0 });
  t.strictSame(partials(place), []);
});

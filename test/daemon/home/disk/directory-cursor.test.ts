/*
 * Pages of a directory: each name once, though others come and go meanwhile.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RemoteHandle } from '../../../../protocol/ids.js';
import { MAX_PAGE_ENTRIES, POSITION_BYTES } from '../../../../protocol/limits.js';
import { homeTest, isPending, kindOf, Place, TestClient } from '../fixture.js';

homeTest(
  '20,000 entries are listed in pages, each once, though others vanish',
  {},
  async (t, home, place) => {
    const client = new TestClient(home);
    const count = 20_000;
    await client.paths.mkdir('d');
    for (let i = 0; i < count; i++) writeFileSync(join(place.directory, 'd', `file-${i}`), '');
    home.quota.reserve(0, count);
    const [first] = await client.call('list', ['d', MAX_PAGE_ENTRIES]);
    if (first === undefined) throw new Error('no listing');
    const seen = first[1].map(([name]) => String(name));
    const removed = new Set<string>();
    let pages = 1;
    for (let cursor = first[2]; cursor !== null; pages++) {
      const [entries, next] = await client.call('listNext', [cursor]);
      t.ok(entries.length <= MAX_PAGE_ENTRIES);
      for (const [name, attributes] of entries) {
        seen.push(String(name));
        if (attributes.nlink !== 1) t.fail('attributes are of the entry');
      }
      const gone = `file-${pages * 700}`;
      if (pages < count / 700 && !seen.includes(gone)) {
        await client.paths.unlink(`d/${gone}`);
        removed.add(gone);
      }
      if (next === null) {
        t.equal(
          await kindOf(() => client.call('listNext', [cursor])),
          'EBADF',
          'the last page closes the cursor',
        );
      }
      cursor = next;
    }
    t.ok(pages >= 20);
    const names = new Set(seen);
    t.equal(names.size, seen.length, 'no name comes twice');
    for (let i = 0; i < count; i++) {
      const name = `file-${i}`;
      if (!names.has(name) && !removed.has(name)) t.fail(`${name} is missing`);
    }
    t.equal(home.status().handles, 0);
    t.equal(await kindOf(() => client.call('list', ['d/none', 10])), 'ENOENT');
    await client.paths.create('plain');
    t.equal(await kindOf(() => client.call('list', ['plain', 10])), 'ENOTDIR');
  },
);

homeTest('a cursor can be closed, and an empty directory has one page', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await client.paths.mkdir('d');
  t.strictSame((await client.call('list', ['d', 10]))[0]?.slice(1), [[], null]);
  for (let i = 0; i < 1200; i++) writeFileSync(join(place.directory, 'd', String(i)), '');
  home.quota.reserve(0, 1200);
  const [listing] = await client.call('list', ['d', MAX_PAGE_ENTRIES]);
  const cursor = listing?.[2] ?? null;
  t.not(cursor, null);
  await client.call('close', [cursor]);
  t.equal(await kindOf(() => client.call('listNext', [cursor])), 'EBADF');
});

homeTest(
  'a listing goes on from a position that was told, also with a new cursor',
  {},
  async (t, home, place) => {
    const client = new TestClient(home);
    const count = 3000;
    await client.paths.mkdir('d');
    for (let i = 0; i < count; i++) writeFileSync(join(place.directory, 'd', `file-${i}`), '');
    home.quota.reserve(0, count);
    const open = async (): Promise<RemoteHandle> => {
      const [listing] = await client.call('list', ['d', 0]);
      const [, entries, cursor] = listing ?? [];
      if (cursor === undefined || cursor === null) throw new Error('no cursor');
      t.same(entries, []);
      return cursor;
    };
    const cursor = await open();
    const [first, , positions] = await client.call('listNext', [cursor]);
    await client.call('listNext', [cursor]);
    const names = first.map(([name]) => String(name));
    const behind = 50;
    const position = Buffer.from(positions ?? '').readBigUInt64BE(POSITION_BYTES * (behind - 1));
    for (const at of [0, 20, behind - 1, behind + 7]) await client.paths.unlink(`d/${names[at]}`);
    const kept = names.filter((_, at) => at >= behind && at !== behind + 7);
    for (const from of [cursor, await open()]) {
      const [again] = await client.call('listNext', [from, position]);
      const common = Math.min(again.length, kept.length);
      const told = again.slice(0, common).map(([name]) => String(name));
      t.strictSame(told, kept.slice(0, common));
      await client.call('close', [from]);
    }
    const last = await open();
    t.equal(await kindOf(() => client.call('listNext', [last, 1n << 63n])), 'EINVAL');
  },
);

void t.test(
  'a disk that takes its time is looked at on another thread, and told of in short pages',
  async (t) => {
    const place = new Place(t);
    const home = await place.open({ sliceMs: 0 });
    const client = new TestClient(home);
    await client.paths.mkdir('d');
    const names = Array.from({ length: 200 }, (_, index) => `f${index}`);
    for (const name of names) writeFileSync(join(place.directory, 'd', name), '');
    const listing = client.call('list', ['d', MAX_PAGE_ENTRIES]);
    t.ok(await isPending(listing));
    const [[, told, cursor] = [[], [], null], ...below] = await listing;
    t.strictSame(below, []);
    t.ok(told.length < names.length);
    const [more, next] = await client.call('listNext', [cursor]);
    t.equal(next, null);
    t.strictSame([...told, ...more].map(([name]) => String(name)).toSorted(), names.toSorted());
  },
);

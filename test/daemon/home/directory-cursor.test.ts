/*
 * Pages of a directory: each name once, though others come and go meanwhile.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import { homeTest, kindOf, TestClient } from './fixture.js';

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
      if (!seen.includes(gone)) {
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

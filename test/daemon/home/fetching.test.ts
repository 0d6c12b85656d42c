/*
 * `fetch`: whole small files, as far as they are known and nobody else has them.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LEASE_WRITE } from '../../../protocol/methods.js';
import { homeTest, isPending, Place, TestClient } from './fixture.js';

homeTest('an id that is not known is one file that is not told', {}, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.put('f', 'content');
  const fetched = await client.call('fetch', [[Buffer.from('f'), [0, 5], [77, 5], Buffer.from('f')], 100]);
  t.strictSame(
    fetched.map((file) => file?.[1].toString()),
    ['content', undefined, undefined, 'content'],
  );
});

homeTest('what is not in the page cache comes one file after the other', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const names = Array.from({ length: 100 }, (_, i) => `f${i}`);
  for (const name of names) await client.paths.put(name, name.repeat(100));
  const open = (): number => readdirSync('/proc/self/fd').length;
  const paths = names.map((name) => join(place.directory, name));
  execFileSync('sync', ['-f', place.directory]);
  // Only written pages leave the cache.
  for (const path of paths)
    execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
      stdio: 'ignore',
    });
  const before = open();
  const fetching = client.call('fetch', [names.map((name) => Buffer.from(name)), 1_000_000]);
  // Some sixty are kept open for their next use.
  t.ok(open() - before < 70, `${open() - before} were opened at once`);
  const fetched = await fetching;
  t.strictSame(
    fetched.map((file) => file?.[1].toString()),
    names.map((name) => name.repeat(100)),
  );
});

void t.test('others have their turn between files', async (t) => {
  const home = await new Place(t).open({ sliceMs: 0 });
  const client = new TestClient(home);
  const names = ['a', 'b', 'c'];
  for (const name of names) await client.paths.put(name, name);
  const fetching = client.call('fetch', [names.map((name) => Buffer.from(name)), 100]);
  t.ok(await isPending(fetching));
  t.strictSame(
    (await fetching).map((file) => file?.[1].toString()),
    names,
  );
});

void t.test('after a restart it waits for those whose logs are to come', async (t) => {
  const place = new Place(t);
  const first = await place.open();
  const clients = [1, 2].map(() => new TestClient(first, { wants: LEASE_WRITE }));
  await Promise.all(clients.map((client, at) => client.paths.put(`f${at}`, 'content')));
  const [one, two] = clients.map(({ id }) => id);
  for (const client of clients) client.leave();
  await first.close();
  const home = await place.open();
  const back = new TestClient(home, { id: one ?? Buffer.alloc(16), wants: LEASE_WRITE });
  const fetching = back.call('fetch', [[Buffer.from('f1')], 100]);
  t.ok(await isPending(fetching));
  const other = new TestClient(home, { id: two ?? Buffer.alloc(16), wants: LEASE_WRITE });
  await other.call('statfs', []);
  await fetching;
});

/*
 * Reading file data: short only at the end, and the same from the page cache and from the disk.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MAX_DATA } from '../../../../protocol/limits.js';
import { LEASE_WRITE } from '../../../../protocol/methods.js';
import { homeTest, TestClient, type Place } from '../fixture.js';

/** Drops a file's data from the page cache. */
function dropFromCache(place: Place, name: string): void {
  const of = `of=${join(place.directory, name)}`;
  execFileSync('dd', [of, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
}

homeTest('what is written is read: short only at the end, cold or cached', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const content = randomBytes(MAX_DATA + 12_345);
  await client.paths.put('f', content);
  const read = (offset: number, length: number) => client.call('read', ['f', offset, length]);
  const check = async () => {
    t.ok((await read(0, MAX_DATA)).equals(content.subarray(0, MAX_DATA)));
    t.ok((await read(MAX_DATA, MAX_DATA)).equals(content.subarray(MAX_DATA)));
    t.ok((await read(1000, MAX_DATA)).equals(content.subarray(1000, 1000 + MAX_DATA)));
    t.equal((await read(content.length, 10)).length, 0);
    t.equal((await read(content.length + 1000, 10)).length, 0);
    t.equal((await read(5, 0)).length, 0);
  };
  await check();
  dropFromCache(place, 'f');
  await check();
});

homeTest('a cold read is answered though the file is removed meanwhile', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const content = randomBytes(300_000);
  await client.paths.put('f', content);
  dropFromCache(place, 'f');
  const reads = [0, 100_000, 200_000].map((at) => client.call('read', ['f', at, 100_000]));
  const removed = client.paths.unlink('f');
  t.ok(Buffer.concat(await Promise.all(reads)).equals(content));
  await removed;
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

homeTest('reads that waited for the same recall have each its own bytes', {}, async (t, home) => {
  const holder = new TestClient(home, { wants: LEASE_WRITE, keeps: true });
  const contents = Array.from({ length: 4 }, () => randomBytes(100_000));
  for (const [index, content] of contents.entries()) await holder.paths.put(`f${index}`, content);
  const reader = new TestClient(home);
  const reads = contents.map((_, index) => reader.call('read', [`f${index}`, 0, MAX_DATA]));
  const handles = contents.map((_, index) => reader.call('download', [`f${index}`]));
  const recalled = holder.recalls();
  t.equal(recalled.length, 1, 'they wait for one unit');
  holder.give(recalled);
  for (const [index, read] of reads.entries()) t.ok((await read).equals(contents[index] ?? randomBytes(1)));
  for (const [index, opened] of handles.entries()) {
    const [handle] = await opened;
    t.ok(
      (await reader.call('downloadRead', [handle, 0, MAX_DATA])).equals(contents[index] ?? randomBytes(1)),
    );
    await reader.call('close', [handle]);
  }
});

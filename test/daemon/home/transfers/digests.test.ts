/*
 * The remembered MD5 of files: used while the file is what it was, and for nothing else. A digest that is no file's stands
 * for the remembered one where a test has to see which of the two was given.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fd } from '../../../../posix/fd.js';
import { statxFd, type Status } from '../../../../posix/status.js';
import { MAX_DATA } from '../../../../protocol/limits.js';
import { REMEMBERED_FROM } from '../../../../daemon/home/transfers/digests.js';
import { homeTest, kindOf, TestClient, type Place } from '../fixture.js';

const CONTENT = randomBytes(REMEMBERED_FROM + 5);
const MD5 = md5Of(CONTENT);
const PLANTED = Buffer.alloc(16, 7);
const LONG_AGO = 1_000_000;

function md5Of(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}

function statusOf(path: string): Status {
  const file = fs.openSync(path, 'r');
  try {
    return statxFd(fd(file));
  } finally {
    fs.closeSync(file);
  }
}

function remembered(place: Place, name: string): Buffer | undefined {
  return place.state.digests.get(place.user, statusOf(join(place.directory, name)));
}

/** Waits until the MD5 is remembered: records are written behind the answers. */
async function recorded(place: Place, name: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (remembered(place, name)?.equals(MD5) !== true) {
    if (Date.now() > deadline) throw new Error('the MD5 was never remembered');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function plant(place: Place, name: string): Promise<void> {
  return place.state.digests.put(place.user, statusOf(join(place.directory, name)), PLANTED);
}

/** Makes a file that was not changed for long; its path on the disk. */
async function make(client: TestClient, place: Place, name: string, content = CONTENT): Promise<string> {
  const path = join(place.directory, name);
  await client.paths.put(name, content);
  fs.utimesSync(path, LONG_AGO, LONG_AGO);
  return path;
}

/** Downloads a file; what was read, and the digest. */
async function get(client: TestClient, name: string): Promise<{ content: Buffer; digest: Buffer }> {
  const [handle] = await client.call('download', [name]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < CONTENT.length; at += MAX_DATA)
    pieces.push(await client.call('downloadRead', [handle, at, MAX_DATA]));
  const digest = await client.call('digest', [handle]);
  await client.call('close', [handle]);
  return { content: Buffer.concat(pieces), digest };
}

/** Overwrites a byte, and leaves the mtime as it was. */
function corrupt(path: string): void {
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, Buffer.from([(CONTENT[9] ?? 0) ^ 1]), 0, 1, 9);
  fs.closeSync(file);
  fs.utimesSync(path, LONG_AGO, LONG_AGO);
}

homeTest('an upload is remembered, and downloads of it hash nothing', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const params = ['f', CONTENT.length, 0o640, LONG_AGO, 5, Buffer.alloc(32, 5)];
  const [handle] = await client.call('uploadBegin', params);
  for (let at = 0; at < CONTENT.length; at += MAX_DATA)
    await client.call('uploadWrite', [handle, at, CONTENT.subarray(at, at + MAX_DATA)]);
  await client.call('uploadFinish', [handle, MD5]);
  t.same((await get(client, 'f')).digest, MD5);
  await recorded(place, 'f');
  await plant(place, 'f');
  const { content, digest } = await get(client, 'f');
  t.same(digest, PLANTED);
  t.ok(content.equals(CONTENT));
  await client.paths.rename('f', 'g');
  t.same((await get(client, 'g')).digest, MD5, 'a rename changes the ctime');
});

homeTest('a download is remembered', {}, async (t, home, place) => {
  const client = new TestClient(home);
  await make(client, place, 'f');
  t.same((await get(client, 'f')).digest, MD5);
  await recorded(place, 'f');
});

homeTest('what may still change unnoticed, or is small, is not remembered', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const now = Date.now() / 1000;
  fs.utimesSync(await make(client, place, 'recent'), now, now);
  await make(client, place, 'small', CONTENT.subarray(0, MAX_DATA));
  t.same((await get(client, 'recent')).digest, MD5);
  t.same((await get(client, 'small')).digest, md5Of(CONTENT.subarray(0, MAX_DATA)));
  // Records are written in order: what would have been put before is there after this one.
  await place.state.digests.put(place.user, statusOf(place.directory), PLANTED);
  t.equal(remembered(place, 'recent'), undefined);
  t.equal(remembered(place, 'small'), undefined);
});

const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  'other content, size and mtime as before': corrupt,
  'another mtime': (path) => fs.utimesSync(path, LONG_AGO, LONG_AGO + 1),
  'nothing but a ctime': (path) => fs.chmodSync(path, 0o600),
  'more bytes': (path) => fs.appendFileSync(path, 'x'),
  'another file under the name, of the same size and mtime': (path) => {
    fs.writeFileSync(`${path}.new`, CONTENT);
    corrupt(`${path}.new`);
    fs.renameSync(`${path}.new`, path);
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  homeTest(`hashed anew: ${name}`, {}, async (t, home, place) => {
    const client = new TestClient(home);
    const path = await make(client, place, 'f');
    await plant(place, 'f');
    t.same((await get(client, 'f')).digest, PLANTED);
    change(path);
    t.same((await get(client, 'f')).digest, md5Of(fs.readFileSync(path)));
    await home.check(true); // changed behind the server's back
  });
}

homeTest('a file that changes during its download', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const path = await make(client, place, 'f');
  await plant(place, 'f');
  const [handle] = await client.call('download', ['f']);
  fs.chmodSync(path, 0o600);
  t.same(await client.call('digest', [handle]), MD5, 'another ctime alone: hashed anew');
  await plant(place, 'f');
  const [other] = await client.call('download', ['f']);
  fs.utimesSync(path, LONG_AGO, LONG_AGO + 1);
  t.equal(await kindOf(() => client.call('digest', [other])), 'ESTALE');
});

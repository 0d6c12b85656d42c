/*
 * Files as a user sees them: reading, writing, opening, attributes, names, listings.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { attributes } from '../../../protocol/attributes.js';
import { MAX_HANDLES_OF_HOME } from '../../../daemon/home/handles.js';
import { MAX_DATA, MAX_HANDLES, MAX_PAGE_ENTRIES } from '../../../protocol/limits.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const READ = 1;
const WRITE = 2;
const READ_WRITE = 3;
const TRUNCATE = 8;
const EXCLUSIVE = 16;

homeTest('what is written is read: short only at the end, cold or cached', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const content = randomBytes(MAX_DATA + 12_345);
  const handle = client.open('f', READ_WRITE);
  for (let at = 0; at < content.length; at += 100_000) {
    client.call('write', handle, at, content.subarray(at, at + 100_000));
  }
  const read = async (offset: number, length: number) =>
    (await client.call('read', handle, offset, length)) as Buffer;
  t.ok((await read(0, MAX_DATA)).equals(content.subarray(0, MAX_DATA)));
  t.ok((await read(MAX_DATA, MAX_DATA)).equals(content.subarray(MAX_DATA)));
  t.equal((await read(content.length, 10)).length, 0);
  t.equal((await read(content.length + 1000, 10)).length, 0);
  t.equal((await read(5, 0)).length, 0);
  await client.call('fsync', handle, false);
  await client.call('fsync', handle, true);
  // Out of the page cache: then it is read on another thread.
  execFileSync(
    'dd',
    ['of=' + join(place.directory, 'f'), 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'],
    {
      stdio: 'ignore',
    },
  );
  const cold = client.call('read', handle, 1000, MAX_DATA);
  t.ok(((await cold) as Buffer).equals(content.subarray(1000, 1000 + MAX_DATA)));
});

homeTest('a cold read survives the close of its handle', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const content = randomBytes(300_000);
  client.put('f', content);
  execFileSync(
    'dd',
    ['of=' + join(place.directory, 'f'), 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'],
    {
      stdio: 'ignore',
    },
  );
  const handle = client.open('f', READ);
  const reads = [0, 100_000, 200_000].map((at) => client.call('read', handle, at, 100_000));
  client.call('close', handle);
  client.call('unlink', 'f');
  t.ok(Buffer.concat(await Promise.all(reads as Promise<Buffer>[])).equals(content));
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

homeTest('access is what was asked for', {}, async (t, home) => {
  const client = new TestClient(home);
  client.put('f', 'text');
  const reader = client.open('f', READ, false);
  t.equal(await kindOf(() => client.call('write', reader, 0, Buffer.from('x'))), 'EBADF');
  const writer = client.open('f', WRITE, false);
  t.equal(await kindOf(() => client.call('read', writer, 0, 1)), 'EBADF');
  for (const flags of [4, 8, 16, READ | TRUNCATE, READ | 4]) {
    t.equal(await kindOf(() => client.call('open', 'f', flags)), 'EINVAL', `flags ${flags}`);
  }
  t.equal(await kindOf(() => client.call('open', 'f', READ | EXCLUSIVE)), 'EINVAL');
  t.equal(await kindOf(() => client.call('open', 'missing', READ)), 'ENOENT');
  t.equal(await kindOf(() => client.call('open', 'f/x', READ)), 'ENOTDIR');
  t.equal(client.size('f'), 4);
});

homeTest('create: mode of the client, existing files, exclusive', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const [handle, wire] = client.call('create', 'f', READ_WRITE, 0o4751) as [number, unknown[]];
  t.equal(attributes(wire).mode, 0o104751);
  client.call('write', handle, 0, Buffer.from('old'));
  t.equal(await kindOf(() => client.call('create', 'f', WRITE | EXCLUSIVE, 0o600)), 'EEXIST');
  client.open('f', WRITE);
  t.equal(readFileSync(join(place.directory, 'f'), 'utf8'), 'old', 'what exists is opened');
  client.open('f', WRITE | TRUNCATE);
  t.equal(client.size('f'), 0);
  client.call('create', 'secret', WRITE, 0o000);
  t.equal(lstatSync(join(place.directory, 'secret')).mode & 0o7777, 0);
});

homeTest('setattr: mode with its high bits, times, size, all at once', {}, async (t, home, place) => {
  const client = new TestClient(home);
  client.put('f', 'content');
  const after = attributes(client.call('setattr', 'f', [0o6755, 3, [1, -5, 7], [1, 123_456, 789]]));
  t.equal(after.mode, 0o106755);
  t.equal(after.size, 3);
  t.strictSame(
    [after.atime, after.mtime],
    [
      { sec: -5, nsec: 7 },
      { sec: 123_456, nsec: 789 },
    ],
  );
  const handle = client.open('f', READ_WRITE);
  const open = attributes(client.call('fsetattr', handle, [0o600, null, null, [0]]));
  t.equal(open.mode, 0o100600);
  t.ok(Math.abs(open.mtime.sec - Date.now() / 1000) < 3600, 'now is the clock of the server');
  client.call('mkdir', 'd', 0o1777);
  t.equal(lstatSync(join(place.directory, 'd')).mode & 0o7777, 0o1777);
  client.call('setattr', 'd', [0o2700, null, null, null]);
  t.equal(lstatSync(join(place.directory, 'd')).mode & 0o7777, 0o2700);
  t.equal(await kindOf(() => client.call('setattr', 'd', [null, 0, null, null])), 'EISDIR');
});

homeTest('names: rename with flags, link, unlink, rmdir', {}, async (t, home) => {
  const client = new TestClient(home);
  client.put('a', 'A');
  client.put('b', 'BB');
  t.equal(await kindOf(() => client.call('rename', 'a', 'b', 1)), 'EEXIST', 'RENAME_NOREPLACE');
  client.call('rename', 'a', 'b', 2);
  t.strictSame([client.size('a'), client.size('b')], [2, 1], 'RENAME_EXCHANGE');
  t.equal(await kindOf(() => client.call('rename', 'a', 'b', 3)), 'EINVAL');
  t.equal(await kindOf(() => client.call('rename', 'missing', 'b', 0)), 'ENOENT');
  t.equal(await kindOf(() => client.call('rename', 'a', 'missing', 2)), 'ENOENT');
  client.call('mkdir', 'd', 0o755);
  client.call('mkdir', 'd/e', 0o755);
  t.equal(await kindOf(() => client.call('rename', 'd', 'd/e/f', 0)), 'EINVAL', 'into itself');
  t.equal(await kindOf(() => client.call('rename', 'a', 'd', 0)), 'EISDIR');
  t.equal(await kindOf(() => client.call('rename', 'd', 'a', 0)), 'ENOTDIR');
  t.equal(await kindOf(() => client.call('rmdir', 'd')), 'ENOTEMPTY');
  t.equal(await kindOf(() => client.call('rmdir', 'a')), 'ENOTDIR');
  t.equal(await kindOf(() => client.call('unlink', 'd')), 'EISDIR');
  t.equal(await kindOf(() => client.call('link', 'd', 'x')), 'EPERM');
  t.equal(await kindOf(() => client.call('link', 'a', 'b')), 'EEXIST');
  t.equal(attributes(client.call('link', 'a', 'd/a')).nlink, 2);
  t.equal(attributes(client.call('getattr', 'd/a')).ino, attributes(client.call('getattr', 'a')).ino);
});

homeTest('symlinks and FIFOs are stored and told as they are', {}, async (t, home) => {
  const client = new TestClient(home);
  const target = Buffer.from([0x2f, 0xff, 0xfe, 0x20, 0x0a]);
  t.equal(attributes(client.call('symlink', 'l', target)).mode & 0o170000, 0o120000);
  t.ok((client.call('readlink', 'l') as Buffer).equals(target));
  t.equal(await kindOf(() => client.call('symlink', 'n', Buffer.from('a\0b'))), 'EINVAL');
  t.equal(await kindOf(() => client.call('readlink', '')), 'EINVAL');
  client.put('f', '');
  t.equal(await kindOf(() => client.call('readlink', 'f')), 'EINVAL');
  t.equal(attributes(client.call('mknod', 'p', 0o010640)).mode, 0o010640);
  t.equal(attributes(client.call('mknod', 'plain', 0o640)).mode, 0o100640);
});

homeTest('names are bytes: no UTF-8, newlines, blanks, 255 long', {}, (t, home) => {
  const client = new TestClient(home);
  const names = [
    Buffer.from([0xff, 0xfe, 0x80]),
    Buffer.from('a\nb'),
    Buffer.from('  '),
    Buffer.from('-rf *'),
    Buffer.from('ü'),
    Buffer.alloc(255, 0xc3),
  ];
  for (const name of names) client.call('mknod', name, 0o100644);
  const [, entries, cursor] = client.call('readdir', '') as [unknown, [Buffer, unknown][], null];
  t.equal(cursor, null);
  const listed = entries.map(([name]) => name.toString('hex')).toSorted();
  t.strictSame(listed, names.map((name) => name.toString('hex')).toSorted());
  for (const name of names) client.call('unlink', name);
  t.equal(home.quota.used.files, 0);
});

homeTest(
  '20,000 entries are listed in pages, each once, though others vanish',
  {},
  async (t, home, place) => {
    const client = new TestClient(home);
    const count = 20_000;
    client.call('mkdir', 'd', 0o755);
    for (let i = 0; i < count; i++) client.call('mknod', `d/file-${i}`, 0o100644);
    const [own, first, cursor] = client.call('readdir', 'd') as [unknown, [Buffer, unknown][], number];
    t.equal(attributes(own).mode, 0o040755);
    const seen = first.map(([name]) => String(name));
    const removed = new Set<string>();
    let pages = 1;
    for (let next: number | null = cursor; next !== null; pages++) {
      const [entries, following] = client.call('readdirNext', next) as [[Buffer, unknown][], number | null];
      t.ok(entries.length <= MAX_PAGE_ENTRIES);
      for (const [name, wire] of entries) {
        seen.push(String(name));
        if (attributes(wire).nlink !== 1) t.fail('attributes are of the entry');
      }
      const gone = `file-${pages * 700}`;
      if (!seen.includes(gone)) {
        client.call('unlink', `d/${gone}`);
        removed.add(gone);
      }
      next = following;
    }
    t.ok(pages >= 20);
    const names = new Set(seen);
    t.equal(names.size, seen.length, 'no name comes twice');
    const missing = Array.from({ length: count }, (_, i) => `file-${i}`).filter((name) => !names.has(name));
    t.ok(
      missing.every((name) => removed.has(name)),
      'only what was removed is missing',
    );
    t.equal(
      await kindOf(() => client.call('readdirNext', cursor)),
      'EBADF',
      'the last page closed the cursor',
    );
    t.equal(home.status().handles, 0);
    t.equal(await kindOf(() => client.call('readdir', 'd/none')), 'ENOENT');
    writeFileSync(join(place.directory, 'plain'), '');
    t.equal(await kindOf(() => client.call('readdir', 'plain')), 'ENOTDIR');
    client.call('unlink', 'plain');
    home.quota.correct((await home.check(false)).tree);
  },
);

homeTest('a cursor can be closed, and an empty directory has no second page', {}, async (t, home) => {
  const client = new TestClient(home);
  client.call('mkdir', 'd', 0o755);
  t.strictSame((client.call('readdir', 'd') as unknown[]).slice(1), [[], null]);
  for (let i = 0; i < 1200; i++) client.call('mknod', `d/${i}`, 0o100644);
  const [, , cursor] = client.call('readdir', 'd') as [unknown, unknown, number];
  client.call('close', cursor);
  t.equal(await kindOf(() => client.call('readdirNext', cursor)), 'EBADF');
  await client.call('fsyncdir', 'd');
  await client.call('fsyncdir', '');
});

homeTest('files without a name are read, written and synced', {}, async (t, home) => {
  const client = new TestClient(home);
  client.put('f', 'before');
  const handle = client.open('f', READ_WRITE);
  client.call('unlink', 'f');
  client.call('write', handle, 6, Buffer.from(' after'));
  t.equal(String(client.call('read', handle, 0, 100)), 'before after');
  t.equal(attributes(client.call('fgetattr', handle)).nlink, 0);
  await client.call('fsync', handle, false);
  client.put('f', 'another');
  t.equal(String(client.call('read', handle, 0, 100)), 'before after');
});

void t.test('handles are limited, and refused before anything is opened', async (t) => {
  const home = await new Place(t).open();
  const client = new TestClient(home);
  client.put('f', '');
  const limit = Math.min(MAX_HANDLES, MAX_HANDLES_OF_HOME);
  for (let i = 0; i < limit; i++) client.call('open', 'f', READ);
  t.equal(await kindOf(() => client.call('open', 'f', READ)), 'EMFILE');
  t.equal(await kindOf(() => client.call('create', 'new', WRITE, 0o644)), 'EMFILE');
  t.equal(await kindOf(() => client.call('getattr', 'new')), 'ENOENT');
  const another = new TestClient(home);
  const kind = limit < MAX_HANDLES_OF_HOME ? 'no failure' : 'EMFILE';
  t.equal(
    await kindOf(() => another.call('open', 'f', READ)),
    kind,
    'another client has its own, while there are any',
  );
});

void t.test('a full disk is ENOSPC, and the charge stays exact', async (t) => {
  const directory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,nr_inodes=16,mode=0700', 'tmpfs', directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const home = await new Place(t, { bytes: 1 << 30, files: 1000 }, { directory }).open();
  t.teardown(() => home.close());
  const client = new TestClient(home);
  const handle = client.open('f', READ_WRITE);
  t.equal(await kindOf(() => client.call('write', handle, 0, Buffer.alloc(400 * 1024, 1))), 'ENOSPC');
  t.equal(home.quota.used.bytes, client.size('f'), 'a part may have been written');
  client.call('setattr', 'f', [null, 0, null, null]);
  t.equal(home.quota.used.bytes, 0);
  client.call('write', handle, 0, Buffer.alloc(100 * 1024, 1));
  const kinds = new Set<string>();
  for (let i = 0; i < 20; i++) kinds.add(await kindOf(() => client.call('mknod', `n${i}`, 0o100644)));
  t.strictSame([...kinds], ['no failure', 'ENOSPC']);
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
  await home.close();
});

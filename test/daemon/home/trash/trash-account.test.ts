/*
 * Changes of a file that is in the trash, and open: what is in the trash, and what is free besides, stay true, at each moment. At its end each test
 * holds both against a count of the tree (homeTest).
 */
import { LEASE_WRITE } from '../../../../protocol/methods.js';
import {
  ALLOCATE,
  packOperation,
  REMOVEXATTR,
  SETATTR,
  SETXATTR,
  WRITE,
  type Operation,
} from '../../../../protocol/operations.js';
import type { FileId, FileRef } from '../../../../protocol/references.js';
import { homeTest, kindOf, TestClient } from '../fixture.js';

const TRASH = { trashMs: 30 * 86_400_000 };
const SOFT = { softBytes: 100, graceMs: 86_400_000 };
const ALL = { mode: null, size: null, atime: null, mtime: null, time: null };

/** A file of so many bytes that this client has open, and that was removed. */
async function heldInTrash(
  client: TestClient,
  bytes: number,
  name = 'f',
): Promise<FileId & { readonly path: null }> {
  await client.paths.put(name, Buffer.alloc(bytes));
  const { ino, birth } = await client.paths.stat(name);
  await client.call('hold', [[ino, birth, null]]);
  await client.paths.unlink(name);
  return { ino, birth, path: null };
}

function resize(file: FileRef, size: number): Operation {
  return { ...ALL, kind: SETATTR, file, size };
}

function write(file: FileRef, offset: number, length: number): Operation {
  return { kind: WRITE, file, offset, data: Buffer.alloc(length), time: null };
}

homeTest('it is cut off, to nothing and beyond where it was', TRASH, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  await paths.put('other', Buffer.alloc(30));
  await heldInTrash(client, 50, 'g');
  const file = await heldInTrash(client, 100);
  await paths.change(resize(file, 40));
  t.strictSame([home.quota.used.bytes, home.quota.trashed.bytes], [120, 90]);
  await paths.change(resize(file, 0));
  t.equal((await client.call('statfs', []))[2], 80, 'what is open makes no room');
  await paths.change(resize(file, 300));
  t.equal(home.quota.trashed.bytes, 350);
});

homeTest('it is written, and what was written makes room', { ...TRASH, bytes: 1000 }, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  const file = await heldInTrash(client, 0);
  await paths.change(write(file, 0, 700));
  await paths.change({ kind: ALLOCATE, file, time: null, mode: 0, offset: 700, length: 100 });
  t.strictSame([home.quota.used.bytes, home.quota.trashed.bytes], [800, 800]);
  client.leave();
  home.logout(client.client);
  const later = new TestClient(home);
  await later.paths.put('g', Buffer.alloc(900));
  t.equal(home.quota.used.bytes, 900);
});

homeTest('room for it is made by all else that is there', { ...TRASH, bytes: 1000 }, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  await paths.put('g', Buffer.alloc(500));
  await paths.unlink('g');
  const file = await heldInTrash(client, 400);
  await paths.change(write(file, 400, 500));
  t.equal(home.quota.used.bytes, 900);
  await paths.change(resize(file, 0));
  t.equal(home.quota.used.bytes, 0);
});

homeTest('its attributes are changed', TRASH, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  const file = await heldInTrash(client, 10);
  const xattr = Buffer.from('user.note');
  const set = (length: number): Operation => ({
    ...{ kind: SETXATTR, file, time: null, xattr, value: Buffer.alloc(length), flags: 0 },
  });
  for (const [length, charged] of [
    [91, 110],
    [11, 30],
    [41, 60],
  ] as const) {
    await paths.change(set(length));
    t.equal(home.quota.trashed.bytes, charged);
  }
  await paths.change({ kind: REMOVEXATTR, file, time: null, xattr });
  t.equal(home.quota.trashed.bytes, 10);
});

homeTest('nothing of it counts in the soft quota', { ...TRASH, soft: SOFT }, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  await paths.put('other', Buffer.alloc(60));
  await paths.put('g', Buffer.alloc(30));
  await paths.unlink('g');
  const file = await heldInTrash(client, 30);
  const told = (): unknown[] => client.told.filter(([name]) => name === 'softLimit');
  await paths.change(write(file, 30, 170));
  await paths.change(resize(file, 10));
  t.strictSame(told(), []);
  await paths.put('more', Buffer.alloc(35));
  await client.call('trashEmpty', []);
  t.strictSame([told().length, home.quota.used.bytes], [1, 105], 'but when it is not in the trash any more');
});

homeTest('what goes for good is not told of', { ...TRASH, soft: SOFT }, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.put('f', Buffer.alloc(60));
  await client.paths.unlink('f');
  await client.paths.put('other', Buffer.alloc(60));
  await client.call('trashEmpty', []);
  t.strictSame(
    client.told.filter(([name]) => name === 'softLimit'),
    [],
  );
});

homeTest('it is changed by a log', TRASH, async (t, home) => {
  const client = new TestClient(home, { wants: LEASE_WRITE });
  const file = await heldInTrash(client, 10);
  const operations = [packOperation(write(file, 10, 90)), packOperation(resize(file, 60))];
  await client.call('apply', [1, operations, null]);
  t.strictSame([home.quota.used.bytes, home.quota.trashed.bytes], [60, 60]);
});

homeTest('once it was removed for good, or restored, it is like any other', TRASH, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  const gone = await heldInTrash(client, 100);
  await client.call('trashEmpty', []);
  await paths.change(write(gone, 100, 50));
  t.strictSame([home.quota.used.bytes, home.quota.trashed], [150, { bytes: 0, files: 0 }]);
  const back = await heldInTrash(client, 10, 'g');
  await paths.change(write(back, 10, 10));
  const [[item]] = await client.call('trash', [null]);
  await client.call('trashRestore', [item?.[0], 'g']);
  await paths.change(write(back, 20, 10));
  t.strictSame([home.quota.used.bytes, home.quota.trashed], [180, { bytes: 0, files: 0 }]);
  t.equal(await kindOf(() => paths.stat('f')), 'ENOENT');
});

/*
 * Extended attributes of users: set, told, removed, and charged as a count of the tree finds them (homeTest, partsTest).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LEASE_WRITE } from '../../../protocol/methods.js';
import { RELEASE, REMOVEXATTR, SETXATTR, type Operation } from '../../../protocol/operations.js';
import type { FileRef } from '../../../protocol/references.js';
import { XATTR_CREATE, XATTR_REPLACE } from '../../../protocol/xattrs.js';
import { fd as brandFd } from '../../../posix/fd.js';
import { setXattr } from '../../../posix/xattrs.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { ref } from '../../lib/path-client.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';
import { at, create, partsTest, refTo, setattr, unlink } from './home-parts.js';

function set(file: FileRef, xattr: string, value: string | Buffer, flags = 0, time = at(1)): Operation {
  return { kind: SETXATTR, file, time, xattr: Buffer.from(xattr), value: Buffer.from(value), flags };
}

function remove(file: FileRef, xattr: string): Operation {
  return { kind: REMOVEXATTR, file, time: at(2), xattr: Buffer.from(xattr) };
}

/** The attributes of the files at these paths, as text. */
async function told(client: TestClient, paths: readonly string[], bytes = 4096): Promise<unknown> {
  const files = await client.call('xattrs', [paths.map((path) => Buffer.from(path)), bytes]);
  return files.map((xattrs) =>
    xattrs === null
      ? null
      : Object.fromEntries(xattrs.map(([name, value]) => [String(name), value && String(value)])),
  );
}

async function withFile(home: UserHome, path = 'f'): Promise<TestClient> {
  const client = new TestClient(home);
  await client.paths.put(path, 'content');
  return client;
}

homeTest('what is set is told, with the ctime of the client, until it is removed', {}, async (t, home) => {
  const client = await withFile(home);
  const { paths } = client;
  const [file] = await paths.change(set(ref('f'), 'user.a', 'one'));
  t.match(file?.ctime, at(1));
  await paths.change(set(ref('f'), 'user.b', ''));
  await paths.mkdir('d');
  await paths.change(set(ref('d'), 'user.d', 'of a directory'));
  await paths.change(set(ref(''), 'user.home', 'of the home'));
  t.strictSame(await told(client, ['f', 'd', '']), [
    { 'user.a': 'one', 'user.b': '' },
    { 'user.d': 'of a directory' },
    { 'user.home': 'of the home' },
  ]);
  t.equal(String(await client.call('xattr', [Buffer.from('f'), 'user.a'])), 'one');
  t.equal(await kindOf(() => client.call('xattr', [Buffer.from('f'), 'user.c'])), 'ENODATA');
  t.match((await paths.change(remove(ref('f'), 'user.a')))[0]?.ctime, at(2));
  t.strictSame(await told(client, ['f']), [{ 'user.b': '' }]);
  t.equal(await kindOf(() => paths.change(remove(ref('f'), 'user.a'))), 'ENODATA');
});

homeTest('what is expected of one that is there, or not', {}, async (t, home) => {
  const { paths, ...client } = await withFile(home);
  t.equal(await kindOf(() => paths.change(set(ref('f'), 'user.a', '1', XATTR_REPLACE))), 'ENODATA');
  await paths.change(set(ref('f'), 'user.a', '2', XATTR_CREATE));
  t.equal(await kindOf(() => paths.change(set(ref('f'), 'user.a', '3', XATTR_CREATE))), 'EEXIST');
  await paths.change(set(ref('f'), 'user.a', '4', XATTR_REPLACE));
  t.equal(client.dropped, undefined);
});

homeTest('only files and directories have some, and none has the server’s', {}, async (t, home, place) => {
  const client = await withFile(home);
  const { paths } = client;
  await paths.symlink('f', 'l');
  await paths.create('fifo', 0o010644);
  for (const name of ['l', 'fifo']) {
    t.equal(await kindOf(() => paths.change(set(ref(name), 'user.a', '1'))), 'EPERM');
    t.equal(await kindOf(() => paths.change(remove(ref(name), 'user.a'))), 'EPERM');
  }
  execFileSync('setfattr', ['-n', 'user.ftpmount.own', '-v', 'secret', join(place.directory, 'f')]);
  t.strictSame(await told(client, ['f', 'l', 'fifo']), [{}, {}, {}]);
  t.equal(await kindOf(() => client.call('xattr', [Buffer.from('f'), 'user.ftpmount.own'])), 'ENODATA');
  t.equal(await kindOf(() => paths.change(set(ref('f'), 'user.ftpmount.own', '1'))), 'EACCES');
  t.equal(await kindOf(() => paths.change(remove(ref('f'), 'user.ftpmount.own'))), 'ENODATA');
  await paths.change(set(ref('f'), 'user.ftpmount.acl.access', '1'));
  t.strictSame(await told(client, ['f']), [{ 'user.ftpmount.acl.access': '1' }], 'what mounts keep there is');
});

homeTest('names and values are charged, to the byte', { bytes: 100 }, async (t, home) => {
  const { paths } = await withFile(home);
  const used = (): number => home.quota.used.bytes - 'content'.length;
  await paths.change(set(ref('f'), 'user.a', '1234'));
  t.equal(used(), 10);
  await paths.change(set(ref('f'), 'user.a', '123456'));
  t.equal(used(), 12);
  await paths.change(set(ref('f'), 'user.a', ''));
  t.equal(used(), 6);
  t.equal(await kindOf(() => paths.change(set(ref('f'), 'user.b', Buffer.alloc(82)))), 'EDQUOT');
  t.equal(used(), 6);
  await paths.change(set(ref('f'), 'user.b', Buffer.alloc(81)));
  t.equal(home.quota.room.bytes, 0);
  await paths.change(remove(ref('f'), 'user.b'));
  t.equal(used(), 6);
});

homeTest('they are given back with the last name, or the last who holds the file', {}, async (t, home) => {
  const client = await withFile(home);
  const { paths } = client;
  const nothing = { bytes: 0, files: 0 };
  await paths.change(set(ref('f'), 'user.a', '1234'));
  await paths.link('f', 'g');
  await paths.unlink('f');
  t.strictSame(home.quota.used, { bytes: 17, files: 1 });
  const { ino, birth } = await client.call('hold', ['g']);
  await paths.unlink('g');
  t.strictSame(home.quota.used, { bytes: 17, files: 1 });
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree, 'a check knows of it');
  await paths.change({ kind: RELEASE, id: { ino, birth } });
  t.strictSame(home.quota.used, nothing);

  await paths.create('old');
  await paths.change(set(ref('old'), 'user.a', '1234'));
  await paths.create('new');
  await paths.rename('new', 'old');
  t.strictSame(home.quota.used, { bytes: 0, files: 1 }, 'replaced');
  await paths.unlink('old');
  await paths.mkdir('d');
  await paths.change(set(ref('d'), 'user.a', '1234'));
  await paths.rmdir('d');
  t.strictSame(home.quota.used, nothing);
});

partsTest('a replay does not ask what was there, and charges nothing twice', {}, (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  const log = [set(file, 'user.a', 'one', XATTR_CREATE), set(file, 'user.b', 'two'), remove(file, 'user.b')];
  client.log(...log);
  t.equal(parts.quota.used.bytes, 9);
  client.replay(...log);
  t.equal(parts.quota.used.bytes, 9);
});

partsTest('a mode that locks the daemon out is no obstacle, and stays', {}, (t, parts) => {
  const client = parts.client();
  const file = refTo(client.changed(create(parts.home, 'f')));
  client.log(setattr(file, { mode: 0 }), set(file, 'user.a', 'one'));
  t.equal(client.changed(set(file, 'user.a', 'two')).mode & 0o7777, 0);
  client.log(unlink(parts.home, 'f'));
  t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
});

homeTest('values that have no room in the answer are named only', {}, async (t, home) => {
  const client = await withFile(home);
  const { paths } = client;
  await paths.put('g', '');
  for (const name of ['f', 'g']) await paths.change(set(ref(name), 'user.a', 'x'.repeat(1000)));
  const whole = { 'user.a': 'x'.repeat(1000) };
  t.strictSame(await told(client, ['f', 'g']), [whole, whole]);
  t.strictSame(await told(client, ['f', 'g'], 1500), [whole, { 'user.a': null }]);
});

homeTest('names without room are left out, and none after them is looked for', {}, async (t, home, place) => {
  const client = new TestClient(home);
  const directory = join(place.directory, 'many');
  await client.paths.mkdir('many');
  // Some 3 KiB of names each, which is what ext4 takes: 128 KiB of them fit.
  const names = Array.from({ length: 13 }, (_, i) => `user.${String(i).padStart(2, '0')}${'n'.repeat(228)}`);
  const files = Array.from({ length: 60 }, (_, i) => `many/f${i}`);
  for (const file of files) await client.paths.put(file, '');
  const set = names.map((name) => `setfattr -n ${name} f*`).join('; ');
  execFileSync('sh', ['-c', set], { cwd: directory });
  const answer = await client.call('xattrs', [files.map((file) => Buffer.from(file)), 0]);
  const toldOf = answer.filter((xattrs) => xattrs !== null).length;
  t.ok(toldOf > 30 && toldOf < 60, `${toldOf} of 60`);
  t.ok(answer.slice(toldOf).every((xattrs) => xattrs === null));
  for (const file of files) await client.paths.unlink(file);
  await client.paths.rmdir('many');
});

void t.test('no more attributes are looked at ahead of need than others can wait for', async (t) => {
  const place = new Place(t);
  const client = await withFile(await place.open());
  const files = Array.from({ length: 12 }, (_, i) => `f${i}`);
  for (const file of files) {
    const open = openSync(join(place.directory, file), 'w');
    for (let i = 0; i < 100; i++)
      setXattr({ fd: brandFd(open) }, Buffer.from(`user.${i}`), Buffer.alloc(0), 0);
    closeSync(open);
  }
  const answer = await client.call('xattrs', [files.map((file) => Buffer.from(file)), 0]);
  t.strictSame(
    answer.map((xattrs) => xattrs?.length ?? null),
    files.map((_, at) => (at < 11 ? 100 : null)),
  );
});

void t.test('of a file with very many attributes no values are read while others wait', async (t) => {
  const directory = mkdtempSync('/dev/shm/ftpmount-');
  t.teardown(() => rmSync(directory, { recursive: true }));
  const client = await withFile(await new Place(t, {}, { directory }).open());
  const open = openSync(join(directory, 'f'), 'r');
  const add = (n: number): void =>
    setXattr({ fd: brandFd(open) }, Buffer.from(`user.${n}`), Buffer.alloc(0), 0);
  const valueOf = async (): Promise<[names: number, values: unknown[]]> => {
    const [xattrs] = await client.call('xattrs', [[Buffer.from('f')], 4096]);
    return [xattrs?.length ?? 0, [...new Set(xattrs?.map(([, value]) => value && String(value)))]];
  };
  for (let n = 0; n < 1024; n++) add(n);
  t.strictSame(await valueOf(), [1024, ['']]);
  add(1024);
  t.strictSame(await valueOf(), [1025, [null]]);
  t.equal(String(await client.call('xattr', ['f', 'user.1024'])), '', 'who asks for one is told');
  closeSync(open);
});

homeTest('the first file is asked back, the others are told where nobody has them', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE });
  for (const directory of ['own', 'asked']) {
    await one.paths.mkdir(directory);
    await one.paths.put(`${directory}/f`, '');
  }
  const two = new TestClient(home, { wants: LEASE_WRITE });
  t.strictSame(await told(two, ['asked/f', 'own/f', 'nowhere']), [{}, null, null]);
  t.strictSame(await told(two, ['own/f', 'asked/f']), [{}, {}]);
});

homeTest('uploads give their files all of them, or are refused', { bytes: 100 }, async (t, home) => {
  const client = await withFile(home, 'old');
  await client.paths.change(set(ref('old'), 'user.old', 'of the old file'));
  const data = 'text';
  const md5 = createHash('md5').update(data).digest();
  const upload = async (...given: [name: string, value: string][]): Promise<unknown> => {
    const xattrs = given.map((xattr) => xattr.map((text) => Buffer.from(text)));
    const file = [Buffer.from('old'), data.length, 0o400, 1, 2, md5, xattrs];
    return (await client.call('uploadFiles', [[file], Buffer.from(data)]))[0]?.[0] ?? null;
  };
  t.equal(await upload(['user.a', 'x'.repeat(80)]), 'EDQUOT');
  t.equal(await upload(['user.a', '1'], ['user.a', '2']), 'EINVAL');
  t.equal(await upload(['user.ftpmount.owner', '']), 'EACCES');
  t.strictSame(await told(client, ['old']), [{ 'user.old': 'of the old file' }]);
  t.equal(await upload(['user.a', 'one'], ['user.b', '']), null);
  t.strictSame(await told(client, ['old']), [{ 'user.a': 'one', 'user.b': '' }]);

  const begin = ['new', data.length, 0o400, 1, 2, Buffer.alloc(32)];
  const [handle] = await client.call('uploadBegin', begin);
  await client.call('uploadWrite', [handle, 0, Buffer.from(data)]);
  const finish = (xattrs: unknown): Promise<unknown> => client.call('uploadFinish', [handle, md5, xattrs]);
  const given = (value: string): Buffer[][] => [[Buffer.from('user.a'), Buffer.from(value)]];
  t.equal(
    await kindOf(() => finish([...given('fits'), [Buffer.from('user.b'), Buffer.alloc(80)]])),
    'EDQUOT',
  );
  await finish(given('another'));
  t.strictSame(await told(client, ['new']), [{ 'user.a': 'another' }]);
});

/** A file system that takes more attributes of a file than can be told. */
const roomy = mkdtempSync('/dev/shm/ftpmount-');
t.teardown(() => rmSync(roomy, { recursive: true }));

partsTest(
  'no file has more attributes than can be told, and so charged',
  { directory: roomy },
  (t, parts) => {
    const client = parts.client();
    const file = refTo(client.changed(create(parts.home, 'f')));
    const name = (n: number): string => `user.${String(n).padStart(250, '0')}`;
    const add = (n: number): unknown => client.change(set(file, name(n), 'x'));
    let count = 0;
    t.throws(
      () => {
        for (; count < 300; count++) add(count);
      },
      { code: 'ENOSPC' },
    );
    t.equal(count, 252);
    client.change(set(file, name(0), 'another'));
    client.change(unlink(parts.home, 'f'));
    t.strictSame(parts.quota.used, { bytes: 0, files: 0 });
  },
);

partsTest('the thread is given back while files of many attributes are counted', {}, async (t, parts) => {
  const client = parts.client();
  for (let n = 0; n < 50; n++) {
    const file = refTo(client.changed(create(parts.home, `f${n}`)));
    client.change(set(file, 'user.many', 'x'.repeat(2000)));
  }
  let turns = 0;
  let counted = false;
  const others = (): void => {
    turns += 1;
    if (!counted) setImmediate(others);
  };
  setImmediate(others);
  await parts.counts();
  counted = true;
  t.ok(turns > 20, `${turns} turns of others`);
});

homeTest('of a file that was removed, and that nobody holds, none is changed', {}, async (t, home) => {
  const [client, other] = [new TestClient(home), new TestClient(home)];
  await client.paths.create('f');
  const { ino, birth } = await other.paths.stat('f');
  await client.paths.unlink('f');
  const file = { ino, birth, path: null };
  t.equal(await kindOf(() => other.paths.change(set(file, 'user.a', '1234'))), 'ESTALE');
  await other.call('hold', [[ino, birth, null]]);
  await other.paths.change(set(file, 'user.a', '1234'));
  t.equal(home.quota.used.bytes, 10);
  await other.paths.change({ kind: RELEASE, id: { ino, birth } });
  t.equal(home.quota.used.bytes, 0);
});

homeTest('those of a directory that was removed are not charged, nor changed', {}, async (t, home) => {
  const client = await withFile(home);
  const { paths } = client;
  await paths.mkdir('d');
  const { ino, birth } = await paths.stat('d');
  const file = { ino, birth, path: null };
  await paths.change(set(file, 'user.a', '1234'));
  await client.call('hold', [[ino, birth, null]]);
  await paths.rmdir('d');
  t.equal(await kindOf(() => paths.change(set(file, 'user.a', '12345678'))), 'ESTALE');
  t.equal(await kindOf(() => paths.change(remove(file, 'user.a'))), 'ESTALE');
  t.equal(home.quota.used.bytes, 7);
});

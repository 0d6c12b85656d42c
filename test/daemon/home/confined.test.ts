/*
 * Attacks on the confinement of a home: none may read, change or reveal anything outside.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { UserHome } from '../../../daemon/home/user-home.js';
import type { HomeMethod } from '../../../daemon/home/dispatch.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const SECRET = 'top secret';

/** A directory outside of the home with a file in it that nobody may see or change. */
function outside(t: Test): string {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'secret'), SECRET);
  return directory;
}

/** Calls of every method that takes a path, on this one. */
function callsOn(path: string): [HomeMethod, ...unknown[]][] {
  return [
    ['getattr', path],
    ['setattr', path, [0o777, null, null, null]],
    ['setattr', path, [null, 0, null, null]],
    ['setattr', path, [null, null, [1, 1, 1], [1, 1, 1]]],
    ['readdir', path],
    ['readlink', path],
    ['mkdir', path, 0o777],
    ['mknod', path, 0o100666],
    ['symlink', path, 'x'],
    ['link', path, 'stolen'],
    ['link', 'own', path],
    ['unlink', path],
    ['rmdir', path],
    ['rename', path, 'stolen', 0],
    ['rename', 'own', path, 0],
    ['rename', 'own', path, 2],
    ['open', path, 1],
    ['open', path, 2 | 8],
    ['create', path, 3, 0o666],
    ['create', path, 2 | 8, 0o666],
    ['fsyncdir', path],
    ['uploadBegin', path, 1, 0o666, 0, 0, Buffer.alloc(32)],
    ['download', path],
  ];
}

/** Makes every call on a path; each must fail with one of these kinds. */
async function refusesAll(t: Test, client: TestClient, path: string, kinds: string[]): Promise<void> {
  for (const [method, ...params] of callsOn(path)) {
    const kind = await kindOf(() => client.call(method, ...params));
    t.ok(kinds.includes(kind), `${method} of ${JSON.stringify(path)}: ${kind}`);
  }
}

homeTest('names that are none: .., ., absolute, empty components, NUL, overlong', {}, async (t, home) => {
  const client = new TestClient(home);
  client.put('own', 'mine');
  client.call('mkdir', 'd', 0o755);
  for (const path of [
    '..',
    '../x',
    'd/../..',
    'd/..',
    '.',
    'd/./x',
    '/etc/passwd',
    '/',
    'd//x',
    'd/',
    'a\0b',
    '\0',
  ]) {
    await refusesAll(t, client, path, ['EINVAL']);
  }
  await refusesAll(t, client, 'n'.repeat(256), ['ENAMETOOLONG']);
  await refusesAll(t, client, `${'d/'.repeat(2100)}x`, ['ENAMETOOLONG']);
  t.equal(client.size('own'), 4);
});

homeTest('symlinks planted in the home are never followed', {}, async (t, home, place) => {
  const directory = outside(t);
  const client = new TestClient(home);
  client.put('own', 'mine');
  client.call('symlink', 'out', directory);
  client.call('symlink', 'file', join(directory, 'secret'));
  client.call('symlink', 'up', '../..');
  client.call('symlink', 'root', '/proc/self/root');
  client.call('symlink', 'descriptor', '/proc/self/fd');
  client.call('symlink', 'inside', 'own');
  for (const path of ['out/secret', 'out/sub/new', 'up/state', 'root/etc/passwd', 'descriptor/0', 'file/x']) {
    await refusesAll(t, client, path, ['ELOOP', 'ENOTDIR']);
  }
  for (const method of ['open', 'download', 'create'] as const) {
    const params = { open: [1], download: [], create: [3, 0o666] }[method];
    for (const path of ['file', 'inside']) {
      t.equal(await kindOf(() => client.call(method, path, ...params)), 'ELOOP', `${method} ${path}`);
    }
  }
  t.equal(await kindOf(() => client.call('setattr', 'file', [0o777, null, null, null])), 'EOPNOTSUPP');
  t.equal(await kindOf(() => client.call('setattr', 'file', [null, 0, null, null])), 'EINVAL');
  client.call('setattr', 'file', [null, null, [1, 5, 0], [1, 5, 0]]);
  t.equal(lstatSync(join(place.directory, 'file')).mtimeMs, 5000, 'the times of the link itself');
  t.not(lstatSync(join(directory, 'secret')).mtimeMs, 5000);
  client.call('link', 'file', 'file2');
  t.ok(lstatSync(join(place.directory, 'file2')).isSymbolicLink(), 'a link of the link, not of its target');
  client.call('unlink', 'file2');
  client.call('rename', 'own', 'file', 0);
  t.equal(readFileSync(join(directory, 'secret'), 'utf8'), SECRET);
  t.strictSame(readdirSync(directory).toSorted(), ['secret', 'sub']);
  t.strictSame(readdirSync(join(directory, 'sub')), []);
});

homeTest('an upload to a symlink replaces the link', {}, async (t, home, place) => {
  const directory = outside(t);
  const client = new TestClient(home);
  client.call('symlink', 'file', join(directory, 'secret'));
  const [handle] = (await client.call('uploadBegin', 'file', 0, 0o600, 1, 0, Buffer.alloc(32))) as [number];
  await client.call('uploadFinish', handle, Buffer.from('d41d8cd98f00b204e9800998ecf8427e', 'hex'));
  t.ok(lstatSync(join(place.directory, 'file')).isFile());
  t.equal(readFileSync(join(directory, 'secret'), 'utf8'), SECRET);
});

homeTest("the daemon's own directory is not there", {}, async (t, home, place) => {
  const client = new TestClient(home);
  client.put('own', 'mine');
  const [handle] = (await client.call('uploadBegin', 'f', 10, 0o600, 1, 0, Buffer.alloc(32))) as [number];
  await client.call('uploadWrite', handle, 0, Buffer.from('part'));
  t.ok(existsSync(join(place.directory, '.ftpmount')));
  await refusesAll(t, client, '.ftpmount', ['ENOENT', 'EACCES']);
  await refusesAll(t, client, '.ftpmount/x', ['ENOENT', 'EACCES']);
  for (const makes of ['mkdir', 'mknod'] as const) {
    t.equal(await kindOf(() => client.call(makes, '.ftpmount', 0o700)), 'EACCES');
  }
  t.equal(await kindOf(() => client.call('getattr', '.ftpmount')), 'ENOENT');
  const [, entries] = client.call('readdir', '') as [unknown, [Buffer, unknown][]];
  t.strictSame(
    entries.map(([name]) => String(name)),
    ['own'],
  );
  client.call('mkdir', 'd', 0o755);
  client.call('mkdir', 'd/.ftpmount', 0o755);
  client.call('mkdir', '.ftpmount2', 0o755);
  t.pass('elsewhere the name is free');
  await client.call('uploadAbort', handle);
});

homeTest('devices cannot be made, and no special file is opened', {}, async (t, home) => {
  const client = new TestClient(home);
  t.equal(await kindOf(() => client.call('mknod', 'b', 0o060644)), 'EPERM');
  t.equal(await kindOf(() => client.call('mknod', 'c', 0o020644)), 'EPERM');
  t.equal(await kindOf(() => client.call('mknod', 'd', 0o040755)), 'EPERM');
  client.call('mknod', 'fifo', 0o010644);
  client.call('mknod', 'socket', 0o140644);
  client.call('mkdir', 'dir', 0o755);
  for (const flags of [1, 2, 3]) {
    t.equal(await kindOf(() => client.call('open', 'fifo', flags)), 'ENXIO');
    t.equal(await kindOf(() => client.call('create', 'fifo', flags, 0o644)), 'ENXIO');
    t.equal(await kindOf(() => client.call('open', 'socket', flags)), 'ENXIO');
    t.equal(await kindOf(() => client.call('open', 'dir', flags)), 'EISDIR');
    t.equal(await kindOf(() => client.call('create', 'dir', flags, 0o644)), 'EISDIR');
  }
  t.equal(home.status().handles, 0);
});

homeTest("the home's own mode stays, whatever is asked", {}, async (t, home, place) => {
  const client = new TestClient(home);
  client.call('setattr', '', [0o777, null, null, [1, 77, 0]]);
  t.equal(lstatSync(place.directory).mode & 0o7777, 0o700);
  t.equal(lstatSync(place.directory).mtimeMs, 77_000);
  t.equal(await kindOf(() => client.call('setattr', '', [null, 0, null, null])), 'EISDIR');
  t.equal(await kindOf(() => client.call('rmdir', '')), 'EBUSY');
  t.equal(await kindOf(() => client.call('rename', '', 'x', 0)), 'EBUSY');
});

void t.test("other users' and other clients' handles mean nothing", async (t) => {
  const alice = await new Place(t).open();
  const lily = await new Place(t, {}, { user: 'lily' }).open();
  const id = Buffer.alloc(16, 9);
  const hers = new TestClient(alice, { id });
  hers.put('f', SECRET);
  const handle = hers.open('f', 3);
  const same = new TestClient(lily, { id });
  t.equal(same.resumed, false, 'the same client id at another home is another client');
  for (const client of [same, new TestClient(alice)]) {
    for (const [method, ...params] of [
      ['read', handle, 0, 10],
      ['write', handle, 0, Buffer.from('x')],
      ['fgetattr', handle],
      ['fsetattr', handle, [null, 0, null, null]],
      ['close', handle],
      ['readdirNext', handle],
      ['uploadWrite', handle, 0, Buffer.from('x')],
      ['digest', handle],
    ] as const) {
      t.equal(await kindOf(() => client.call(method, ...params)), 'EBADF', method);
    }
  }
  t.equal(String(hers.call('read', handle, 0, 100)), SECRET);
});

/**
 * A child that exchanges the directory `dir` of a home with a symlink to elsewhere, as fast as it can, until its input
 * ends; it prints how often.
 */
const SWAPPER = `
  const [home, target] = process.argv.slice(1);
  const { renameSync, symlinkSync } = require('node:fs');
  symlinkSync(target, home + '/link');
  let on = true, count = 0;
  process.stdin.on('end', () => { on = false; }).resume();
  process.stdout.write('ready ');
  (function round() {
    for (let i = 0; i < 50; i++) {
      renameSync(home + '/dir', home + '/away');
      renameSync(home + '/link', home + '/dir');
      renameSync(home + '/dir', home + '/link');
      renameSync(home + '/away', home + '/dir');
      count++;
    }
    if (on) setImmediate(round); else process.stdout.write(String(count));
  })();
`;

void t.test('a directory exchanged for a symlink while requests walk through it', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const directory = outside(t);
  mkdirSync(join(place.directory, 'dir'));
  mkdirSync(join(place.directory, 'dir', 'sub'));
  writeFileSync(join(place.directory, 'own'), 'mine');
  const child = spawn(process.execPath, ['-e', SWAPPER, place.directory, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child.stdout, 'data');
  const { through, refused } = await attack(home);
  child.stdin.end();
  await once(child, 'close');
  t.ok(through > 0 && refused > 0, `${through} calls came through, ${refused} met the link or nothing`);
  t.ok(Number(output.split(' ')[1]) > 100, `the directory was exchanged ${output.split(' ')[1]} times`);
  t.equal(readFileSync(join(directory, 'secret'), 'utf8'), SECRET);
  t.strictSame(readdirSync(directory).toSorted(), ['secret', 'sub'], 'nothing was made outside');
  t.strictSame(readdirSync(join(directory, 'sub')), []);
  t.equal(lstatSync(join(directory, 'secret')).mode & 0o777, 0o666);
});

/** Calls through the exchanged directory for some two seconds; none may reach the secret. */
async function attack(home: UserHome): Promise<{ through: number; refused: number }> {
  const client = new TestClient(home);
  let through = 0;
  let refused = 0;
  const count = async (work: () => unknown): Promise<boolean> => {
    const passed = (await kindOf(work)) === 'no failure';
    if (passed) through += 1;
    else refused += 1;
    return passed;
  };
  const end = Date.now() + 2000;
  while (Date.now() < end) {
    for (const [method, ...params] of callsOn('dir/secret')) {
      if (['mkdir', 'mknod', 'symlink', 'create', 'uploadBegin'].includes(method) || params[0] === 'own')
        continue;
      if (await count(() => client.call(method, ...params))) throw new Error(`${method} reached the secret`);
    }
    await count(() => client.call('close', client.open('dir/new', 3)));
    await count(() => client.call('unlink', 'dir/new'));
    await count(() => client.call('mkdir', 'dir/sub/made', 0o777));
    await count(() => client.call('rmdir', 'dir/sub/made'));
    await count(() => client.call('rename', 'own', 'dir/sub/own', 0));
    await count(() => client.call('rename', 'dir/sub/own', 'own', 0));
    await count(() => client.call('readdir', 'dir/sub'));
  }
  return { through, refused };
}

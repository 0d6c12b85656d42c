/*
 * Attacks on the confinement of a home: none may read, change or reveal anything outside.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { UserHome } from '../../../../daemon/home/user-home.js';
import type { HomeMethod } from '../../../../daemon/home/dispatch.js';
import {
  CREATE,
  LINK,
  MKDIR,
  RENAME,
  RMDIR,
  SETATTR,
  SYMLINK,
  UNLINK,
  WRITE,
} from '../../../../protocol/operations.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { homeTest, kindOf, Place, TestClient } from '../fixture.js';

const SECRET = 'top secret';
const S_IFREG = 0o100000;
const RENAME_EXCHANGE = 2;

/** A directory outside of the home with a file in it that nobody may see or change. */
function outside(t: Test): string {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'secret'), SECRET);
  return directory;
}

type Attack = readonly [what: string, call: () => Promise<unknown>];

let lastChange = 0;

/** Calls of everything that takes a path, with this one in each place, as raw as they travel. */
function callsOn(client: TestClient, path: string): Attack[] {
  const slash = path.lastIndexOf('/');
  const directory = Buffer.from(path.slice(0, Math.max(slash, 0)));
  const name = Buffer.from(path.slice(slash + 1));
  const whole = Buffer.from(path);
  const home = Buffer.alloc(0);
  const own = Buffer.from('own');
  const stolen = Buffer.from('stolen');
  const read = (method: HomeMethod, ...params: unknown[]): Attack => [
    method,
    () => client.call(method, params),
  ];
  const change = (what: string, ...operation: unknown[]): Attack => [
    what,
    () => client.call('change', [++lastChange, operation, null]),
  ];
  return [
    read('lookup', directory, name),
    read('getattr', whole),
    read('readlink', whole),
    read('list', whole, 100),
    read('read', whole, 0, 100),
    read('hold', whole),
    read('download', whole),
    read('uploadBegin', whole, 1, 0o666, 0, 0, Buffer.alloc(32)),
    change('create', CREATE, directory, name, null, S_IFREG | 0o666, null),
    change('create in', CREATE, whole, Buffer.from('x'), null, S_IFREG | 0o666, null),
    change('mkdir', MKDIR, directory, name, null, 0o777, null),
    change('symlink', SYMLINK, directory, name, null, Buffer.from('x'), null),
    change('link from', LINK, home, stolen, null, whole),
    change('link to', LINK, directory, name, null, own),
    change('unlink', UNLINK, directory, name, null, null, false),
    change('rmdir', RMDIR, directory, name, null, null),
    change('rename from', RENAME, directory, name, null, null, home, stolen, null, 0, false),
    change('rename to', RENAME, home, own, null, null, directory, name, null, 0, false),
    change('exchange', RENAME, home, own, null, null, directory, name, null, RENAME_EXCHANGE, false),
    change('chmod', SETATTR, whole, null, 0o777, null, null, null),
    change('truncate', SETATTR, whole, null, null, 0, null, null),
    change('utimes', SETATTR, whole, null, null, null, [1, 1], [1, 1]),
    change('write', WRITE, whole, null, 0, Buffer.from('x')),
  ];
}

/** Makes every call on a path; each must fail with one of these kinds. */
async function refusesAll(t: Test, client: TestClient, path: string, kinds: string[]): Promise<void> {
  for (const [what, call] of callsOn(client, path)) {
    const kind = await kindOf(call);
    t.ok(kinds.includes(kind), `${what} of ${JSON.stringify(path).slice(0, 40)}: ${kind}`);
  }
}

homeTest('paths that are none: .., ., absolute, empty components, NUL, overlong', {}, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.put('own', 'mine');
  await client.paths.mkdir('d');
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
  await refusesAll(t, client, 'n'.repeat(256), ['ENAMETOOLONG', 'EINVAL']);
  await refusesAll(t, client, `${'d/'.repeat(33_000)}x`, ['ENAMETOOLONG', 'EINVAL']);
  t.equal((await client.paths.stat('own')).size, 4);
  t.strictSame(await client.paths.list(''), ['d', 'own']);
});

homeTest('symlinks planted in the home are never followed', {}, async (t, home, place) => {
  const directory = outside(t);
  const client = new TestClient(home);
  const { paths } = client;
  await paths.put('own', 'mine');
  await paths.symlink(directory, 'out');
  await paths.symlink(join(directory, 'secret'), 'file');
  await paths.symlink('../..', 'up');
  await paths.symlink('/proc/self/root', 'root');
  await paths.symlink('/proc/self/fd', 'descriptor');
  await paths.symlink('own', 'inside');
  for (const path of ['out/secret', 'out/sub/new', 'up/state', 'root/etc/passwd', 'descriptor/0', 'file/x']) {
    await refusesAll(t, client, path, ['ELOOP', 'ENOTDIR']);
  }
  for (const path of ['file', 'inside']) {
    t.equal(await kindOf(() => paths.read(path)), 'ELOOP');
    t.equal(await kindOf(() => paths.write(path, 0, 'x')), 'ELOOP');
    t.equal(await kindOf(() => client.call('download', [path])), 'ELOOP');
    t.equal(await kindOf(() => paths.setattr(path, { size: 0 })), 'EINVAL');
    t.equal(await kindOf(() => paths.setattr(path, { mode: 0o777 })), 'EOPNOTSUPP');
  }
  await client.call('hold', ['file']);
  t.equal(await kindOf(() => paths.read('file')), 'ELOOP', 'nor where they are held');
  t.equal(await kindOf(() => paths.setattr('file', { mode: 0o777 })), 'EOPNOTSUPP');
  const time = { sec: 5, nsec: 0 };
  await paths.setattr('file', { atime: time, mtime: time });
  t.equal(lstatSync(join(place.directory, 'file')).mtimeMs, 5000, 'the times of the link itself');
  t.not(lstatSync(join(directory, 'secret')).mtimeMs, 5000);
  await paths.link('file', 'file2');
  t.ok(lstatSync(join(place.directory, 'file2')).isSymbolicLink(), 'a link of the link, not of its target');
  await paths.unlink('file2');
  await paths.rename('own', 'file');
  t.equal(readFileSync(join(directory, 'secret'), 'utf8'), SECRET);
  t.strictSame(readdirSync(directory).toSorted(), ['secret', 'sub']);
  t.strictSame(readdirSync(join(directory, 'sub')), []);
});

homeTest('an upload to a symlink replaces the link', {}, async (t, home, place) => {
  const directory = outside(t);
  const client = new TestClient(home);
  await client.paths.symlink(join(directory, 'secret'), 'file');
  const [handle] = await client.call('uploadBegin', ['file', 0, 0o600, 1, 0, Buffer.alloc(32)]);
  await client.call('uploadFinish', [handle, Buffer.from('d41d8cd98f00b204e9800998ecf8427e', 'hex')]);
  t.ok(lstatSync(join(place.directory, 'file')).isFile());
  t.equal(readFileSync(join(directory, 'secret'), 'utf8'), SECRET);
});

homeTest("the daemon's own directory is not there", {}, async (t, home, place) => {
  const client = new TestClient(home);
  const { paths } = client;
  await paths.put('own', 'mine');
  const [handle] = await client.call('uploadBegin', ['f', 10, 0o600, 1, 0, Buffer.alloc(32)]);
  await client.call('uploadWrite', [handle, 0, Buffer.from('part')]);
  t.ok(existsSync(join(place.directory, '.ftpmount')));
  for (const path of ['.ftpmount', '.ftpmount/x', '.ftpmount/times', '.ftpmount/clients/x']) {
    await refusesAll(t, client, path, ['ENOENT', 'EACCES']);
  }
  t.equal(await kindOf(() => paths.mkdir('.ftpmount')), 'EACCES');
  t.equal(await kindOf(() => paths.create('.ftpmount')), 'EACCES');
  t.equal(await kindOf(() => paths.stat('.ftpmount')), 'ENOENT');
  const { ino, birthtimeNs } = lstatSync(join(place.directory, '.ftpmount'), { bigint: true });
  t.equal(await kindOf(() => client.call('list', [[ino, birthtimeNs], 10])), 'ESTALE', 'nor by its id');
  t.strictSame(await paths.list(''), ['own']);
  await paths.mkdir('d');
  await paths.mkdir('d/.ftpmount');
  await paths.mkdir('.ftpmount2');
  t.pass('elsewhere the name is free');
  await client.call('uploadAbort', [handle]);
});

homeTest('devices cannot be made, and no special file is opened', {}, async (t, home) => {
  const client = new TestClient(home);
  const { paths } = client;
  for (const mode of [0o060644, 0o020644]) t.equal(await kindOf(() => paths.create('b', mode)), 'EPERM');
  t.equal(await kindOf(() => paths.create('d', 0o040755)), 'EPERM');
  await paths.create('fifo', 0o010644);
  await paths.create('socket', 0o140644);
  await paths.mkdir('dir');
  for (const [path, kind] of [
    ['fifo', 'ENXIO'],
    ['socket', 'ENXIO'],
    ['dir', 'EISDIR'],
  ] as const) {
    t.equal(await kindOf(() => paths.read(path)), kind);
    t.equal(await kindOf(() => paths.write(path, 0, 'x')), kind);
    t.equal(await kindOf(() => client.call('download', [path])), kind);
  }
  t.equal(home.status().handles, 0);
});

homeTest("the home's own mode stays, whatever is asked", {}, async (t, home, place) => {
  const { paths } = new TestClient(home);
  await paths.setattr('', { mode: 0o777, mtime: { sec: 77, nsec: 0 } });
  t.equal(lstatSync(place.directory).mode & 0o7777, 0o700);
  t.equal(lstatSync(place.directory).mtimeMs, 77_000);
  t.equal(await kindOf(() => paths.setattr('', { size: 0 })), 'EISDIR');
});

void t.test("other users' and other clients' handles and files mean nothing", async (t) => {
  const alice = await new Place(t).open();
  const lily = await new Place(t, {}, { user: 'lily' }).open();
  const id = Buffer.alloc(16, 9);
  const hers = new TestClient(alice, { id });
  await hers.paths.put('f', SECRET);
  const { ino, birth } = await hers.paths.stat('f');
  const [handle] = await hers.call('download', ['f']);
  const same = new TestClient(lily, { id });
  t.equal(same.resumed, false, 'the same client id at another home is another client');
  t.equal(await kindOf(() => same.call('read', [[ino, birth], 0, 10])), 'ESTALE');
  t.equal(await kindOf(() => same.call('read', [[ino, birth, Buffer.from('f')], 0, 10])), 'ESTALE');
  for (const client of [same, new TestClient(alice)]) {
    for (const [method, ...params] of [
      ['downloadRead', handle, 0, 10],
      ['digest', handle],
      ['close', handle],
      ['listNext', handle],
      ['uploadWrite', handle, 0, Buffer.from('x')],
    ] as const) {
      t.equal(await kindOf(() => client.call(method, params)), 'EBADF', method);
    }
  }
  t.equal(String(await hers.call('downloadRead', [handle, 0, 100])), SECRET);
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

/** What makes something of the name: that would be in the home's own directory, where it may. */
const MAKERS = new Set([
  'create',
  'mkdir',
  'symlink',
  'uploadBegin',
  'create in',
  'link to',
  'rename to',
  'exchange',
]);

/** Calls through the exchanged directory for some two seconds; none may reach the secret. */
async function attack(home: UserHome): Promise<{ through: number; refused: number }> {
  const client = new TestClient(home);
  const { paths } = client;
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
    for (const [what, call] of callsOn(client, 'dir/secret')) {
      if (MAKERS.has(what)) continue;
      if (await count(call)) throw new Error(`${what} reached the secret`);
    }
    await count(() => paths.create('dir/new'));
    await count(() => paths.write('dir/new', 0, 'x'));
    await count(() => paths.unlink('dir/new'));
    await count(() => paths.mkdir('dir/sub/made'));
    await count(() => paths.rmdir('dir/sub/made'));
    await count(() => paths.rename('own', 'dir/sub/own'));
    await count(() => paths.rename('dir/sub/own', 'own'));
    await count(() => paths.list('dir/sub'));
  }
  return { through, refused };
}

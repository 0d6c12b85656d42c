/**
 * What a user does in a mount, as a process of its own: `exercise-mount.js DIRECTORY UID`. Ends with 0, or with what
 * went wrong on standard error.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { dropPrivileges } from './drop-privileges.js';

const ENTRIES = 5000;

const [directory = '', uid = '0'] = process.argv.slice(2);
dropPrivileges(Number(uid));
const path = (name: string) => join(directory, name);
const fails = (code: string, run: () => unknown) => assert.throws(run, { code });

function files(): void {
  const content = Buffer.alloc(3 * 1024 * 1024 + 5);
  for (let i = 0; i < content.length; i++) content[i] = (i * 7 + (i >> 11)) & 0xff;
  fs.writeFileSync(path('file'), content);
  assert.ok(fs.readFileSync(path('file')).equals(content));
  fs.appendFileSync(path('file'), 'end');
  assert.equal(fs.statSync(path('file')).size, content.length + 3);
  const fd = fs.openSync(path('file'), 'r+');
  const piece = Buffer.alloc(10);
  fs.readSync(fd, piece, 0, 10, 2_000_001);
  assert.ok(piece.equals(content.subarray(2_000_001, 2_000_011)));
  fs.writeSync(fd, 'sparse', 5_000_000);
  fs.ftruncateSync(fd, 5_000_003);
  fs.fdatasyncSync(fd);
  fs.closeSync(fd);
  const sparse = fs.readFileSync(path('file'));
  assert.equal(sparse.length, 5_000_003);
  assert.equal(sparse.subarray(4_999_998).toString('latin1'), '\0\0spa');
  fs.writeFileSync(path('file'), 'short', { flag: 'w' }); // O_TRUNC
  assert.equal(fs.readFileSync(path('file'), 'utf8'), 'short');
  fails('EEXIST', () => fs.writeFileSync(path('file'), '', { flag: 'wx' }));
}

function attributes(): void {
  fs.chmodSync(path('file'), 0o4640);
  fs.utimesSync(path('file'), new Date(-1500), 4_294_967_296.25);
  const status = fs.statSync(path('file'), { bigint: true });
  assert.equal(status.mode, 0o104640n);
  assert.equal(status.uid, BigInt(process.getuid?.() ?? 0));
  assert.equal(status.atimeNs, -1_500_000_000n);
  assert.equal(status.mtimeNs, 4_294_967_296_250_000_000n);
  fs.chmodSync(path('file'), 0o644);
  const { bsize, blocks, bavail, files } = fs.statfsSync(directory);
  assert.deepEqual([bsize, blocks, bavail, files], [4096, 1000, 500, 100]);
}

function names(): void {
  fails('ENOENT', () => fs.statSync(path('missing')));
  fs.renameSync(path('file'), path('renamed'));
  fails('ENOENT', () => fs.statSync(path('file')));
  fs.writeFileSync(path('other'), 'other');
  fs.renameSync(path('other'), path('renamed'));
  assert.equal(fs.readFileSync(path('renamed'), 'utf8'), 'other');
  fs.linkSync(path('renamed'), path('linked'));
  assert.equal(fs.statSync(path('renamed')).nlink, 2);
  fs.symlinkSync('renamed', path('symlink'));
  assert.equal(fs.readlinkSync(path('symlink')), 'renamed');
  assert.equal(fs.readFileSync(path('symlink'), 'utf8'), 'other');
  fs.mkdirSync(path('directory'));
  const bytes = Buffer.concat([Buffer.from(`${directory}/directory/`), Buffer.from([0xff, 0x0a, 0x20])]);
  fs.writeFileSync(bytes, '');
  assert.deepEqual(fs.readdirSync(path('directory'), { encoding: 'buffer' }), [
    Buffer.from([0xff, 0x0a, 0x20]),
  ]);
  fails('ENOTEMPTY', () => fs.rmdirSync(path('directory')));
  fs.unlinkSync(bytes);
  fs.rmdirSync(path('directory'));
  execFileSync('mkfifo', [path('fifo')]);
  assert.ok(fs.statSync(path('fifo')).isFIFO());
  for (const name of ['renamed', 'linked', 'symlink', 'fifo']) fs.unlinkSync(path(name));
  assert.deepEqual(fs.readdirSync(directory), []);
}

function unlinkedWhileOpen(): void {
  const fd = fs.openSync(path('unlinked'), 'w+');
  fs.unlinkSync(path('unlinked'));
  fs.writeSync(fd, 'still here');
  const back = Buffer.alloc(10);
  fs.readSync(fd, back, 0, 10, 0);
  assert.equal(back.toString(), 'still here');
  fs.closeSync(fd);
}

function manyEntries(): void {
  fs.mkdirSync(path('many'));
  const expected = Array.from({ length: ENTRIES }, (_, i) => `entry ${i} ${'x'.repeat(i % 100)}`);
  for (const name of expected) fs.closeSync(fs.openSync(join(path('many'), name), 'w'));
  const listed = fs.readdirSync(path('many'), { withFileTypes: true });
  assert.ok(listed.every((entry) => entry.isFile()));
  assert.deepEqual(listed.map((entry) => entry.name).toSorted(), expected.toSorted());
  for (const name of expected) fs.unlinkSync(join(path('many'), name));
  assert.deepEqual(fs.readdirSync(path('many')), []);
  fs.rmdirSync(path('many'));
}

files();
attributes();
names();
unlinkedWhileOpen();
manyEntries();

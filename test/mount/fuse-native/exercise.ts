/**
 * What a user does in a mount of fuse-native, as a process of its own: `exercise.js DIRECTORY`. Ends with 0, or with
 * what went wrong on standard error.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';

const ENTRIES = 500;

const [directory = ''] = process.argv.slice(2);
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
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  const sparse = fs.readFileSync(path('file'));
  assert.equal(sparse.length, 5_000_003);
  assert.equal(sparse.subarray(4_999_998).toString('latin1'), '\0\0spa');
  fs.truncateSync(path('file'), 7);
  assert.equal(fs.statSync(path('file')).size, 7);
  fs.writeFileSync(path('file'), 'short'); // O_TRUNC
  assert.equal(fs.readFileSync(path('file'), 'utf8'), 'short');
  fails('EEXIST', () => fs.writeFileSync(path('file'), '', { flag: 'wx' }));
}

function attributes(): void {
  fs.chmodSync(path('file'), 0o640);
  fs.chownSync(path('file'), process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  fs.utimesSync(path('file'), 1_000_000_000.5, 5_000_000_000.25);
  const status = fs.statSync(path('file'), { bigint: true });
  assert.equal(status.mode, 0o100640n);
  assert.equal(status.uid, BigInt(process.getuid?.() ?? 0));
  assert.equal(status.atimeNs, 1_000_000_000_500_000_000n);
  assert.equal(status.mtimeNs, 5_000_000_000_250_000_000n);
  fails('EINVAL', () => fs.utimesSync(path('file'), new Date(-1500), 0));
  fs.accessSync(path('file'), fs.constants.R_OK);
  const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(directory);
  assert.deepEqual([bsize, blocks, bavail, files, ffree], [4096, 1000, 500, 100, 50]);
}

function names(): void {
  fails('ENOENT', () => fs.statSync(path('missing')));
  fs.mkdirSync(path('a/b'), { recursive: true });
  fs.renameSync(path('file'), path('a/b/renamed\n ü'));
  fails('ENOENT', () => fs.statSync(path('file')));
  fs.renameSync(path('a'), path('moved'));
  assert.equal(fs.readFileSync(path('moved/b/renamed\n ü'), 'utf8'), 'short');
  fails('ENOENT', () => fs.statSync(path('a/b/renamed\n ü')));
  fs.writeFileSync(path('other'), 'other');
  fs.renameSync(path('other'), path('moved/b/renamed\n ü'));
  assert.equal(fs.readFileSync(path('moved/b/renamed\n ü'), 'utf8'), 'other');
  fs.linkSync(path('moved/b/renamed\n ü'), path('linked'));
  assert.equal(fs.statSync(path('linked')).nlink, 2);
  fs.symlinkSync('linked', path('symlink'));
  assert.equal(fs.readlinkSync(path('symlink')), 'linked');
  assert.equal(fs.readFileSync(path('symlink'), 'utf8'), 'other');
  assert.deepEqual(
    fs
      .readdirSync(directory, { withFileTypes: true })
      .map((entry) => [entry.name, entry.isDirectory(), entry.isFile(), entry.isSymbolicLink()])
      .toSorted(),
    [
      ['linked', false, true, false],
      ['moved', true, false, false],
      ['symlink', false, false, true],
    ],
  );
  fails('ENOTEMPTY', () => fs.rmdirSync(path('moved/b')));
  fails('ENOTDIR', () => fs.statSync(path('linked/x')));
  fs.rmSync(path('moved'), { recursive: true });
  for (const name of ['linked', 'symlink']) fs.unlinkSync(path(name));
  assert.deepEqual(fs.readdirSync(directory), []);
}

function namesThatAreNotUtf8(): void {
  const bytes = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0x61, 0xff])]);
  fails('EINVAL', () => fs.writeFileSync(bytes, ''));
  fails('EINVAL', () => fs.statSync(bytes));
  fails('EINVAL', () => fs.statSync(path('a\uFFFD')));
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
  assert.deepEqual(fs.readdirSync(path('many')).toSorted(), expected.toSorted());
  fs.rmSync(path('many'), { recursive: true });
}

files();
attributes();
names();
namesThatAreNotUtf8();
unlinkedWhileOpen();
manyEntries();

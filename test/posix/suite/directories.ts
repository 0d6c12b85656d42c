/* Making, listing and removing directories. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { command, fails, type Operation } from '../operation.js';

export const directories: Record<string, Operation> = {
  'mkdir and rmdir'(d) {
    fs.mkdirSync(at(d, 'x'));
    assert.ok(fs.statSync(at(d, 'x')).isDirectory());
    fs.rmdirSync(at(d, 'x'));
    fails('ENOENT', () => fs.statSync(at(d, 'x')));
  },
  'mkdir of what is there'(d) {
    fs.mkdirSync(at(d, 'x'));
    fails('EEXIST', () => fs.mkdirSync(at(d, 'x')));
    fs.writeFileSync(at(d, 'f'), '');
    fails('EEXIST', () => fs.mkdirSync(at(d, 'f')));
  },
  'mkdir in what is not there, or no directory'(d) {
    fails('ENOENT', () => fs.mkdirSync(at(d, 'a/b')));
    fs.writeFileSync(at(d, 'f'), '');
    fails('ENOTDIR', () => fs.mkdirSync(at(d, 'f/b')));
  },
  'rmdir of a directory that is not empty'(d) {
    fs.mkdirSync(at(d, 'x'));
    fs.writeFileSync(at(d, 'x/f'), '');
    fails('ENOTEMPTY', () => fs.rmdirSync(at(d, 'x')));
  },
  'rmdir of a file, unlink of a directory'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fails('ENOTDIR', () => fs.rmdirSync(at(d, 'f')));
    fs.mkdirSync(at(d, 'x'));
    fails('EISDIR', () => fs.unlinkSync(at(d, 'x')));
  },
  'a listing has every name once, with its type'(d) {
    for (let i = 0; i < 700; i++) fs.writeFileSync(at(d, `file-${i}`), '');
    fs.mkdirSync(at(d, 'dir'));
    fs.symlinkSync('dir', at(d, 'link'));
    const entries = fs.readdirSync(d, { withFileTypes: true });
    const names = entries.map(({ name }) => name);
    assert.equal(entries.length, 702);
    assert.equal(new Set(names).size, 702);
    assert.ok(entries.find(({ name }) => name === 'dir')?.isDirectory());
    assert.ok(entries.find(({ name }) => name === 'link')?.isSymbolicLink());
    assert.ok(entries.find(({ name }) => name === 'file-0')?.isFile());
  },
  'a listing follows what happens'(d) {
    assert.deepEqual(fs.readdirSync(d), []);
    fs.writeFileSync(at(d, 'a'), '');
    fs.writeFileSync(at(d, 'b'), '');
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['a', 'b']);
    fs.renameSync(at(d, 'a'), at(d, 'c'));
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['b', 'c']);
    fs.unlinkSync(at(d, 'b'));
    assert.deepEqual(fs.readdirSync(d), ['c']);
  },
  'everything of a directory removed while it is read'(d) {
    for (let i = 0; i < 500; i++) fs.writeFileSync(at(d, `file-${i}`), '');
    const directory = fs.opendirSync(d, { bufferSize: 8 });
    for (let entry = directory.readSync(); entry; entry = directory.readSync())
      fs.unlinkSync(at(d, entry.name));
    directory.closeSync();
    assert.deepEqual(fs.readdirSync(d), []);
  },
  'link counts of directories'(d) {
    // Two and one for each subdirectory, or constantly one (btrfs, overlayfs with some bases).
    const count = (): number => fs.statSync(d).nlink;
    const before = count();
    fs.mkdirSync(at(d, 'x'));
    assert.ok(count() === before + 1 || (before === 1 && count() === 1));
  },
  'the current directory and its parent'(d) {
    fs.mkdirSync(at(d, 'a/b'), { recursive: true });
    assert.equal(command(at(d, 'a/b'), 'sh', '-c', 'cd ../.. && pwd -P').trim(), fs.realpathSync(d));
    assert.equal(fs.statSync(at(d, 'a/b') + '/..').ino, fs.statSync(at(d, 'a')).ino);
  },
  'a directory removed below a process'(d) {
    command(d, 'sh', '-c', 'mkdir gone && cd gone && rmdir ../gone && ! touch file 2>/dev/null');
  },
  'rm -rf of a deep tree'(d) {
    fs.mkdirSync(at(d, ...Array.from({ length: 40 }, (_, i) => `level-${i}`)), { recursive: true });
    command(d, 'rm', '-rf', 'level-0');
    assert.deepEqual(fs.readdirSync(d), []);
  },
};

/* Renaming: what moves, what is replaced, what is refused. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { AT_FDCWD, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../../posix/flags.js';
import { renameat2 } from '../../../posix/names.js';
import { fails, read, withFile, type Operation } from '../operation.js';

export const renames: Record<string, Operation> = {
  'rename moves'(d) {
    fs.writeFileSync(at(d, 'a'), 'content');
    const { ino } = fs.statSync(at(d, 'a'));
    fs.renameSync(at(d, 'a'), at(d, 'b'));
    fails('ENOENT', () => fs.statSync(at(d, 'a')));
    assert.equal(read(at(d, 'b')), 'content');
    assert.equal(fs.statSync(at(d, 'b')).ino, ino);
  },
  'rename replaces'(d) {
    fs.writeFileSync(at(d, 'a'), 'new');
    fs.writeFileSync(at(d, 'b'), 'old and longer');
    fs.renameSync(at(d, 'a'), at(d, 'b'));
    assert.equal(read(at(d, 'b')), 'new');
  },
  'a file that was replaced lives while it is open'(d) {
    fs.writeFileSync(at(d, 'b'), 'old');
    withFile(at(d, 'b'), 'r', (fd) => {
      fs.writeFileSync(at(d, 'a'), 'new');
      fs.renameSync(at(d, 'a'), at(d, 'b'));
      const buffer = Buffer.alloc(3);
      fs.readSync(fd, buffer, 0, 3, 0);
      assert.equal(buffer.toString(), 'old');
    });
  },
  'an open file is written on after its rename'(d) {
    withFile(at(d, 'a'), 'w', (fd) => {
      fs.writeSync(fd, 'before ');
      fs.renameSync(at(d, 'a'), at(d, 'b'));
      fs.writeSync(fd, 'after');
    });
    assert.equal(read(at(d, 'b')), 'before after');
  },
  'rename between directories'(d) {
    fs.mkdirSync(at(d, 'x/y'), { recursive: true });
    fs.mkdirSync(at(d, 'z'));
    fs.writeFileSync(at(d, 'x/y/f'), 'content');
    fs.renameSync(at(d, 'x/y'), at(d, 'z/w'));
    assert.equal(read(at(d, 'z/w/f')), 'content');
    assert.deepEqual(fs.readdirSync(at(d, 'x')), []);
    assert.equal(fs.statSync(at(d, 'z/w') + '/..').ino, fs.statSync(at(d, 'z')).ino);
  },
  'rename of a directory over an empty one, not over a full one'(d) {
    fs.mkdirSync(at(d, 'a'));
    fs.mkdirSync(at(d, 'empty'));
    fs.mkdirSync(at(d, 'full'));
    fs.writeFileSync(at(d, 'full/f'), '');
    fails('ENOTEMPTY', () => fs.renameSync(at(d, 'a'), at(d, 'full')));
    fs.renameSync(at(d, 'a'), at(d, 'empty'));
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['empty', 'full']);
  },
  'rename of a directory into itself'(d) {
    fs.mkdirSync(at(d, 'a'));
    fails('EINVAL', () => fs.renameSync(at(d, 'a'), at(d, 'a/b')));
  },
  'rename of a file over a directory and the reverse'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.mkdirSync(at(d, 'x'));
    fails('EISDIR', () => fs.renameSync(at(d, 'f'), at(d, 'x')));
    fails('ENOTDIR', () => fs.renameSync(at(d, 'x'), at(d, 'f')));
  },
  'rename of two names of one file does nothing'(d) {
    fs.writeFileSync(at(d, 'a'), 'content');
    fs.linkSync(at(d, 'a'), at(d, 'b'));
    fs.renameSync(at(d, 'a'), at(d, 'b'));
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['a', 'b']);
  },
  'mv -n does not replace'(d) {
    fs.writeFileSync(at(d, 'a'), 'a');
    fs.writeFileSync(at(d, 'b'), 'b');
    spawnSync('mv', ['-n', 'a', 'b'], { cwd: d });
    assert.equal(read(at(d, 'b')), 'b');
    assert.equal(read(at(d, 'a')), 'a');
  },
  'a rename leaves a whiteout'(d) {
    const name = (file: string): Buffer => Buffer.from(at(d, file));
    const rename = (from: string, to: string, flags: number): void =>
      renameat2(AT_FDCWD, name(from), AT_FDCWD, name(to), flags);
    fs.writeFileSync(at(d, 'a'), 'content');
    fs.writeFileSync(at(d, 'c'), 'old');
    rename('a', 'b', RENAME_WHITEOUT);
    assert.equal(read(at(d, 'b')), 'content');
    const { mode, rdev } = fs.lstatSync(at(d, 'a'));
    assert.equal(mode & 0o170000, 0o020000);
    assert.equal(rdev, 0);
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['a', 'b', 'c']);
    fails('EEXIST', () => rename('b', 'c', RENAME_WHITEOUT | RENAME_NOREPLACE));
    fails('EINVAL', () => rename('b', 'c', RENAME_WHITEOUT | RENAME_EXCHANGE));
    rename('b', 'c', RENAME_WHITEOUT);
    assert.equal(read(at(d, 'c')), 'content');
    for (const file of ['a', 'b', 'c']) fs.unlinkSync(at(d, file));
    assert.deepEqual(fs.readdirSync(d), []);
  },
};

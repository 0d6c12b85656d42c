/* Hard links and symlinks. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { fd as openFd } from '../../../posix/fd.js';
import { O_NOFOLLOW, O_PATH } from '../../../posix/flags.js';
import { readlinkat } from '../../../posix/names.js';
import { command, fails, read, withFile, type Operation } from '../operation.js';

export const links: Record<string, Operation> = {
  'hard links are one file'(d) {
    fs.writeFileSync(at(d, 'a'), 'one');
    fs.linkSync(at(d, 'a'), at(d, 'b'));
    fs.writeFileSync(at(d, 'b'), 'two');
    assert.equal(read(at(d, 'a')), 'two');
    const [a, b] = [fs.statSync(at(d, 'a')), fs.statSync(at(d, 'b'))];
    assert.equal(a.ino, b.ino);
    assert.equal(a.nlink, 2);
    fs.unlinkSync(at(d, 'a'));
    assert.equal(fs.statSync(at(d, 'b')).nlink, 1);
    assert.equal(read(at(d, 'b')), 'two');
  },
  'a file of many names, most of which go again, keeps the others'(d) {
    fs.writeFileSync(at(d, 'f'), 'content');
    const names = Array.from({ length: 40 }, (_, i) => at(d, `l${i}`));
    for (let turn = 0; turn < 2; turn++) {
      for (const name of names) fs.linkSync(at(d, 'f'), name);
      for (const name of names) fs.unlinkSync(name);
    }
    fs.renameSync(at(d, 'f'), at(d, 'g'));
    fs.linkSync(at(d, 'g'), at(d, 'last'));
    command(d, 'sync', '.');
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['g', 'last']);
    assert.equal(fs.statSync(at(d, 'last')).nlink, 2);
  },
  'a hard link over what is there'(d) {
    fs.writeFileSync(at(d, 'a'), '');
    fs.writeFileSync(at(d, 'b'), '');
    fails('EEXIST', () => fs.linkSync(at(d, 'a'), at(d, 'b')));
  },
  'symlinks say where they point, whatever is there'(d) {
    for (const target of ['nowhere', '/etc/passwd', '../..', 'a b\nc', 'x'.repeat(1000)]) {
      fs.symlinkSync(target, at(d, 'l'));
      assert.equal(fs.readlinkSync(at(d, 'l')), target);
      assert.ok(fs.lstatSync(at(d, 'l')).isSymbolicLink());
      assert.equal(fs.lstatSync(at(d, 'l')).size, Buffer.byteLength(target));
      fs.unlinkSync(at(d, 'l'));
    }
  },
  'a symlink and a FIFO keep their inode number'(d) {
    fs.symlinkSync('x', at(d, 'l'));
    command(d, 'mkfifo', 'p');
    const numbers = (...names: string[]) =>
      names.map((name) => fs.lstatSync(at(d, name), { bigint: true }).ino);
    const before = numbers('l', 'p');
    withFile(d, 'r', (fd) => fs.fsyncSync(fd));
    fs.renameSync(at(d, 'l'), at(d, 'moved'));
    fs.renameSync(at(d, 'p'), at(d, 'moved too'));
    assert.deepEqual(numbers('moved', 'moved too'), before);
    fs.linkSync(at(d, 'moved'), at(d, 'again'));
    assert.deepEqual(numbers('again'), before.slice(0, 1));
  },
  'a removed symlink that is open says where it points'(d) {
    fs.symlinkSync('target', at(d, 'l'));
    withFile(at(d, 'l'), O_PATH | O_NOFOLLOW, (fd) => {
      fs.unlinkSync(at(d, 'l'));
      assert.equal(readlinkat(openFd(fd), Buffer.alloc(0)).toString(), 'target');
    });
  },
  'symlinks are followed'(d) {
    fs.mkdirSync(at(d, 'x'));
    fs.writeFileSync(at(d, 'x/f'), 'content');
    fs.symlinkSync('x', at(d, 'l'));
    assert.equal(read(at(d, 'l/f')), 'content');
    fs.symlinkSync('loop', at(d, 'loop'));
    fails('ELOOP', () => fs.statSync(at(d, 'loop')));
  },
};

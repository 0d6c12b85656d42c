/* What is in a file: writing, reading, truncating, appending, and a file that is open while its name goes. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { command, fails, read, withFile, type Operation } from '../operation.js';

export const files: Record<string, Operation> = {
  'what was written is read'(d) {
    fs.writeFileSync(at(d, 'f'), 'hello');
    assert.equal(read(at(d, 'f')), 'hello');
    assert.equal(fs.statSync(at(d, 'f')).size, 5);
  },
  'an empty file'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    assert.equal(fs.statSync(at(d, 'f')).size, 0);
    assert.equal(read(at(d, 'f')), '');
  },
  'several MiB in odd pieces'(d) {
    const bytes = Buffer.alloc(5_000_001, 'a piece of text that has an odd length');
    withFile(at(d, 'f'), 'w', (fd) => {
      for (let offset = 0, size = 1; offset < bytes.length; offset += size, size = (size * 7 + 3) % 300_007)
        fs.writeSync(fd, bytes, offset, Math.min(size, bytes.length - offset));
    });
    assert.ok(fs.readFileSync(at(d, 'f')).equals(bytes));
  },
  'reads beyond the end are short, at the end empty'(d) {
    fs.writeFileSync(at(d, 'f'), '0123456789');
    withFile(at(d, 'f'), 'r', (fd) => {
      const buffer = Buffer.alloc(100);
      assert.equal(fs.readSync(fd, buffer, 0, 100, 4), 6);
      assert.equal(buffer.toString('latin1', 0, 6), '456789');
      assert.equal(fs.readSync(fd, buffer, 0, 100, 10), 0);
      assert.equal(fs.readSync(fd, buffer, 0, 100, 1_000_000), 0);
    });
  },
  'writes in the middle leave the rest'(d) {
    fs.writeFileSync(at(d, 'f'), 'aaaaaaaaaa');
    withFile(at(d, 'f'), 'r+', (fd) => fs.writeSync(fd, 'bbb', 4));
    assert.equal(read(at(d, 'f')), 'aaaabbbaaa');
  },
  'a hole reads as zeros'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'end', 1_000_000);
      const buffer = Buffer.alloc(1_000_003, 'x');
      assert.equal(fs.readSync(fd, buffer, 0, buffer.length, 0), buffer.length);
      assert.ok(buffer.subarray(0, 1_000_000).every((byte) => byte === 0));
    });
  },
  'O_APPEND writes at the end'(d) {
    fs.writeFileSync(at(d, 'f'), 'one\n');
    withFile(at(d, 'f'), 'a', (fd) => fs.writeSync(fd, 'two\n'));
    fs.appendFileSync(at(d, 'f'), 'three\n');
    assert.equal(read(at(d, 'f')), 'one\ntwo\nthree\n');
  },
  'two descriptors that append do not overwrite each other'(d) {
    withFile(at(d, 'f'), 'a', (one) =>
      withFile(at(d, 'f'), 'a', (two) => {
        for (let i = 0; i < 10; i++) {
          fs.writeSync(one, '1');
          fs.writeSync(two, '2');
        }
      }),
    );
    assert.equal(read(at(d, 'f')), '12'.repeat(10));
  },
  'O_TRUNC empties'(d) {
    fs.writeFileSync(at(d, 'f'), 'long content');
    withFile(at(d, 'f'), 'w', (fd) => assert.equal(fs.fstatSync(fd).size, 0));
    assert.equal(fs.statSync(at(d, 'f')).size, 0);
  },
  'O_EXCL creates once'(d) {
    withFile(at(d, 'f'), 'wx', () => undefined);
    fails('EEXIST', () => fs.openSync(at(d, 'f'), 'wx'));
  },
  'O_EXCL does not follow a symlink'(d) {
    fs.symlinkSync('nowhere', at(d, 'l'));
    fails('EEXIST', () => fs.openSync(at(d, 'l'), 'wx'));
    assert.ok(!fs.existsSync(at(d, 'nowhere')));
  },
  'truncate cuts and grows'(d) {
    fs.writeFileSync(at(d, 'f'), '0123456789');
    fs.truncateSync(at(d, 'f'), 4);
    assert.equal(read(at(d, 'f')), '0123');
    fs.truncateSync(at(d, 'f'), 8);
    assert.equal(read(at(d, 'f')), '0123\0\0\0\0');
  },
  'ftruncate of an open file shows at once'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, '0123456789');
      fs.ftruncateSync(fd, 3);
      assert.equal(fs.fstatSync(fd).size, 3);
      assert.equal(fs.statSync(at(d, 'f')).size, 3);
      fs.ftruncateSync(fd, 0);
      assert.equal(read(at(d, 'f')), '');
    });
  },
  'growth shows by name before close'(d) {
    withFile(at(d, 'f'), 'w', (fd) => {
      fs.writeSync(fd, 'x'.repeat(100_000));
      assert.equal(fs.statSync(at(d, 'f')).size, 100_000);
      assert.equal(read(at(d, 'f')).length, 100_000);
    });
  },
  'fsync and fdatasync'(d) {
    withFile(at(d, 'f'), 'w', (fd) => {
      fs.writeSync(fd, 'x');
      fs.fsyncSync(fd);
      fs.writeSync(fd, 'y');
      fs.fdatasyncSync(fd);
    });
    command(d, 'sync', 'f', '.');
  },
  'an unlinked file lives while it is open'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'still here');
      fs.unlinkSync(at(d, 'f'));
      assert.ok(!fs.existsSync(at(d, 'f')));
      const buffer = Buffer.alloc(10);
      assert.equal(fs.readSync(fd, buffer, 0, 10, 0), 10);
      assert.equal(buffer.toString(), 'still here');
      fs.writeSync(fd, ' and grows', 10);
      assert.equal(fs.fstatSync(fd).size, 20);
      assert.equal(fs.fstatSync(fd).nlink, 0);
    });
  },
  'a name unlinked and made anew is another file'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'old');
      fs.unlinkSync(at(d, 'f'));
      fs.writeFileSync(at(d, 'f'), 'new one');
      assert.equal(read(at(d, 'f')), 'new one');
      assert.equal(fs.fstatSync(fd).size, 3);
    });
  },
  'a file that is read-only for its mode may be written by who made it'(d) {
    withFile(at(d, 'f'), 'wx', (fd) => fs.writeSync(fd, 'written'), 0o444);
    assert.equal(read(at(d, 'f')), 'written');
  },
  'a program is mapped and runs'(d) {
    fs.copyFileSync('/bin/true', at(d, 'program'));
    fs.chmodSync(at(d, 'program'), 0o755);
    command(d, './program');
  },
  'a script runs'(d) {
    fs.writeFileSync(at(d, 'script'), '#!/bin/sh\necho "it runs: $1"\n', { mode: 0o755 });
    assert.equal(command(d, './script', 'indeed'), 'it runs: indeed\n');
  },
  copy_file_range(d) {
    fs.writeFileSync(at(d, 'from'), 'x'.repeat(300_000));
    fs.copyFileSync(at(d, 'from'), at(d, 'to'));
    assert.equal(read(at(d, 'to')), 'x'.repeat(300_000));
  },
  'posix_fallocate makes room'(d) {
    command(d, 'fallocate', '--posix', '-l', '100000', 'f');
    assert.equal(fs.statSync(at(d, 'f')).size, 100_000);
  },
  'flock keeps others out'(d) {
    const held = `exec 9>lock; flock 9; flock -n lock true && exit 1; exit 0`;
    command(d, 'sh', '-c', held);
    command(d, 'flock', '-n', 'lock', 'true');
  },
};

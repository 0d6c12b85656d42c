/* Files that are neither regular files, directories nor symlinks. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { command, type Operation } from '../operation.js';

export const special: Record<string, Operation> = {
  'a fifo connects two processes'(d) {
    command(d, 'mkfifo', 'p');
    assert.ok(fs.statSync(at(d, 'p')).isFIFO());
    assert.equal(command(d, 'sh', '-c', 'echo through > p & cat p'), 'through\n');
  },
  'a unix socket is bound'(d) {
    const listener = `require('net').createServer().listen('s', function () { this.close(); console.log('bound'); })`;
    assert.equal(command(d, process.execPath, '-e', listener), 'bound\n');
  },
  'a removed fifo that is open is changed like another file'(d) {
    command(d, 'mkfifo', 'p');
    const fd = fs.openSync(at(d, 'p'), 'r+');
    try {
      fs.unlinkSync(at(d, 'p'));
      assert.equal(fs.fstatSync(fd).nlink, 0);
      fs.fchmodSync(fd, 0o640);
      fs.futimesSync(fd, 1000, 2000);
      const { mode, atimeMs, mtimeMs } = fs.fstatSync(fd);
      assert.equal(mode & 0o7777, 0o640);
      assert.deepEqual([atimeMs, mtimeMs], [1_000_000, 2_000_000]);
    } finally {
      fs.closeSync(fd);
    }
  },
};

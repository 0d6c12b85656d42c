/* Modes, owners, times and blocks. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { command, withFile, type Operation } from '../operation.js';

export const attributes: Record<string, Operation> = {
  'chmod is seen'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    for (const mode of [0o600, 0o755, 0o444, 0o4755, 0o000, 0o640]) {
      fs.chmodSync(at(d, 'f'), mode);
      assert.equal(fs.statSync(at(d, 'f')).mode & 0o7777, mode);
    }
    fs.mkdirSync(at(d, 'x'));
    fs.chmodSync(at(d, 'x'), 0o1770);
    assert.equal(fs.statSync(at(d, 'x')).mode & 0o7777, 0o1770);
  },
  'the umask applies'(d) {
    command(d, 'sh', '-c', 'umask 027; touch f; mkdir x');
    assert.equal(fs.statSync(at(d, 'f')).mode & 0o777, 0o640);
    assert.equal(fs.statSync(at(d, 'x')).mode & 0o777, 0o750);
  },
  'files belong to who made them'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    assert.equal(fs.statSync(at(d, 'f')).uid, process.getuid?.());
  },
  'times are set and kept'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.utimesSync(at(d, 'f'), 1_000_000_000.25, 1_234_567_890.5);
    const status = fs.statSync(at(d, 'f'), { bigint: true });
    assert.equal(status.atimeNs, 1_000_000_000_250_000_000n);
    assert.equal(status.mtimeNs, 1_234_567_890_500_000_000n);
  },
  'times set on an open file that was written'(d) {
    withFile(at(d, 'f'), 'w', (fd) => {
      fs.writeSync(fd, 'content');
      fs.futimesSync(fd, 1_000_000_000, 1_000_000_000);
    });
    assert.equal(fs.statSync(at(d, 'f')).mtimeMs, 1_000_000_000_000);
  },
  'times of a symlink are its own'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.symlinkSync('f', at(d, 'l'));
    fs.lutimesSync(at(d, 'l'), 1_000_000_000, 1_000_000_000);
    assert.equal(fs.lstatSync(at(d, 'l')).mtimeMs, 1_000_000_000_000);
    assert.notEqual(fs.statSync(at(d, 'f')).mtimeMs, 1_000_000_000_000);
  },
  'a write moves mtime'(d) {
    fs.writeFileSync(at(d, 'f'), 'a');
    fs.utimesSync(at(d, 'f'), 1, 1);
    fs.appendFileSync(at(d, 'f'), 'b');
    assert.ok(fs.statSync(at(d, 'f')).mtimeMs > 1_000_000_000_000);
  },
  "a new name moves the directory's mtime"(d) {
    fs.utimesSync(d, 1, 1);
    fs.writeFileSync(at(d, 'f'), '');
    assert.ok(fs.statSync(d).mtimeMs > 1_000_000_000_000);
  },
  'blocks count what is written'(d) {
    fs.writeFileSync(at(d, 'f'), Buffer.alloc(1_000_000, 'x'));
    command(d, 'sync', 'f');
    assert.ok(fs.statSync(at(d, 'f')).blocks * 512 >= 1_000_000);
  },
  'set-id bits go with a chown, and when others than root write or truncate'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    fs.chmodSync(at(d, 'f'), 0o6755);
    const { uid, gid } = fs.statSync(at(d, 'f'));
    fs.chownSync(at(d, 'f'), uid, gid);
    assert.equal(fs.statSync(at(d, 'f')).mode & 0o7777, 0o755);
    if (uid !== 0) {
      fs.chmodSync(at(d, 'f'), 0o4755);
      fs.appendFileSync(at(d, 'f'), 'x');
      assert.equal(fs.statSync(at(d, 'f')).mode & 0o7777, 0o755);
      fs.chmodSync(at(d, 'f'), 0o4755);
      fs.truncateSync(at(d, 'f'), 0);
      assert.equal(fs.statSync(at(d, 'f')).mode & 0o7777, 0o755);
    }
  },
};

/* Modes, owners, times and blocks. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join as at } from 'node:path';
import { command, withFile, type Operation } from '../operation.js';

export const attributes: Record<string, Operation> = {
  'chmod is seen'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    for (const mode of [0o600, 0o755, 0o444, 0o1755, 0o000, 0o640]) {
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
  'chown to who owns it already moves ctime, and takes the set-id bits of a program'(d) {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    fs.writeFileSync(at(d, 'f'), '');
    fs.mkdirSync(at(d, 'x'));
    fs.symlinkSync('f', at(d, 'l'));
    const ctime = (name: string): bigint => fs.lstatSync(at(d, name), { bigint: true }).ctimeNs;
    for (const [toUid, toGid] of [
      [uid, gid],
      [-1, gid],
      [uid, -1],
      [-1, -1],
    ] as const) {
      fs.chmodSync(at(d, 'f'), 0o6755);
      fs.chownSync(at(d, 'f'), toUid, toGid);
      assert.equal(fs.statSync(at(d, 'f')).mode & 0o7777, 0o755);
      for (const name of ['f', 'x', 'l']) {
        const before = ctime(name);
        fs.lchownSync(at(d, name), toUid, toGid);
        assert.ok(ctime(name) > before, `${name} ${toUid} ${toGid}`);
      }
    }
  },
  'a directory in one with the set-group-id bit has it, too'(d) {
    fs.mkdirSync(at(d, 'x'));
    fs.chmodSync(at(d, 'x'), 0o2770);
    fs.mkdirSync(at(d, 'x/y'), 0o700);
    assert.equal(fs.statSync(at(d, 'x/y')).mode & 0o7777, 0o2700);
    fs.writeFileSync(at(d, 'x/f'), '', { mode: 0o640 });
    assert.equal(fs.statSync(at(d, 'x/f')).mode & 0o7777, 0o640);
    command(d, 'sync', 'x/y');
    assert.equal(fs.statSync(at(d, 'x/y')).mode & 0o7777, 0o2700);
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
  'times before 1970, after 2038 and beyond what a disk can have'(d) {
    fs.writeFileSync(at(d, 'f'), '');
    const touch = (date: string): bigint => {
      command(d, 'touch', '-d', date, 'f');
      command(d, 'sync', 'f');
      return fs.statSync(at(d, 'f'), { bigint: true }).mtimeNs;
    };
    assert.equal(touch('@-1.5'), -1_500_000_000n);
    assert.equal(touch('@4294967296.123456789'), 4_294_967_296_123_456_789n);
    assert.ok(touch('@9223372036854775807') > 4_294_967_296_000_000_000n);
    assert.ok(touch('@-9223372036854775808') < -1_500_000_000n);
  },
  'the time of birth is told, and stays'(d) {
    const before = BigInt(Date.now() - 86_400_000) * 1_000_000n;
    fs.writeFileSync(at(d, 'f'), '');
    fs.mkdirSync(at(d, 'x'));
    for (const name of ['f', 'x']) {
      const born = fs.statSync(at(d, name), { bigint: true }).birthtimeNs;
      assert.ok(born > before && born <= fs.statSync(at(d, name), { bigint: true }).ctimeNs);
      fs.chmodSync(at(d, name), 0o700);
      fs.utimesSync(at(d, name), 1, 1);
      fs.renameSync(at(d, name), at(d, 'renamed'));
      command(d, 'sync', 'renamed');
      assert.equal(fs.statSync(at(d, 'renamed'), { bigint: true }).birthtimeNs, born);
      fs.renameSync(at(d, 'renamed'), at(d, name));
    }
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

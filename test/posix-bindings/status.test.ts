/* statx and fstatfs say what node's own stat says, and what it cannot say. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { fd as brandFd } from '../../posix/fd.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFLNK, S_IFMT } from '../../posix/flags.js';
import { fstatfs, statxAt, statxFd, type Status, type Timestamp } from '../../posix/status.js';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-status-'));
t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));

const nanoseconds = ({ sec, nsec }: Timestamp): bigint => BigInt(sec) * 1_000_000_000n + BigInt(nsec);

function agrees(t: Test, status: Status, expected: fs.BigIntStats): void {
  t.same(
    {
      mode: BigInt(status.mode),
      nlink: BigInt(status.nlink),
      uid: BigInt(status.uid),
      gid: BigInt(status.gid),
      size: BigInt(status.size),
      blocks: BigInt(status.blocks),
      ino: status.ino,
      dev: status.dev,
      rdev: BigInt(status.rdev),
      atime: nanoseconds(status.atime),
      mtime: nanoseconds(status.mtime),
      ctime: nanoseconds(status.ctime),
    },
    {
      mode: expected.mode,
      nlink: expected.nlink,
      uid: expected.uid,
      gid: expected.gid,
      size: expected.size,
      blocks: expected.blocks,
      ino: expected.ino,
      dev: expected.dev,
      rdev: expected.rdev,
      atime: expected.atimeNs,
      mtime: expected.mtimeNs,
      ctime: expected.ctimeNs,
    },
  );
}

t.test('a file, by name and by descriptor', async (t) => {
  const file = path.join(root, 'file');
  fs.writeFileSync(file, 'x'.repeat(5000));
  fs.linkSync(file, path.join(root, 'second'));
  fs.utimesSync(file, -1.5, 4_294_967_297.25);
  const fd = fs.openSync(file, 'r');
  const expected = fs.fstatSync(fd, { bigint: true });
  agrees(t, statxFd(brandFd(fd)), expected);
  agrees(t, statxAt(AT_FDCWD, Buffer.from(file), 0), expected);
  fs.closeSync(fd);
});

t.test('a size past 4 GiB', async (t) => {
  const file = path.join(root, 'sparse');
  fs.writeFileSync(file, '');
  fs.truncateSync(file, 5 * 2 ** 30 + 3);
  t.equal(statxAt(AT_FDCWD, Buffer.from(file), 0).size, 5 * 2 ** 30 + 3);
});

t.test('a device node', async (t) => {
  agrees(t, statxAt(AT_FDCWD, Buffer.from('/dev/null'), 0), fs.statSync('/dev/null', { bigint: true }));
  t.equal(statxAt(AT_FDCWD, Buffer.from('/dev/null'), 0).rdev, 0x103);
});

t.test('a directory, and a symlink followed or not', async (t) => {
  const link = path.join(root, 'link');
  fs.symlinkSync('.', link);
  agrees(t, statxAt(AT_FDCWD, Buffer.from(link), 0), fs.statSync(root, { bigint: true }));
  const itself = statxAt(AT_FDCWD, Buffer.from(link), AT_SYMLINK_NOFOLLOW);
  t.equal(itself.mode & S_IFMT, S_IFLNK);
  t.equal(itself.size, 1);
});

t.test('errors', async (t) => {
  t.throws(() => statxAt(AT_FDCWD, Buffer.from(path.join(root, 'none')), 0), {
    code: 'ENOENT',
    errno: 2,
    syscall: 'statx',
  });
  t.throws(() => statxFd(brandFd(0x7ffffff0)), { code: 'EBADF' });
  t.throws(() => fstatfs(brandFd(0x7ffffff0)), { code: 'EBADF', syscall: 'fstatfs' });
});

t.test('a file system', async (t) => {
  const fd = fs.openSync(root, 'r');
  const expected = fs.statfsSync(root, { bigint: true });
  const status = fstatfs(brandFd(fd));
  t.equal(status.blocks * status.blockSize, expected.blocks * expected.bsize);
  t.equal(status.files, expected.files);
  t.ok(status.available <= status.free && status.free <= status.blocks);
  t.ok(status.filesFree <= status.files);
  fs.closeSync(fd);
});

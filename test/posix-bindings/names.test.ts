/* System calls on names: they take any bytes, act on links and not through them, and name their errors. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { close, openat2 } from '../../posix/files.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
} from '../../posix/flags.js';
import {
  chmodOpen,
  chmodPinned,
  fchmodat,
  linkat,
  linkOpen,
  mkdirat,
  mknodat,
  readlinkat,
  renameat2,
  reopen,
  symlinkat,
  unlinkat,
  utimensat,
  utimensOpen,
} from '../../posix/names.js';
import { statxAt, statxFd } from '../../posix/status.js';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-names-'));
t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));
const dir = openat2(AT_FDCWD, Buffer.from(root), { flags: O_RDONLY | O_DIRECTORY });
t.teardown(() => close(dir));

const name = (text: string): Buffer => Buffer.from(text);
const exists = (text: string): boolean => fs.readdirSync(root).includes(text);
function touch(bytes: Buffer): void {
  close(openat2(dir, bytes, { flags: O_RDWR | O_CREAT, mode: 0o644 }));
}

t.test('names are bytes', async (t) => {
  const odd = Buffer.from([0xff, 0xfe, 0x0a, 0x20, 0xc3, 0x28, 0x80]);
  const odder = Buffer.concat([odd, Buffer.from([0x01])]);
  touch(odd);
  renameat2(dir, odd, dir, odder, 0);
  linkat(dir, odder, dir, odd, 0);
  const listed = fs.readdirSync(root, { encoding: 'buffer' });
  t.ok(listed.some((entry) => entry.equals(odd)));
  t.ok(listed.some((entry) => entry.equals(odder)));
  t.equal(statxAt(dir, odd, 0).nlink, 2);
  unlinkat(dir, odd, 0);
  unlinkat(dir, odder, 0);
  t.throws(() => statxAt(dir, odd, 0), { code: 'ENOENT' });
});

t.test('a NUL in any name is EINVAL and does nothing', async (t) => {
  const bad = name('cut\0off');
  touch(name('cut'));
  const calls: Record<string, () => void> = {
    mkdirat: () => mkdirat(dir, bad, 0o700),
    unlinkat: () => unlinkat(dir, bad, 0),
    'renameat2 from': () => renameat2(dir, bad, dir, name('x'), 0),
    'renameat2 to': () => renameat2(dir, name('cut'), dir, name('x\0'), 0),
    linkat: () => linkat(dir, name('cut'), dir, name('x\0'), 0),
    'symlinkat target': () => symlinkat(bad, dir, name('x')),
    'symlinkat name': () => symlinkat(name('y'), dir, name('x\0')),
    readlinkat: () => readlinkat(dir, bad),
    mknodat: () => mknodat(dir, bad, S_IFREG | 0o600, 0),
    fchmodat: () => fchmodat(dir, bad, 0o600),
    utimensat: () => utimensat(dir, bad, 'now', 'now', 0),
    statxAt: () => statxAt(dir, bad, 0),
  };
  for (const [call, run] of Object.entries(calls)) t.throws(run, { code: 'EINVAL' }, call);
  t.ok(exists('cut'));
  t.notOk(exists('x'));
  unlinkat(dir, name('cut'), 0);
});

t.test('mkdirat and unlinkat', async (t) => {
  mkdirat(dir, name('d'), 0o700);
  t.equal(fs.statSync(path.join(root, 'd')).mode & 0o777, 0o700 & ~process.umask());
  t.throws(() => mkdirat(dir, name('d'), 0o700), { code: 'EEXIST', syscall: 'mkdirat' });
  t.throws(() => unlinkat(dir, name('d'), 0), { code: 'EISDIR', syscall: 'unlinkat' });
  fs.writeFileSync(path.join(root, 'd', 'f'), '');
  t.throws(() => unlinkat(dir, name('d'), AT_REMOVEDIR), { code: 'ENOTEMPTY' });
  fs.rmSync(path.join(root, 'd', 'f'));
  unlinkat(dir, name('d'), AT_REMOVEDIR);
  t.throws(() => unlinkat(dir, name('d'), AT_REMOVEDIR), { code: 'ENOENT' });
});

t.test('renameat2 replaces, refuses to, and exchanges', async (t) => {
  fs.writeFileSync(path.join(root, 'a'), 'A');
  fs.writeFileSync(path.join(root, 'b'), 'B');
  t.throws(() => renameat2(dir, name('a'), dir, name('b'), RENAME_NOREPLACE), {
    code: 'EEXIST',
    syscall: 'renameat2',
  });
  renameat2(dir, name('a'), dir, name('b'), RENAME_EXCHANGE);
  t.equal(fs.readFileSync(path.join(root, 'a'), 'utf8'), 'B');
  renameat2(dir, name('a'), dir, name('b'), 0);
  t.notOk(exists('a'));
  t.equal(fs.readFileSync(path.join(root, 'b'), 'utf8'), 'B');
  unlinkat(dir, name('b'), 0);
});

t.test('symlinks hold any bytes and are linked themselves', async (t) => {
  const target = Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.alloc(4000, 'x')]);
  symlinkat(target, dir, name('s'));
  t.same(readlinkat(dir, name('s')), target);
  linkat(dir, name('s'), dir, name('s2'), 0);
  t.same(readlinkat(dir, name('s2')), target);
  const pinned = openat2(dir, name('s'), { flags: O_PATH | O_NOFOLLOW });
  t.same(readlinkat(pinned, Buffer.alloc(0)), target);
  close(pinned);
  touch(name('plain'));
  t.throws(() => readlinkat(dir, name('plain')), { code: 'EINVAL', syscall: 'readlinkat' });
});

t.test('mknodat makes regular files and fifos', async (t) => {
  mknodat(dir, name('node'), S_IFREG | 0o600, 0);
  mknodat(dir, name('fifo'), S_IFIFO | 0o600, 0);
  t.equal(statxAt(dir, name('node'), 0).mode & S_IFMT, S_IFREG);
  t.equal(statxAt(dir, name('fifo'), 0).mode & S_IFMT, S_IFIFO);
});

for (const [call, chmod] of Object.entries({ fchmodat, chmodPinned })) {
  t.test(`${call} changes a file and never what a symlink points to`, async (t) => {
    touch(name(`${call}-file`));
    fs.symlinkSync(`${call}-file`, path.join(root, `${call}-link`));
    chmod(dir, name(`${call}-file`), 0o4710);
    t.equal(statxAt(dir, name(`${call}-file`), 0).mode & 0o7777, 0o4710);
    t.throws(() => chmod(dir, name(`${call}-link`), 0o777), { code: 'EOPNOTSUPP' });
    t.equal(statxAt(dir, name(`${call}-file`), 0).mode & 0o7777, 0o4710);
    t.throws(() => chmod(dir, name('missing'), 0o777), { code: 'ENOENT' });
  });
}

t.test('utimensat sets, keeps, and takes the present', async (t) => {
  const open = openat2(dir, name('times'), { flags: O_RDWR | O_CREAT, mode: 0o600 });
  const atime = { sec: -1, nsec: 999_999_999 };
  const mtime = { sec: 5_000_000_000, nsec: 1 };
  utimensat(dir, name('times'), atime, mtime, 0);
  t.match(statxFd(open), { atime, mtime });

  utimensat(open, undefined, undefined, { sec: 7, nsec: 8 }, 0);
  t.match(statxFd(open), { atime, mtime: { sec: 7, nsec: 8 } }, 'by descriptor, access time kept');

  utimensat(open, undefined, { sec: 9, nsec: 0 }, 'now', 0);
  const after = statxFd(open);
  t.same(after.atime, { sec: 9, nsec: 0 });
  t.same(after.mtime, after.ctime, 'modified at the time of this change');

  const pinned = openat2(dir, name('times'), { flags: O_PATH });
  utimensat(pinned, Buffer.alloc(0), undefined, { sec: 1, nsec: 2 }, AT_EMPTY_PATH);
  t.same(statxFd(open).mtime, { sec: 1, nsec: 2 }, 'through an O_PATH descriptor');
  close(pinned);

  fs.symlinkSync('times', path.join(root, 'times-link'));
  utimensat(dir, name('times-link'), { sec: 3, nsec: 3 }, { sec: 4, nsec: 4 }, AT_SYMLINK_NOFOLLOW);
  t.same(statxFd(open).mtime, { sec: 1, nsec: 2 }, 'the target is left alone');
  t.same(statxAt(dir, name('times-link'), AT_SYMLINK_NOFOLLOW).mtime, { sec: 4, nsec: 4 });

  for (const nsec of [-1, 1_000_000_000, 0x3fffffff, 0x3ffffffe, 0.5]) {
    t.throws(
      () => utimensat(open, undefined, { sec: 0, nsec }, undefined, 0),
      { code: 'EINVAL' },
      `${nsec} ns`,
    );
  }
  close(open);
});

t.test('a file without a name gets one by its descriptor', async (t) => {
  const fd = openat2(dir, name('.'), { flags: O_TMPFILE | O_RDWR, mode: 0o600 });
  t.equal(statxFd(fd).nlink, 0);
  linkOpen(fd, dir, name('named'));
  t.strictSame(statxAt(dir, name('named'), 0).ino, statxFd(fd).ino);
  t.throws(() => linkOpen(fd, dir, name('named')), { code: 'EEXIST' });
  close(fd);
  unlinkat(dir, name('named'), 0);
});

t.test('descriptors that are no more than a path are changed and opened anew', async (t) => {
  touch(name('file'));
  symlinkat(name('file'), dir, name('link'));
  const fd = openat2(dir, name('file'), { flags: O_PATH | O_NOFOLLOW });
  chmodOpen(fd, 0o640);
  utimensOpen(fd, { sec: 5, nsec: 6 }, { sec: 7, nsec: 8 });
  t.match(statxFd(fd), { mode: S_IFREG | 0o640, atime: { sec: 5, nsec: 6 }, mtime: { sec: 7, nsec: 8 } });
  utimensOpen(fd, undefined, { sec: 9, nsec: 0 });
  t.match(statxFd(fd), { atime: { sec: 5 }, mtime: { sec: 9 } });
  unlinkat(dir, name('file'), 0);
  const opened = reopen(fd, O_RDWR);
  t.strictSame([statxFd(opened).ino, statxFd(opened).nlink], [statxFd(fd).ino, 0], 'also without a name');
  close(opened);
  close(fd);
  const link = openat2(dir, name('link'), { flags: O_PATH | O_NOFOLLOW });
  t.throws(() => chmodOpen(link, 0o600), { code: 'EOPNOTSUPP' });
  utimensOpen(link, undefined, { sec: 3, nsec: 0 });
  t.equal(statxFd(link).mtime.sec, 3, 'the times of the link itself');
  close(link);
  unlinkat(dir, name('link'), 0);
});

/* System calls on open files: opening is confined, data goes where it is meant to, errors have names. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { PosixError } from '../../posix/error.js';
import { fd as brandFd, type Fd } from '../../posix/fd.js';
import {
  close,
  dup,
  dupOnto,
  fallocate,
  fchmod,
  fdatasync,
  flock,
  fsync,
  ftruncate,
  lseek,
  openat2,
  pread,
  preadNoWait,
  pwrite,
  syncfs,
} from '../../posix/files.js';
import {
  AT_FDCWD,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  LOCK_EX,
  LOCK_NB,
  LOCK_UN,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
} from '../../posix/flags.js';

const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-files-'));
t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));
const inside = path.join(root, 'home');
fs.mkdirSync(path.join(inside, 'sub'), { recursive: true });
fs.writeFileSync(path.join(root, 'outside'), 'secret');
fs.symlinkSync('../outside', path.join(inside, 'escape'));
fs.symlinkSync('sub', path.join(inside, 'link'));
fs.writeFileSync(path.join(inside, 'sub', 'file'), 'content');

const home = openat2(AT_FDCWD, Buffer.from(inside), { flags: O_PATH | O_DIRECTORY });
t.teardown(() => close(home));

function newFile(name: string): Fd {
  return openat2(home, Buffer.from(name), { flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600 });
}

t.test('openat2 opens beneath a directory, close-on-exec', async (t) => {
  const fd = openat2(home, Buffer.from('sub/file'), { flags: O_RDONLY, resolve: CONFINED });
  t.equal(fs.readFileSync(fd, 'utf8'), 'content');
  t.match(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^flags:\s+02\d{6}$/m, 'O_CLOEXEC is set');
  close(fd);
});

t.test('openat2 refuses every way out of the directory', async (t) => {
  const refused: [string, string][] = [
    ['..', 'EXDEV'],
    ['../outside', 'EXDEV'],
    ['sub/../../outside', 'EXDEV'],
    ['/etc/passwd', 'EXDEV'],
    ['escape', 'ELOOP'],
    ['link', 'ELOOP'],
    ['link/file', 'ELOOP'],
  ];
  for (const [name, code] of refused) {
    t.throws(
      () => openat2(home, Buffer.from(name), { flags: O_RDONLY, resolve: CONFINED }),
      { name: 'PosixError', code, syscall: 'openat2', errno: os.constants.errno[code as 'EXDEV'] },
      name,
    );
  }
});

t.test('openat2 refuses a name with a NUL, and one that is too long', async (t) => {
  t.throws(() => openat2(home, Buffer.from('sub\0x'), { flags: O_RDONLY }), { code: 'EINVAL' });
  t.throws(() => openat2(home, Buffer.alloc(4096, 'a'), { flags: O_RDONLY }), { code: 'ENAMETOOLONG' });
  t.throws(() => openat2(home, Buffer.alloc(256, 'a'), { flags: O_RDONLY }), { code: 'ENAMETOOLONG' });
});

t.test('a short name after a long one is not the long one', async (t) => {
  t.throws(() => openat2(home, Buffer.alloc(200, 'a'), { flags: O_RDONLY }), { code: 'ENOENT' });
  close(openat2(home, Buffer.from('sub'), { flags: O_PATH }));
});

t.test('openat2 creates with the mode given, and only once', async (t) => {
  close(newFile('created'));
  t.equal(fs.statSync(path.join(inside, 'created')).mode & 0o777, 0o600 & ~process.umask());
  t.throws(() => newFile('created'), { code: 'EEXIST' });
});

t.test('pwrite and pread act on their part of the buffer', async (t) => {
  const fd = newFile('data');
  t.equal(pwrite(fd, Buffer.from('0123456789'), 2, 5, 3), 5);
  t.equal(fs.readFileSync(path.join(inside, 'data'), 'latin1'), '\0\0\x0023456');

  const buffer = Buffer.alloc(10, '.');
  t.equal(pread(fd, buffer, 4, 3, 4), 3);
  t.equal(buffer.toString(), '....345...');
  t.equal(pread(fd, buffer, 0, 10, 6), 2, 'short at the end');
  t.equal(pread(fd, buffer, 0, 10, 8), 0, 'nothing past the end');
  close(fd);
});

t.test('positions past 4 GiB are kept whole', async (t) => {
  const fd = newFile('large');
  const position = 5 * 2 ** 30 + 7;
  pwrite(fd, Buffer.from('x'), 0, 1, position);
  t.equal(lseek(fd, 0, SEEK_END), position + 1);
  const buffer = Buffer.alloc(1);
  t.equal(pread(fd, buffer, 0, 1, position), 1);
  t.equal(buffer.toString(), 'x');
  const cached = Buffer.alloc(1);
  if (preadNoWait(fd, cached, 0, 1, position) !== undefined) t.same(cached, buffer);
  ftruncate(fd, 3 * 2 ** 32);
  t.equal(fs.fstatSync(fd).size, 3 * 2 ** 32);
  close(fd);
});

t.test('no call reads or writes outside its buffer', async (t) => {
  const fd = newFile('ranges');
  const buffer = Buffer.alloc(8);
  const ranges: [number, number][] = [
    [0, 9],
    [8, 1],
    [-1, 4],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ];
  for (const [offset, length] of ranges) {
    for (const call of [pread, preadNoWait, pwrite]) {
      t.throws(() => call(fd, buffer, offset, length, 0), RangeError, `${call.name} ${length} at ${offset}`);
    }
  }
  t.equal(fs.fstatSync(fd).size, 0);
  close(fd);
});

t.test('preadNoWait reads what was just written, or says that it would wait', async (t) => {
  const fd = newFile('nowait');
  pwrite(fd, Buffer.from('abcdef'), 0, 6, 0);
  const buffer = Buffer.alloc(8, '.');
  const count = preadNoWait(fd, buffer, 1, 4, 2);
  if (count === undefined) t.equal(buffer.toString(), '........', 'nothing was read');
  else t.equal(buffer.toString(), `.${'cdef'.slice(0, count)}${'.'.repeat(7 - count)}`);
  t.throws(() => preadNoWait(home, buffer, 0, 1, 0), { code: 'EBADF', syscall: 'preadv2' });
  close(fd);
});

t.test('a descriptor that does not allow it is EBADF', async (t) => {
  const reader = openat2(home, Buffer.from('sub/file'), { flags: O_RDONLY });
  const writer = openat2(home, Buffer.from('sub/file'), { flags: O_WRONLY });
  t.throws(() => pwrite(reader, Buffer.from('x'), 0, 1, 0), { code: 'EBADF', syscall: 'pwrite' });
  t.throws(() => pread(writer, Buffer.alloc(1), 0, 1, 0), { code: 'EBADF', syscall: 'pread' });
  close(reader);
  close(writer);
  t.throws(() => close(writer), { code: 'EBADF', syscall: 'close' });
});

t.test('an error of pwrite is thrown, also after a part was written', async (t) => {
  const full = openat2(AT_FDCWD, Buffer.from('/dev/full'), { flags: O_WRONLY });
  t.throws(() => pwrite(full, Buffer.alloc(16), 0, 16, 0), { code: 'ENOSPC', errno: 28, syscall: 'pwrite' });
  close(full);
});

t.test('dup shares the open file and outlives the first descriptor', async (t) => {
  const fd = newFile('dup');
  const second = dup(fd);
  t.not(second, fd);
  close(fd);
  pwrite(second, Buffer.from('kept'), 0, 4, 0);
  t.equal(fs.readFileSync(path.join(inside, 'dup'), 'utf8'), 'kept');
  close(second);
});

t.test('fchmod, fsync and fdatasync', async (t) => {
  const fd = newFile('mode');
  fchmod(fd, 0o4751);
  t.equal(fs.fstatSync(fd).mode & 0o7777, 0o4751);
  fsync(fd);
  fdatasync(fd);
  t.throws(() => fsync(home), { code: 'EBADF', syscall: 'fsync' });
  close(fd);
});

t.test('fallocate and lseek know of holes', async (t) => {
  const fd = newFile('holes');
  fallocate(fd, 0, 0, 3 * 65536);
  t.equal(fs.fstatSync(fd).size, 3 * 65536);
  pwrite(fd, Buffer.alloc(3 * 65536, 'x'), 0, 3 * 65536, 0);
  fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536);
  t.equal(lseek(fd, 0, SEEK_HOLE), 65536);
  t.equal(lseek(fd, 65536, SEEK_DATA), 2 * 65536);
  t.throws(() => lseek(fd, 3 * 65536, SEEK_DATA), { code: 'ENXIO', syscall: 'lseek' });
  close(fd);
});

t.test('flock excludes another open file', async (t) => {
  const first = newFile('lock');
  const second = openat2(home, Buffer.from('lock'), { flags: O_RDWR });
  flock(first, LOCK_EX);
  t.throws(() => flock(second, LOCK_EX | LOCK_NB), { code: 'EAGAIN', syscall: 'flock' });
  flock(first, LOCK_UN);
  flock(second, LOCK_EX | LOCK_NB);
  close(first);
  close(second);
});

t.test('what is no descriptor is not branded as one', async (t) => {
  for (const n of [-1, 1.5, Number.NaN, 2 ** 31]) t.throws(() => brandFd(n), RangeError, `${n}`);
  t.equal(brandFd(0), 0);
});

t.test('PosixError names every errno of Linux once', async (t) => {
  t.equal(new PosixError(11, 'x').code, 'EAGAIN');
  t.equal(new PosixError(35, 'x').code, 'EDEADLK');
  t.equal(new PosixError(95, 'x').code, 'EOPNOTSUPP');
  t.equal(new PosixError(117, 'x').code, 'EUCLEAN');
  t.equal(new PosixError(122, 'x').code, 'EDQUOT');
  t.equal(new PosixError(4000, 'x').code, 'E4000');
  t.equal(new PosixError(2, 'openat2').message, 'openat2: ENOENT');
  t.equal(new PosixError(122, 'pwrite').text, 'disk quota exceeded');
});

t.test('syncfs waits for the disk, and its errors have names', async (t) => {
  const fd = newFile('synced');
  pwrite(fd, Buffer.from('data'), 0, 4, 0);
  syncfs(fd);
  close(fd);
  t.throws(() => syncfs(brandFd(0x7fffffff)), new PosixError(os.constants.errno.EBADF, 'syncfs'));
});

t.test('a descriptor becomes one of another open file', async (t) => {
  const [one, other] = [newFile('onto-one'), newFile('onto-other')];
  pwrite(other, Buffer.from('other'), 0, 5, 0);
  dupOnto(other, one);
  close(other);
  const bytes = Buffer.alloc(8);
  t.equal(pread(one, bytes, 0, 8, 0), 5);
  close(one);
});

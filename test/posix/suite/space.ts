/* The room that a file takes: room made ahead, holes, and copies that the file system makes by itself. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join as at } from 'node:path';
import { fd as brandFd } from '../../../posix/fd.js';
import { close, copyFileRange, fallocate, lseek, openat2 } from '../../../posix/files.js';
import { linkOpen } from '../../../posix/names.js';
import {
  AT_FDCWD,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  O_EXCL,
  O_RDWR,
  O_TMPFILE,
  SEEK_DATA,
  SEEK_HOLE,
} from '../../../posix/flags.js';
import { command, fails, read, withFile, type Operation } from '../operation.js';

const MIB = 1024 * 1024;

/** fallocate(2) of a descriptor of node's. */
function allocate(fd: number, mode: number, offset: number, length: number): void {
  fallocate(brandFd(fd), mode, offset, length);
}

function seek(fd: number, offset: number, whence: number): number {
  return lseek(brandFd(fd), offset, whence);
}

/** Copies as often as needed; returns how many bytes there were to copy. */
function copy(from: number, offset: number, to: number, toOffset: number, length: number): number {
  for (let done = 0; ;) {
    const [position, toPosition] = [offset + done, toOffset + done];
    const copied = copyFileRange(brandFd(from), position, brandFd(to), toPosition, length - done);
    done += copied;
    if (copied === 0 || done === length) return done;
  }
}

/** Gives a file without a name away, and closes it. */
function withUnnamed(directory: string, flags: number, work: (fd: number) => void): void {
  const how = { flags: O_TMPFILE | O_RDWR | flags, mode: 0o640 };
  const fd = openat2(AT_FDCWD, Buffer.from(directory), how);
  try {
    work(fd);
  } finally {
    close(fd);
  }
}

/** Gives an open file a name. */
function nameIt(fd: number, file: string): void {
  linkOpen(brandFd(fd), AT_FDCWD, Buffer.from(file));
}

/** Bytes that do not repeat soon. */
function pattern(length: number): Buffer {
  return Buffer.alloc(length, 'a piece of text that has an odd length');
}

/** More than ext4 takes, of which a file has at most 16 TiB. */
const HUGE = 2 ** 52;

/** Whether the disk of the temporary files, on which the homes are as well, has files as large. */
function diskTakes(size: number): boolean {
  const directory = fs.mkdtempSync(at(tmpdir(), 'ftpmount-'));
  try {
    fs.writeFileSync(at(directory, 'file'), '');
    fs.truncateSync(at(directory, 'file'), size);
    return true;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EFBIG');
    return false;
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** A MiB of data, a MiB that was never written, and a MiB of data. */
function withHole(file: string): void {
  withFile(file, 'w', (fd) => {
    fs.writeSync(fd, pattern(MIB), 0, MIB, 0);
    fs.writeSync(fd, pattern(MIB), 0, MIB, 2 * MIB);
  });
}

export const space: Record<string, Operation> = {
  'what is larger than the disk takes of any file is EFBIG, however little room there is'(d) {
    if (diskTakes(HUGE)) return;
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'data');
      fails('EFBIG', () => fs.ftruncateSync(fd, HUGE));
      fails('EFBIG', () => fs.writeSync(fd, 'x', HUGE));
      fails('EFBIG', () => allocate(fd, 0, HUGE, 1));
      assert.equal(fs.fstatSync(fd).size, 4);
    });
    fails('EFBIG', () => fs.truncateSync(at(d, 'f'), HUGE));
    assert.equal(read(at(d, 'f')), 'data');
  },
  'fallocate makes a file longer, by zeros'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'data');
      allocate(fd, 0, 2, 100_000);
      assert.equal(fs.fstatSync(fd).size, 100_002);
      assert.equal(fs.statSync(at(d, 'f')).size, 100_002);
      assert.equal(read(at(d, 'f')), 'data'.padEnd(100_002, '\0'));
      allocate(fd, 0, 0, 10);
      assert.equal(fs.fstatSync(fd).size, 100_002, 'never shorter');
      fs.writeSync(fd, 'behind', 100_002);
      assert.equal(read(at(d, 'f')).slice(-6), 'behind');
    });
  },
  'fallocate changes mtime and ctime'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.futimesSync(fd, 1000, 1000);
      const before = fs.fstatSync(fd);
      allocate(fd, 0, 0, 100);
      const after = fs.fstatSync(fd);
      assert.ok(after.mtimeMs > 1000 * 1000 && after.ctimeMs >= before.ctimeMs);
      assert.equal(after.atimeMs, before.atimeMs);
    });
  },
  'fallocate that keeps the size'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, 'data');
      allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100_000);
      assert.equal(fs.fstatSync(fd).size, 4);
      assert.equal(read(at(d, 'f')), 'data');
      allocate(fd, FALLOC_FL_KEEP_SIZE, 500_000, 1);
      assert.equal(fs.fstatSync(fd).size, 4);
      fs.writeSync(fd, 'more', 6);
      assert.equal(read(at(d, 'f')), 'data\0\0more');
    });
  },
  'a hole is punched, also into what was just written and read'(d) {
    fs.writeFileSync(at(d, 'f'), pattern(MIB));
    withFile(at(d, 'f'), 'r+', (fd) => {
      const expected = pattern(MIB);
      assert.ok(fs.readFileSync(at(d, 'f')).equals(expected));
      fs.writeSync(fd, 'mine', 100_000);
      allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 50_001, 100_000);
      expected.fill(0, 50_001, 150_001);
      assert.ok(fs.readFileSync(at(d, 'f')).equals(expected));
      fs.writeSync(fd, 'in the hole', 60_000);
      expected.write('in the hole', 60_000);
      assert.ok(fs.readFileSync(at(d, 'f')).equals(expected));
      allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB - 10, 100);
      allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * MIB, 100);
      expected.fill(0, MIB - 10);
      assert.ok(fs.readFileSync(at(d, 'f')).equals(expected), 'what is beyond the end stays there');
    });
  },
  'a punched hole gives its blocks back'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, pattern(4 * MIB));
      fs.fsyncSync(fd);
      allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB, 2 * MIB);
      assert.ok(fs.fstatSync(fd).blocks * 512 < 3 * MIB);
    });
  },
  'a range is zeroed, with and without its size'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, '0123456789');
      allocate(fd, FALLOC_FL_ZERO_RANGE, 2, 3);
      assert.equal(read(at(d, 'f')), '01\0\0\x0056789');
      allocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 8, 100);
      assert.equal(read(at(d, 'f')), '01\0\0\x00567\0\0');
      allocate(fd, FALLOC_FL_ZERO_RANGE, 7, 5);
      assert.equal(read(at(d, 'f')), '01\0\0\x0056\0\0\0\0\0');
    });
  },
  'fallocate of what cannot be'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fails('EINVAL', () => allocate(fd, 0, 0, 0));
      fails('EOPNOTSUPP', () => allocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
      fails('EOPNOTSUPP', () => allocate(fd, 0x4000, 0, 10));
      assert.equal(fs.fstatSync(fd).size, 0);
    });
    withFile(at(d, 'f'), 'r', (fd) => fails('EBADF', () => allocate(fd, 0, 0, 10)));
  },
  'SEEK_DATA and SEEK_HOLE tell what was written'(d) {
    withHole(at(d, 'f'));
    withFile(at(d, 'f'), 'r', (fd) => {
      assert.equal(seek(fd, 0, SEEK_DATA), 0);
      assert.equal(seek(fd, 5, SEEK_DATA), 5);
      assert.equal(seek(fd, 0, SEEK_HOLE), MIB);
      assert.equal(seek(fd, MIB, SEEK_DATA), 2 * MIB);
      assert.equal(seek(fd, MIB + 5, SEEK_HOLE), MIB + 5);
      assert.equal(seek(fd, 2 * MIB, SEEK_HOLE), 3 * MIB, 'the end is a hole');
      fails('ENXIO', () => seek(fd, 3 * MIB, SEEK_DATA));
      fails('ENXIO', () => seek(fd, 3 * MIB, SEEK_HOLE));
      fails('ENXIO', () => seek(fd, 2 ** 60, SEEK_DATA));
    });
  },
  'SEEK_DATA follows what is written and punched'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fails('ENXIO', () => seek(fd, 0, SEEK_DATA));
      fs.ftruncateSync(fd, 4 * MIB);
      fails('ENXIO', () => seek(fd, 0, SEEK_DATA));
      assert.equal(seek(fd, MIB, SEEK_HOLE), MIB);
      fs.writeSync(fd, pattern(MIB), 0, MIB, MIB);
      assert.equal(seek(fd, 0, SEEK_DATA), MIB);
      assert.equal(seek(fd, MIB, SEEK_HOLE), 2 * MIB);
      allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB, MIB);
      fails('ENXIO', () => seek(fd, 0, SEEK_DATA));
    });
  },
  'a hole takes no blocks, and a copy of it is a hole'(d) {
    withHole(at(d, 'f'));
    fs.truncateSync(at(d, 'f'), 256 * MIB);
    command(d, 'cp', 'f', 'copy');
    command(d, 'cmp', '-n', String(4 * MIB), 'f', 'copy');
    for (const name of ['f', 'copy']) {
      const { size, blocks } = fs.statSync(at(d, name));
      assert.equal(size, 256 * MIB);
      assert.ok(blocks * 512 < 8 * MIB, `${name} takes ${blocks} blocks`);
      withFile(at(d, name), 'r', (fd) => fails('ENXIO', () => seek(fd, 3 * MIB, SEEK_DATA)));
    }
  },
  'a range is copied from file to file'(d) {
    const bytes = pattern(5 * MIB + 17);
    fs.writeFileSync(at(d, 'from'), bytes);
    fs.writeFileSync(at(d, 'to'), 'the beginning');
    withFile(at(d, 'from'), 'r', (from) =>
      withFile(at(d, 'to'), 'r+', (to) => {
        assert.equal(copy(from, 3, to, 4, 5), 5);
        assert.equal(read(at(d, 'to')), `the ${bytes.toString('latin1', 3, 8)}ning`);
        assert.equal(copy(from, 1000, to, 20_000, 2 ** 40), bytes.length - 1000, 'as far as it goes');
        assert.equal(fs.fstatSync(to).size, 20_000 + bytes.length - 1000);
        assert.equal(copy(from, bytes.length, to, 0, 10), 0);
        assert.equal(copy(from, bytes.length + 10, to, 0, 10), 0);
      }),
    );
    const copied = fs.readFileSync(at(d, 'to'));
    assert.ok(copied.subarray(20_000).equals(bytes.subarray(1000)));
    assert.ok(copied.subarray(13, 20_000).every((byte) => byte === 0));
  },
  'what was just written is copied, over what was just read'(d) {
    withFile(at(d, 'from'), 'w+', (from) =>
      withFile(at(d, 'to'), 'w+', (to) => {
        fs.writeSync(to, 'x'.repeat(100_000));
        assert.equal(read(at(d, 'to')).length, 100_000);
        fs.writeSync(from, 'fresh data');
        assert.equal(copy(from, 0, to, 50_000, 10), 10);
        fs.writeSync(from, 'newer', 0);
        const expected = `${'x'.repeat(50_000)}fresh data${'x'.repeat(49_990)}`;
        assert.equal(read(at(d, 'to')), expected);
        assert.equal(copy(from, 0, to, 0, 5), 5);
        assert.equal(read(at(d, 'to')), `newer${expected.slice(5)}`);
      }),
    );
  },
  'a range is copied within a file'(d) {
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.writeSync(fd, '0123456789');
      assert.equal(copy(fd, 2, fd, 7, 5), 5);
      assert.equal(read(at(d, 'f')), '012345623456');
      fails('EINVAL', () => copy(fd, 0, fd, 2, 5));
      assert.equal(read(at(d, 'f')), '012345623456');
    });
  },
  'a copy to what is not open for writing, or only for appending'(d) {
    fs.writeFileSync(at(d, 'f'), 'data');
    withFile(at(d, 'f'), 'r', (from) => {
      withFile(at(d, 'f'), 'r', (to) => fails('EBADF', () => copy(from, 0, to, 4, 4)));
      withFile(at(d, 'f'), 'a', (to) => fails('EBADF', () => copy(from, 0, to, 4, 4)));
    });
    assert.equal(read(at(d, 'f')), 'data');
  },
  'cp copies all of a file, and tells its times apart'(d) {
    fs.writeFileSync(at(d, 'f'), pattern(3 * MIB + 1));
    fs.utimesSync(at(d, 'f'), 1000, 1000);
    command(d, 'cp', '--sparse=never', 'f', 'g');
    command(d, 'cmp', 'f', 'g');
    assert.ok(fs.statSync(at(d, 'g')).mtimeMs > 1000 * 1000);
    assert.equal(fs.statSync(at(d, 'f')).mtimeMs, 1000 * 1000);
  },
  'O_TMPFILE: a file without a name'(d) {
    withUnnamed(d, 0, (fd) => {
      assert.deepEqual(fs.readdirSync(d), []);
      const made = fs.fstatSync(fd);
      assert.equal(made.nlink, 0);
      assert.equal(made.size, 0);
      assert.equal(made.mode & ~process.umask(), 0o100640 & ~process.umask());
      fs.writeSync(fd, 'some data');
      assert.equal(fs.fstatSync(fd).size, 9);
      const buffer = Buffer.alloc(20);
      assert.equal(fs.readSync(fd, buffer, 0, 20, 0), 9);
      assert.equal(buffer.toString('latin1', 0, 9), 'some data');
      fs.ftruncateSync(fd, 4);
      fs.fchmodSync(fd, 0o600);
      assert.equal(fs.fstatSync(fd).mode, 0o100600);
      fs.fsyncSync(fd);
    });
    assert.deepEqual(fs.readdirSync(d), []);
  },
  'O_TMPFILE: it gets a name when it is whole'(d) {
    withUnnamed(d, 0, (fd) => {
      fs.writeSync(fd, pattern(MIB + 1));
      const { ino } = fs.fstatSync(fd);
      nameIt(fd, at(d, 'whole'));
      assert.equal(fs.statSync(at(d, 'whole')).ino, ino);
      assert.equal(fs.fstatSync(fd).nlink, 1);
      fails('EEXIST', () => nameIt(fd, at(d, 'whole')));
      nameIt(fd, at(d, 'second'));
      assert.equal(fs.fstatSync(fd).nlink, 2);
      fs.writeSync(fd, 'more', MIB + 1);
    });
    assert.deepEqual(fs.readdirSync(d).toSorted(), ['second', 'whole']);
    assert.equal(fs.statSync(at(d, 'whole')).size, MIB + 5);
    assert.ok(
      fs
        .readFileSync(at(d, 'second'))
        .subarray(0, MIB + 1)
        .equals(pattern(MIB + 1)),
    );
  },
  'O_TMPFILE: what is to have no name, or has lost it, gets none'(d) {
    withUnnamed(d, O_EXCL, (fd) => fails('ENOENT', () => nameIt(fd, at(d, 'name'))));
    withFile(at(d, 'f'), 'w+', (fd) => {
      fs.unlinkSync(at(d, 'f'));
      fails('ENOENT', () => nameIt(fd, at(d, 'again')));
    });
    assert.deepEqual(fs.readdirSync(d), []);
  },
};

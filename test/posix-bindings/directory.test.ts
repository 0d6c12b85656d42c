/* Reading directories: every name once, in bounded chunks, whatever its bytes. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { readEntries, rewind, type DirectoryRecord } from '../../posix/directory.js';
import type { Fd } from '../../posix/fd.js';
import { close, openat2 } from '../../posix/files.js';
import { AT_FDCWD, DT_DIR, DT_LNK, DT_REG, O_DIRECTORY, O_RDONLY } from '../../posix/flags.js';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ftpmount-directory-'));
t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));

function open(directory: string): Fd {
  return openat2(AT_FDCWD, Buffer.from(directory), { flags: O_RDONLY | O_DIRECTORY });
}

function readAll(fd: Fd, scratch: Buffer): { records: DirectoryRecord[]; chunks: number } {
  const records: DirectoryRecord[] = [];
  let chunks = 0;
  for (let chunk = readEntries(fd, scratch); chunk.length > 0; chunk = readEntries(fd, scratch)) {
    records.push(...chunk);
    chunks += 1;
  }
  return { records, chunks };
}

const hex = (names: Buffer[]): string[] => names.map((name) => name.toString('hex')).sort();

t.test('every name of a large directory, in chunks, and again after rewind', async (t) => {
  const large = path.join(root, 'large');
  fs.mkdirSync(large);
  for (let i = 0; i < 500; i++) fs.writeFileSync(path.join(large, `file-${i}`), '');
  const fd = open(large);
  const scratch = Buffer.alloc(4096);
  const first = readAll(fd, scratch);
  const expected = hex(fs.readdirSync(large, { encoding: 'buffer' }));
  t.same(hex(first.records.map((record) => record.name)), expected);
  t.ok(first.chunks > 1, 'the scratch memory bounds a chunk');
  t.same(readEntries(fd, scratch), [], 'still at the end');
  rewind(fd);
  scratch.fill(0);
  t.same(readAll(fd, scratch).records, first.records, 'records do not share the scratch memory');
  close(fd);
});

t.test('names of any bytes, with type and inode', async (t) => {
  const odd = path.join(root, 'odd');
  fs.mkdirSync(odd);
  const prefix = Buffer.from(`${odd}/`);
  const bytes = Buffer.from([0xff, 0x0a, 0xc3, 0x28]);
  fs.writeFileSync(Buffer.concat([prefix, bytes]), '');
  fs.writeFileSync(Buffer.concat([prefix, Buffer.alloc(255, 'n')]), '');
  fs.writeFileSync(Buffer.concat([prefix, Buffer.from('...')]), '');
  fs.writeFileSync(Buffer.concat([prefix, Buffer.from('.h')]), '');
  fs.mkdirSync(Buffer.concat([prefix, Buffer.from('d')]));
  fs.symlinkSync('d', Buffer.concat([prefix, Buffer.from('l')]));
  const fd = open(odd);
  const { records } = readAll(fd, Buffer.alloc(280));
  t.same(hex(records.map((record) => record.name)), hex(fs.readdirSync(odd, { encoding: 'buffer' })));
  const types = new Map(records.map((record) => [record.name.toString('latin1'), record.type]));
  t.equal(types.get('d'), DT_DIR);
  t.equal(types.get('l'), DT_LNK);
  t.equal(types.get(bytes.toString('latin1')), DT_REG);
  for (const { name, ino } of records) {
    t.equal(ino, fs.lstatSync(Buffer.concat([prefix, name]), { bigint: true }).ino);
  }
  close(fd);
});

t.test('an empty directory has no names', async (t) => {
  const empty = path.join(root, 'empty');
  fs.mkdirSync(empty);
  const fd = open(empty);
  t.same(readEntries(fd, Buffer.alloc(4096)), []);
  close(fd);
});

t.test('what is no directory, and memory too small for a name', async (t) => {
  const file = path.join(root, 'file');
  fs.writeFileSync(file, '');
  const fd = openat2(AT_FDCWD, Buffer.from(file), { flags: O_RDONLY });
  t.throws(() => readEntries(fd, Buffer.alloc(4096)), { code: 'ENOTDIR', syscall: 'getdents64' });
  close(fd);
  const directory = open(root);
  t.throws(() => readEntries(directory, Buffer.alloc(8)), { code: 'EINVAL', syscall: 'getdents64' });
  close(directory);
});

/** The callbacks that libfuse calls, without libfuse: what they answer, and what they leave behind. */
import t from 'tap';
import type { Done, NativeOperations } from '../../../mount/fuse-native/binding.js';
import { nativeStat, nativeStatfs, timeOf } from '../../../mount/fuse-native/attributes.js';
import { Dentries } from '../../../mount/fuse-native/dentries.js';
import { CALLER, nativeOperations } from '../../../mount/fuse-native/operations.js';
import type { EntrySink } from '../../../mount/operations.js';
import { ERRNO } from '../../../protocol/errno.js';
import type { HandleId, NodeId } from '../../../protocol/ids.js';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CountingFilesystem } from './counting-filesystem.js';

/** Lists three entries a call, as a file system does that has its listings from afar. */
class ListingInParts extends CountingFilesystem {
  override readdir(node: NodeId, handle: HandleId, offset: bigint, plus: boolean, sink: EntrySink): void {
    let left = 3;
    super.readdir(node, handle, offset, plus, (entry) => left-- > 0 && sink(entry));
  }
}

function start() {
  const filesystem = new ListingInParts({ validMs: 0 });
  const faults: string[] = [];
  const log = { error: (_details: object, message: string) => void faults.push(message) };
  const operations = nativeOperations(filesystem, new Dentries(filesystem, CALLER), log);
  return { filesystem, operations, faults };
}

/** Calls an operation and waits for what it answers. */
function ask<Values extends unknown[]>(
  call: (done: Done<Values>) => void,
): Promise<[number, ...Values] | [number]> {
  return new Promise((resolve) => call((...results) => resolve(results)));
}

function list(operations: NativeOperations, path: string): Promise<unknown[]> {
  return ask((done) => operations.readdir(path, done));
}

t.test('failures are negative errnos; what is no Failure is a fault', async (t) => {
  const { filesystem, operations, faults } = start();
  t.strictSame(await ask((done) => operations.getattr('/missing', done)), [-ERRNO.ENOENT]);
  t.strictSame(await ask((done) => operations.read('/f', 5, Buffer.alloc(1), 1, 0, done)), [-ERRNO.EBADF]);
  t.strictSame(await ask((done) => operations.truncate('/', 2 ** 60, done)), [-ERRNO.EFBIG]);
  t.strictSame(faults, []);
  filesystem.statfs = () => {
    throw new TypeError('a bug');
  };
  t.strictSame(await ask((done) => operations.statfs('/', done)), [-ERRNO.EIO]);
  t.equal(faults.length, 1);
});

t.test('a file is open by a number until it is released', async (t) => {
  const { filesystem, operations } = start();
  filesystem.create = (...parameters) => {
    const created = CountingFilesystem.prototype.create.apply(filesystem, parameters);
    filesystem.count(created.entry);
    return created;
  };
  t.strictSame(await ask((done) => operations.create('/f', 0o644, done)), [0, 1]);
  t.strictSame(await ask((done) => operations.open('/f', 0, done)), [0, 2]);
  t.strictSame(await ask((done) => operations.write('/f', 1, Buffer.from('abc'), 3, 4, done)), [3]);
  const data = Buffer.alloc(10, 'x');
  t.strictSame(await ask((done) => operations.read('/f', 2, data, 10, 2, done)), [5]);
  t.equal(data.toString('latin1'), '\0\0abcxxxxx');
  t.strictSame(await ask((done) => operations.read('/f', 2, data, 10, 2 ** 60, done)), [0], 'beyond the end');
  t.strictSame(await ask((done) => operations.release('/f', 1, done)), [0]);
  t.strictSame(await ask((done) => operations.flush('/f', 1, done)), [-ERRNO.EBADF]);
  t.strictSame(await ask((done) => operations.open('/f', 0, done)), [0, 1], 'the number is used again');
  t.strictSame(await ask((done) => operations.unlink('/f', done)), [0]);
  t.equal(filesystem.held.size, 1, 'the node is kept for those who have it open');
  for (const file of [1, 2]) await ask((done) => operations.release('/f', file, done));
  t.equal(filesystem.held.size, 0);
  t.equal(filesystem.handles.size, 0);
});

t.test('a listing is whole, without names that no string can tell', async (t) => {
  const { filesystem, operations } = start();
  for (const name of ['one', 'two', 'three', 'four', 'ü']) {
    filesystem.mknod(ROOT_NODE, Buffer.from(name), 0o100644, 0, CALLER);
  }
  filesystem.mknod(ROOT_NODE, Buffer.from([0x61, 0xff]), 0o100644, 0, CALLER);
  filesystem.mknod(ROOT_NODE, Buffer.from('last'), 0o100644, 0, CALLER);
  const [result, names] = await list(operations, '/');
  t.equal(result, 0);
  t.strictSame(names, ['.', '..', 'one', 'two', 'three', 'four', 'ü', 'last']);
  t.equal(filesystem.handles.size, 0);
});

t.test('a file system larger than 32 bits of blocks has larger blocks', (t) => {
  const status = { blockSize: 4096, blocks: 2n ** 40n, blocksFree: 2n ** 39n + 1n };
  const native = nativeStatfs({ ...status, files: 2n ** 50n, filesFree: 7n, nameMax: 255 });
  t.ok(native.blocks < 2 ** 32);
  t.equal(native.blocks * native.frsize, 2 ** 52);
  t.equal(native.bavail * native.frsize, 2 ** 51);
  t.equal(native.files, 2 ** 32 - 1);
  t.equal(native.ffree, 7);
  t.end();
});

t.test('times are milliseconds since 1970', (t) => {
  const attributes = { ino: 1n, mode: 0, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, blocks: 0 };
  const late = { sec: 5_000_000_000, nsec: 250_999_999 };
  const stat = nativeStat({ ...attributes, atime: { sec: -2, nsec: 5e8 }, mtime: late, ctime: late });
  t.equal(stat.atime, 0);
  t.equal(stat.mtime, 5_000_000_000_250);
  t.strictSame(timeOf(5_000_000_000_250), { sec: 5_000_000_000, nsec: 250_000_000 });
  t.throws(() => timeOf(2 ** 64 - 1500), { name: 'Failure', kind: 'EINVAL' });
  t.end();
});

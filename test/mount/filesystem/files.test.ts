import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CALLER, failureOf, MountedHome } from './mounted-home.js';
import { MemoryHome } from './memory-home.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;

t.test('a small file is read in one round trip, and again from the kernel', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'content' });
  const { nodeId } = await m.lookup('file');
  t.same(await m.requestsOf(async () => t.equal(await m.content('file'), 'content')), ['open', 'close']);
  const opened = m.fs.open(nodeId, O_RDONLY, CALLER);
  t.notOk(opened instanceof Promise);
  t.equal((await opened).keepCache, true);
  t.same(
    await m.requestsOf(async () => m.fs.release(nodeId, (await opened).handle)),
    [],
    'never opened there',
  );
  t.equal(m.session.openHandles, 0);
});

t.test('a server that sends no data along, or not all, is asked for them', async (t) => {
  for (const prefetches of [undefined, 0, 3]) {
    const home = new MemoryHome();
    home.prefetches = prefetches;
    const m = await MountedHome.mount(t, { home });
    m.home.plant({ file: 'content' });
    t.equal(await m.content('file'), 'content');
  }
});

t.test('a larger file is opened at once and read by pieces', async (t) => {
  const m = await MountedHome.mount(t);
  const content = Buffer.alloc(300_000, 'abcdefg').toString();
  m.home.plant({ file: content });
  const { nodeId } = await m.lookup('file');
  const { handle } = await m.fs.open(nodeId, O_RDONLY, CALLER);
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < 300_000; offset += 65_536)
    pieces.push(await m.read(nodeId, handle, offset, 65_536));
  t.equal(Buffer.concat(pieces).toString(), content);
  t.equal((await m.read(nodeId, handle, 300_000)).length, 0);
  await m.fs.release(nodeId, handle);
});

t.test('opening when the attributes are old asks the server', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'one' });
  t.equal(await m.content('file'), 'one');
  const { nodeId } = await m.lookup('file');
  m.age(10_000);
  m.home.write(m.home.at('file'), 'longer');
  const before = m.told.length;
  const { handle, keepCache } = await m.fs.open(nodeId, O_RDONLY, CALLER);
  t.equal(keepCache, false);
  t.same(m.told.slice(before), [`node ${nodeId}`], 'the kernel drops the pages of the old data');
  t.equal((await m.read(nodeId, handle)).toString(), 'longer');
});

t.test('own writes do not cost the kernel its pages', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('mine'), CALLER);
  await m.fs.flush(node, handle, CALLER);
  await m.fs.release(node, handle);
  m.age(10_000);
  const opened = await m.fs.open(node, O_RDONLY, CALLER);
  t.equal(opened.keepCache, true);
  t.same(m.told, []);
});

t.test('a file that was removed stays readable and writable while it is open', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'content' });
  await m.content('file');
  const { nodeId } = await m.lookup('file');
  const reading = await m.fs.open(nodeId, O_RDONLY, CALLER);
  const writing = await m.fs.open(nodeId, O_RDWR, CALLER);
  await m.fs.unlink(ROOT_NODE, Buffer.from('file'), CALLER);
  t.equal(
    (await m.read(nodeId, reading.handle)).toString(),
    'content',
    'also one that was not opened there yet',
  );
  await m.fs.write(nodeId, writing.handle, 7, Buffer.from('!'), CALLER);
  await m.fs.flush(nodeId, writing.handle, CALLER);
  m.age(10_000);
  const { size, nlink } = await m.stat(nodeId);
  t.same([size, nlink], [8, 0]);
  const { attributes } = await m.fs.setattr(nodeId, undefined, { size: 2 }, CALLER);
  t.equal(attributes.size, 2);
  t.equal((await m.read(nodeId, reading.handle)).toString(), 'co');
  await m.fs.release(nodeId, reading.handle);
  await m.fs.release(nodeId, writing.handle);
  t.equal(m.session.openHandles, 0);
});

t.test('a file that is replaced by rename stays readable', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'old', new: 'new' });
  await m.content('file');
  const { nodeId } = await m.lookup('file');
  const { handle } = await m.fs.open(nodeId, O_RDONLY, CALLER);
  await m.fs.rename(ROOT_NODE, Buffer.from('new'), ROOT_NODE, Buffer.from('file'), 0, CALLER);
  t.equal((await m.read(nodeId, handle)).toString(), 'old');
  t.equal(await m.content('file'), 'new');
});

t.test('a file that another took the name of is not opened in its place', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'old' });
  const { nodeId } = await m.lookup('file');
  m.home.root.children.delete('file');
  m.home.plant({ file: 'other' });
  t.equal(await failureOf(() => m.fs.open(nodeId, O_WRONLY, CALLER)), 'ESTALE');
  const { nodeId: other } = await m.lookup('file');
  t.not(other, nodeId);
  t.equal(await m.content('file'), 'other');
});

t.test('what cannot be opened', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/': '' });
  const d = await m.lookup('d');
  const link = await m.fs.symlink(ROOT_NODE, Buffer.from('l'), Buffer.from('d'), CALLER);
  const fifo = await m.fs.mknod(ROOT_NODE, Buffer.from('p'), 0o010644, 0, CALLER);
  t.equal(await failureOf(() => m.fs.open(d.nodeId, O_RDONLY, CALLER)), 'EISDIR');
  t.equal(await failureOf(() => m.fs.open(link.nodeId, O_RDONLY, CALLER)), 'ELOOP');
  t.equal(await failureOf(() => m.fs.open(fifo.nodeId, O_RDONLY, CALLER)), 'ENXIO');
  t.equal(await failureOf(() => m.fs.read(d.nodeId, 77 as never, 0, 1, () => {}, CALLER)), 'EBADF');
});

t.test('create and a small write: two round trips, and none to close', async (t) => {
  const m = await MountedHome.mount(t);
  const requests = await m.requestsOf(async () => {
    const { node, handle } = await m.create(ROOT_NODE, 'file');
    await m.fs.write(node, handle, 0, Buffer.from('small'), CALLER);
    await m.fs.flush(node, handle, CALLER);
    t.notOk(m.fs.release(node, handle) instanceof Promise);
  });
  t.same(
    requests,
    ['create', 'getattr', 'write', 'close'],
    'the directory is asked for along with the create',
  );
  t.equal(m.home.at('file').data.toString(), 'small');
  t.same(await m.requestsOf(() => m.lookup('file')), [], 'and its attributes are known');
});

t.test('create of what exists', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'content' });
  const seen = await m.lookup('file');
  const { node } = await m.create(ROOT_NODE, 'file', O_RDWR);
  t.equal(node, seen.nodeId);
  t.equal(await failureOf(() => m.create(ROOT_NODE, 'file', O_RDWR | O_EXCL)), 'EEXIST');
  await m.create(ROOT_NODE, 'file', O_RDWR | O_TRUNC);
  t.equal((await m.stat(node)).size, 0);
});

t.test('opening with O_TRUNC after a write that was not sent', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('long content'), CALLER);
  await m.fs.open(node, O_WRONLY | O_TRUNC, CALLER);
  await m.fs.flush(node, handle, CALLER);
  t.equal(m.home.at('file').data.length, 0);
  t.equal((await m.stat(node)).size, 0);
});

t.test('appending goes to the end, wherever others moved it', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ log: 'a\n' });
  const { nodeId } = await m.lookup('log');
  const { handle } = await m.fs.open(nodeId, O_WRONLY | O_APPEND, CALLER);
  m.home.write(m.home.at('log'), 'a\nb\n');
  await m.fs.write(nodeId, handle, 2, Buffer.from('c\n'), CALLER);
  await m.fs.flush(nodeId, handle, CALLER);
  t.equal(m.home.at('log').data.toString(), 'a\nb\nc\n');
  t.equal((await m.stat(nodeId)).size, 6);
});

t.test('reading sees what was written and not sent', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: '0123456789' });
  const { nodeId } = await m.lookup('file');
  const { handle } = await m.fs.open(nodeId, O_RDWR, CALLER);
  t.equal((await m.read(nodeId, handle)).toString(), '0123456789');
  await m.fs.write(nodeId, handle, 2, Buffer.from('ab'), CALLER);
  t.equal((await m.read(nodeId, handle)).toString(), '01ab456789');
  await m.fs.write(nodeId, handle, 10, Buffer.from('xyz'), CALLER);
  t.equal((await m.read(nodeId, handle, 8)).toString(), '89xyz');
});

t.test('reading the hole in front of what was written and not sent, and ahead of it', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 200_000, Buffer.from('end'), CALLER);
  t.equal((await m.read(node, handle, 0, 4096)).length, 4096, 'the hole is in the file');
  await m.fs.write(node, handle, 100_000, Buffer.from('middle'), CALLER);
  t.ok((await m.read(node, handle, 4096, 4096)).equals(Buffer.alloc(4096)));
  for (let offset = 8192; offset < 200_000; offset += 4096) {
    const expected = m.home.at('file').data.subarray(offset, offset + 4096);
    t.ok((await m.read(node, handle, offset, 4096)).equals(expected), `at ${offset}`);
  }
});

t.test('a file that is opened while what was written to it is not sent', async (t) => {
  const m = await MountedHome.mount(t);
  const other = await MountedHome.mount(t, { home: m.home });
  m.home.plant({ file: 'old content' });
  const { nodeId } = await m.lookup('file');
  const writing = await m.fs.open(nodeId, O_WRONLY, CALLER);
  const there = (await other.lookup('file')).nodeId;
  const writingThere = await other.fs.open(there, O_WRONLY, CALLER);
  await other.fs.write(there, writingThere.handle, 4, Buffer.from('CON'), CALLER);
  await other.fs.flush(there, writingThere.handle, CALLER);
  await m.lookup('file');
  await m.fs.write(nodeId, writing.handle, 0, Buffer.from('new'), CALLER);
  t.equal(await m.content('file'), 'new CONtent', 'also what comes along with the opening');
});

t.test('stat sees the size of what was written and not sent, and never goes back', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const start = await m.stat(node);
  await m.fs.write(node, handle, 0, Buffer.alloc(5_000), CALLER);
  const pending = await m.stat(node);
  t.equal(pending.size, 5_000);
  t.ok(pending.blocks > 0, 'it is no file of holes');
  t.same(pending.mtime, start.mtime);
  await m.fs.flush(node, handle, CALLER);
  const written = await m.stat(node);
  t.equal(written.size, 5_000);
  t.ok(written.mtime.sec > start.mtime.sec || written.mtime.nsec > start.mtime.nsec);
});

t.test('times that are set after a write stay', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('x'), CALLER);
  const mtime = { sec: 5, nsec: 0 };
  const { attributes } = await m.fs.setattr(node, handle, { mtime }, CALLER);
  t.same(attributes.mtime, mtime);
  await m.fs.flush(node, handle, CALLER);
  t.same((await m.stat(node)).mtime, mtime);
});

t.test('truncation, and a size that follows it', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('0123456789'), CALLER);
  const { attributes } = await m.fs.setattr(node, handle, { size: 4 }, CALLER);
  t.equal(attributes.size, 4);
  t.equal((await m.stat(node)).size, 4);
  t.equal((await m.read(node, handle)).toString(), '0123');
});

t.test('owner and mode', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: '' });
  const { nodeId } = await m.lookup('file');
  const changed = await m.fs.setattr(nodeId, undefined, { mode: 0o100600 }, CALLER);
  t.equal(changed.attributes.mode, 0o100600);
  t.same(await m.requestsOf(() => m.fs.setattr(nodeId, undefined, { uid: 1000, gid: 1000 }, CALLER)), []);
  t.equal(await failureOf(() => m.fs.setattr(nodeId, undefined, { uid: 0 }, CALLER)), 'EPERM');
  t.equal(await failureOf(() => m.fs.setattr(nodeId, undefined, { gid: 5 }, CALLER)), 'EPERM');
  await m.fs.access(nodeId, 6, CALLER);
  t.equal(await failureOf(() => m.fs.access(nodeId, 1, CALLER)), 'EACCES');
  t.equal(await failureOf(() => m.fs.access(nodeId, 4, { ...CALLER, uid: 7, gid: 7 })), 'EACCES');
  await m.fs.access(nodeId, 6, { ...CALLER, uid: 0 });
  t.equal(await failureOf(() => m.fs.access(nodeId, 1, { ...CALLER, uid: 0 })), 'EACCES');
  const masked = await MountedHome.mount(t, { home: m.home, umask: 0o027 });
  t.equal((await masked.lookup('file')).attributes.mode, 0o100750);
});

t.test('statfs shows the quota', async (t) => {
  const m = await MountedHome.mount(t);
  const unlimited = await m.fs.statfs(CALLER);
  t.equal(unlimited.blocks, BigInt((1 << 30) / 4096), 'without a quota the disk');
  m.home.quota = 1 << 20;
  m.home.plant({ file: 'x'.repeat(8192) });
  t.notOk(m.fs.statfs(CALLER) instanceof Promise, 'kept for a moment');
  m.age(1_000);
  const status = await m.fs.statfs(CALLER);
  t.match(status, {
    blockSize: 4096,
    blocks: 256n,
    blocksFree: 254n,
    files: 100n,
    filesFree: 90n,
    nameMax: 255,
  });
  await m.fs.unlink(ROOT_NODE, Buffer.from('file'), CALLER);
  t.equal((await m.fs.statfs(CALLER)).blocksFree, 256n, 'what was removed here shows at once');
});

t.test('the end of the mount writes what was not sent', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('last words'), CALLER);
  await m.fs.destroy();
  t.equal(m.home.at('file').data.toString(), 'last words');
  t.same(m.losses, []);
  t.equal(await failureOf(() => m.fs.mkdir(ROOT_NODE, Buffer.from('d'), 0o755, CALLER)), 'ENOTCONN');
});

import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CALLER, failureOf, MountedHome, until } from './mounted-home.js';
import { MemoryHome } from './memory-home.js';

const MiB = 1024 * 1024;
const O_RDONLY = 0;
const O_WRONLY = 1;

t.test('a write is answered in the call; contiguous writes travel together', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const requests = await m.requestsOf(async () => {
    const data = Buffer.alloc(4096);
    for (let i = 0; i < 100; i++) {
      data.fill(i);
      t.equal(m.fs.write(node, handle, i * 4096, data, CALLER), 4096);
    }
    await m.fs.flush(node, handle, CALLER);
  });
  t.same(requests, ['write']);
  const { data } = m.home.at('file');
  t.equal(data.length, 409_600);
  for (let i = 0; i < 100; i++) t.equal(data[i * 4096 + 77], i, `bytes of write ${i}`);
});

t.test('pieces end at multiples of 1 MiB, and leave when they are full', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const requests = await m.requestsOf(async () => {
    await m.fs.write(node, handle, 0, Buffer.alloc(MiB, 1), CALLER);
    await m.fs.write(node, handle, MiB, Buffer.alloc(MiB, 2), CALLER);
  });
  t.same(requests, ['write', 'write'], 'without a flush');
  t.same(
    await m.requestsOf(async () => {
      await m.fs.write(node, handle, 2 * MiB + 100, Buffer.alloc(MiB, 3), CALLER);
      await m.fs.flush(node, handle, CALLER);
    }),
    ['write', 'write'],
  );
  const { data } = m.home.at('file');
  t.same([data[0], data[MiB], data[2 * MiB], data[2 * MiB + 100], data[3 * MiB + 99]], [1, 2, 0, 3, 3]);
});

t.test('a write within the unsent piece replaces its bytes', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const requests = await m.requestsOf(async () => {
    await m.fs.write(node, handle, 0, Buffer.from('0123456789'), CALLER);
    await m.fs.write(node, handle, 4, Buffer.from('ab'), CALLER);
    await m.fs.write(node, handle, 8, Buffer.from('xyz'), CALLER);
    await m.fs.flush(node, handle, CALLER);
  });
  t.same(requests, ['write']);
  t.equal(m.home.at('file').data.toString(), '0123ab67xyz');
});

t.test('writes by two handles keep their order', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const second = await m.fs.open(node, O_WRONLY, CALLER);
  await m.fs.write(node, handle, 0, Buffer.from('first'), CALLER);
  await m.fs.write(node, second.handle, 0, Buffer.from('SEC'), CALLER);
  await m.fs.write(node, handle, 0, Buffer.from('T'), CALLER);
  await m.fs.flush(node, handle, CALLER);
  t.equal(m.home.at('file').data.toString(), 'TECst');
});

t.test('what nobody waits for is sent after a moment', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('idle'), CALLER);
  t.equal(m.home.at('file').data.length, 0);
  await until(() => m.home.at('file').data.toString() === 'idle');
});

t.test('beyond a limit of unacknowledged bytes a write waits', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  m.session.held = true;
  for (let i = 0; i < 8; i++) t.equal(m.fs.write(node, handle, i * MiB, Buffer.alloc(MiB), CALLER), MiB);
  const waiting = m.fs.write(node, handle, 8 * MiB, Buffer.alloc(MiB), CALLER);
  t.ok(waiting instanceof Promise);
  m.session.deliver();
  t.equal(await waiting, MiB);
  await m.fs.flush(node, handle, CALLER);
  t.equal(m.home.at('file').data.length, 9 * MiB);
});

t.test('flush waits for what was written before it, by anybody', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('x'), CALLER);
  m.session.held = true;
  let flushed = false;
  const flush = Promise.resolve(m.fs.flush(node, handle, CALLER)).then(() => (flushed = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(flushed);
  m.session.deliver();
  await flush;
  t.equal(m.fs.flush(node, handle, CALLER), undefined, 'and costs nothing where nothing was written');
});

t.test('fsync syncs after the writes, in one round trip', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('x'), CALLER);
  m.session.held = true;
  const synced = m.fs.fsync(node, handle, true, CALLER);
  await new Promise((resolve) => setImmediate(resolve));
  t.same(m.session.requests.slice(-2), ['write', 'fsync'], 'both sent before anything was answered');
  m.session.deliver();
  await synced;
});

t.test('a failure is told once to each handle that could have written', async (t) => {
  const home = new MemoryHome();
  const m = await MountedHome.mount(t, { home });
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  const other = await m.fs.open(node, O_WRONLY, CALLER);
  const reader = await m.fs.open(node, O_RDONLY, CALLER);
  home.quota = 10;
  t.equal(await m.fs.write(node, handle, 0, Buffer.alloc(20), CALLER), 20);
  t.equal(await failureOf(() => m.fs.flush(node, handle, CALLER)), 'EDQUOT');
  t.equal(await failureOf(() => m.fs.flush(node, handle, CALLER)), 'no failure');
  t.equal(await failureOf(() => m.fs.fsync(node, other.handle, false, CALLER)), 'EDQUOT');
  t.equal(await failureOf(() => m.fs.flush(node, reader.handle, CALLER)), 'no failure');
  t.equal((await m.stat(node)).size, 0, 'and the size is the true one');
  t.ok(m.told.includes(`node ${node}`), 'the kernel drops what is not in the file');
});

t.test('after a failure each write gets its own, until one succeeds', async (t) => {
  const home = new MemoryHome();
  const m = await MountedHome.mount(t, { home });
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  home.quota = 10;
  await m.fs.write(node, handle, 0, Buffer.alloc(20), CALLER);
  t.equal(await failureOf(() => m.fs.flush(node, handle, CALLER)), 'EDQUOT');
  t.equal(await failureOf(() => m.fs.write(node, handle, 0, Buffer.alloc(20), CALLER)), 'EDQUOT');
  t.equal(await failureOf(() => m.fs.write(node, handle, 0, Buffer.alloc(11), CALLER)), 'EDQUOT');
  t.equal(await m.fs.write(node, handle, 0, Buffer.alloc(5, 'x'), CALLER), 5);
  t.equal(m.home.at('file').data.toString(), 'xxxxx');
  t.notOk(m.fs.write(node, handle, 5, Buffer.alloc(1), CALLER) instanceof Promise, 'behind again');
});

t.test('a program that fills a quota gets the error at a write', async (t) => {
  const home = new MemoryHome();
  home.quota = 20 * MiB;
  const m = await MountedHome.mount(t, { home });
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  let written = 0;
  let failure = 'no failure';
  for (; failure === 'no failure' && written < 64 * MiB; written += MiB) {
    const offset = written;
    failure = await failureOf(() => m.fs.write(node, handle, offset, Buffer.alloc(MiB), CALLER));
  }
  t.equal(failure, 'EDQUOT');
  t.ok(written <= 29 * MiB, 'not long after');
  t.equal(home.at('file').data.length, 20 * MiB);
});

t.test('a failure that nobody asked for is logged', async (t) => {
  const home = new MemoryHome();
  const m = await MountedHome.mount(t, { home });
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  home.quota = 10;
  await m.fs.write(node, handle, 0, Buffer.alloc(20), CALLER);
  await m.fs.release(node, handle);
  await until(() => m.losses.length > 0);
  t.match(m.losses, [{ path: 'file', code: 'EDQUOT' }]);
});

t.test('a file that is written and forgotten is written nevertheless', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  await m.fs.write(node, handle, 0, Buffer.from('bytes'), CALLER);
  await m.fs.release(node, handle);
  m.fs.forget(node, 1n);
  await until(() => m.home.at('file').data.toString() === 'bytes' && m.session.openHandles === 0);
  t.equal((await m.lookup('file')).attributes.size, 5);
});

t.test('a write by a handle for reading', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'x' });
  const { nodeId } = await m.lookup('file');
  const { handle } = await m.fs.open(nodeId, O_RDONLY, CALLER);
  t.equal(await failureOf(() => m.fs.write(nodeId, handle, 0, Buffer.from('y'), CALLER)), 'EBADF');
});

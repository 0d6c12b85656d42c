import t from 'tap';
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { ROOT_NODE } from '../../protocol/ids.js';
import { Remote } from '../../mount/remote.js';
import { CALLER, failureOf, MountedHome, until } from './filesystem/mounted-home.js';
import { MemoryHome } from './filesystem/memory-home.js';

const O_RDONLY = 0;
const O_RDWR = 2;
const name = (text: string): Buffer => Buffer.from(text);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a lost connection is made again, and operations wait meanwhile', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'content' });
  const { session } = m;
  m.home.breakConnections();
  const looked = m.lookup('file');
  await turn();
  t.notOk(m.remote.connected);
  t.equal((await looked).attributes.size, 7);
  t.ok(m.remote.connected);
  t.not(m.session, session);
});

t.test('the first connection is not tried again', async (t) => {
  const home = new MemoryHome();
  home.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  const quiet = (): void => undefined;
  const remote = new Remote({
    connect: (hello) => home.connect(hello),
    log: { info: quiet, warn: quiet, error: quiet },
  });
  t.teardown(() => remote.close());
  t.equal(await failureOf(() => remote.connect()), 'ECONNREFUSED');
});

t.test('what was carried out and not answered is not carried out twice', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.held = true;
  const made = m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  const created = m.create(ROOT_NODE, 'file');
  await turn();
  t.ok(m.home.at('d'));
  m.home.breakConnections();
  await made;
  const { node, handle } = await created;
  await m.fs.write(node, handle, 0, name('x'), CALLER);
  await m.fs.flush(node, handle, CALLER);
  t.equal(m.home.at('file').data.toString(), 'x');
  t.equal(m.session.openHandles, 1, 'one handle, not two');
});

t.test('what never arrived is sent again, in order', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.deaf = true;
  const operations = [
    m.fs.mkdir(ROOT_NODE, name('a'), 0o755, CALLER),
    m.fs.rename(ROOT_NODE, name('a'), ROOT_NODE, name('b'), 0, CALLER),
    m.fs.mkdir(ROOT_NODE, name('a'), 0o755, CALLER),
  ];
  await turn();
  m.home.breakConnections();
  await Promise.all(operations);
  t.same([...m.home.root.children.keys()].sort(), ['a', 'b']);
});

t.test('open files go on over a lost connection, unacknowledged bytes too', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  m.session.deaf = true;
  await m.fs.write(node, handle, 0, Buffer.alloc(1 << 20, 'a'), CALLER);
  await m.fs.write(node, handle, 1 << 20, name('tail'), CALLER);
  const flushed = m.fs.flush(node, handle, CALLER);
  m.home.breakConnections();
  await flushed;
  t.equal(m.home.at('file').data.length, (1 << 20) + 4);
  t.equal((await m.read(node, handle, 1 << 20)).toString(), 'tail');
});

t.test('after a restart of the server files are opened again by path', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/file': 'content' });
  const { nodeId } = await m.lookup('d/file');
  const { handle } = await m.fs.open(nodeId, O_RDWR, CALLER);
  await m.fs.rename(ROOT_NODE, name('d'), ROOT_NODE, name('e'), 0, CALLER);
  m.session.deaf = true;
  await m.fs.write(nodeId, handle, 7, name('!'), CALLER);
  const flushed = m.fs.flush(nodeId, handle, CALLER);
  m.home.restart();
  await flushed;
  t.equal((await m.read(nodeId, handle)).toString(), 'content!');
  t.equal(m.home.at('e/file').data.toString(), 'content!');
});

t.test(
  'a file that is not there any more after a restart is lost, and its bytes are told to be',
  async (t) => {
    const m = await MountedHome.mount(t);
    m.home.plant({ gone: 'content', replaced: 'content' });
    const gone = (await m.lookup('gone')).nodeId;
    const replaced = (await m.lookup('replaced')).nodeId;
    const a = await m.fs.open(gone, O_RDWR, CALLER);
    const b = await m.fs.open(replaced, O_RDWR, CALLER);
    m.session.deaf = true;
    await m.fs.write(gone, a.handle, 0, name('x'), CALLER);
    const flushed = failureOf(() => m.fs.flush(gone, a.handle, CALLER));
    m.home.root.children.delete('gone');
    m.home.root.children.delete('replaced');
    m.home.plant({ replaced: 'another file' });
    m.home.restart();
    t.equal(await flushed, 'ESTALE');
    t.equal(await failureOf(() => m.read(replaced, b.handle)), 'ESTALE');
    t.equal(m.home.at('replaced').data.toString(), 'another file');
    await m.fs.release(gone, a.handle);
    await m.fs.release(replaced, b.handle);
    await until(() => m.session.openHandles === 0);
    t.equal(await m.content('replaced'), 'another file');
  },
);

t.test('what was carried out before a restart is recognised', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ old: '', 'dir/': '', from: 'moved' });
  const { nodeId } = await m.lookup('from');
  await m.lookup('old');
  m.session.held = true;
  const operations = [
    m.fs.mkdir(ROOT_NODE, name('new'), 0o755, CALLER),
    m.fs.symlink(ROOT_NODE, name('link'), name('to'), CALLER),
    m.fs.mknod(ROOT_NODE, name('fifo'), 0o010644, 0, CALLER),
    m.fs.link(nodeId, ROOT_NODE, name('second'), CALLER),
    m.fs.unlink(ROOT_NODE, name('old'), CALLER),
    m.fs.rmdir(ROOT_NODE, name('dir'), CALLER),
    m.fs.rename(ROOT_NODE, name('from'), ROOT_NODE, name('to'), 0, CALLER),
    m.create(ROOT_NODE, 'made', 0o302),
  ];
  await turn();
  m.home.restart();
  await Promise.all(operations);
  t.same([...m.home.root.children.keys()].sort(), ['fifo', 'link', 'made', 'new', 'second', 'to']);
  t.equal(await m.content('to'), 'moved');
});

t.test('a failure that an earlier try does not explain stays one', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.deaf = true;
  const made = failureOf(() => m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER));
  const linked = failureOf(() => m.fs.unlink(ROOT_NODE, name('e'), CALLER));
  m.home.plant({ d: 'a file', 'e/': '' });
  m.home.restart();
  t.equal(await made, 'EEXIST');
  t.equal(await linked, 'EISDIR');
  const after = failureOf(() => m.fs.unlink(ROOT_NODE, name('none'), CALLER));
  t.equal(await after, 'ENOENT', 'and a request that was never sent before is no retry');
});

t.test('what was cached is not believed after a lost connection', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'old', other: '' });
  t.equal(await m.content('file'), 'old');
  await m.list(ROOT_NODE);
  const { nodeId } = await m.lookup('file');
  const { handle } = await m.fs.open(nodeId, O_RDONLY, CALLER);
  m.home.breakConnections();
  await until(() => !m.remote.connected);
  m.home.write(m.home.at('file'), 'changed');
  m.home.root.children.delete('other');
  t.ok(m.told.includes(`node ${nodeId}`));
  t.ok(m.told.includes('entry 1 file'));
  t.equal((await m.stat(nodeId)).size, 7);
  t.notOk(await m.exists('other'));
  t.equal((await m.read(nodeId, handle)).toString(), 'changed');
});

t.test('a listing in the middle of its pages', async (t) => {
  const home = new MemoryHome();
  home.pageSize = 3;
  const m = await MountedHome.mount(t, { home });
  m.home.plant(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i}`, ''])));
  const { session } = m;
  const listing = m.list(ROOT_NODE);
  await until(() => session.requests.includes('readdirNext'));
  m.home.restart();
  const names = await listing.catch(() => m.list(ROOT_NODE));
  t.equal(names.length, 9, 'whole, or a failure and then whole');
});

t.test('refused for good: operations fail', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.refusal = new Failure('EKEYREJECTED', 'wrong password');
  m.home.breakConnections();
  t.equal(await failureOf(() => m.lookup('x')), 'EACCES');
  t.equal(await failureOf(() => m.lookup('y')), 'EACCES', 'at once from then on');
  t.ok(m.logged.some((each) => each.includes('does not let us in')));
});

t.test('a server that is full or away is asked again', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  m.home.breakConnections();
  const made = m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  await until(() => m.logged.includes('connecting again failed'));
  m.home.refusal = undefined;
  await made;
  t.ok(m.home.at('d'));
});

t.test('a session that the server ends for good', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.held = true;
  const waiting = failureOf(() => m.lookup('x'));
  m.session.shutdown('the account was removed', false);
  t.equal(await waiting, 'EACCES');
});

t.test('with a deadline operations fail when there is no connection for long', async (t) => {
  const m = await MountedHome.mount(t, { softMs: 50 });
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  m.session.deaf = true;
  await m.fs.write(node, handle, 0, name('x'), CALLER);
  const looked = failureOf(() => m.lookup('x'));
  m.home.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  m.home.breakConnections();
  t.equal(await looked, 'ETIMEDOUT');
  t.equal(await failureOf(() => m.fs.flush(node, handle, CALLER)), 'ETIMEDOUT');
  t.equal(await failureOf(() => m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER)), 'ETIMEDOUT');
  m.home.refusal = undefined;
  await until(() => m.remote.connected);
  t.notOk(await m.exists('d'), 'what timed out without being sent is not sent later');
});

/** A caller that the test kills: no process has this id. */
function mortal(): { caller: typeof CALLER; kill(): void } {
  const abort = new AbortController();
  return { caller: { ...CALLER, pid: 2 ** 30, signal: abort.signal }, kill: () => abort.abort() };
}

t.test('a caller that is killed is let go, and what it asked for is cancelled', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.held = true;
  const { caller, kill } = mortal();
  const made = failureOf(() => m.fs.mkdir(ROOT_NODE, name('d'), 0o755, caller));
  kill();
  t.equal(await made, 'EINTR');
  t.equal(m.session.cancelled.length, 1);
  m.session.deliver();
  t.ok(await m.exists('d'), 'that it was made nevertheless is found out');
});

t.test('a file that was opened for nobody is closed again', async (t) => {
  const m = await MountedHome.mount(t);
  m.session.held = true;
  const { caller, kill } = mortal();
  const created = failureOf(() => m.fs.create(ROOT_NODE, name('file'), O_RDWR, 0o644, caller));
  kill();
  t.equal(await created, 'EINTR');
  m.session.deliver();
  await until(() => m.session.openHandles === 0);
  t.ok(await m.exists('file'));
});

t.test('a caller is let go while there is no connection', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  m.home.breakConnections();
  const { caller, kill } = mortal();
  const looked = failureOf(() => m.fs.lookup(ROOT_NODE, name('x'), caller));
  const removed = failureOf(() => m.fs.unlink(ROOT_NODE, name('file'), caller));
  kill();
  t.same([await looked, await removed], ['EINTR', 'EINTR']);
  m.home.plant({ file: '' });
  m.home.refusal = undefined;
  await until(() => m.remote.connected);
  t.ok(await m.exists('file'), 'what it asked for is not sent later');
});

t.test('an interrupted flush and write lose nothing', async (t) => {
  const m = await MountedHome.mount(t);
  const { node, handle } = await m.create(ROOT_NODE, 'file');
  m.session.held = true;
  for (let i = 0; i < 8; i++) await m.fs.write(node, handle, i << 20, Buffer.alloc(1 << 20), CALLER);
  const { caller, kill } = mortal();
  const written = m.fs.write(node, handle, 8 << 20, name('more'), caller);
  const flushed = failureOf(() => m.fs.flush(node, handle, caller));
  kill();
  t.equal(await written, 4, 'the bytes were taken');
  t.equal(await flushed, 'EINTR');
  await m.fs.release(node, handle);
  m.session.deliver();
  await until(() => m.home.at('file').data.length === (8 << 20) + 4 && m.session.openHandles === 0);
});

t.test('a caller that goes on living after a signal gets its answer', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: '' });
  m.session.held = true;
  const abort = new AbortController();
  const looked = m.fs.lookup(ROOT_NODE, name('file'), { ...CALLER, signal: abort.signal });
  abort.abort();
  await turn();
  m.session.deliver();
  t.type((await looked).nodeId, 'number');
  t.same(m.session.cancelled, []);
});

t.test('ids go on over connections', async (t) => {
  const m = await MountedHome.mount(t);
  await m.lookup('x').catch(() => undefined);
  const before = m.session.nextId;
  m.home.breakConnections();
  await m.lookup('y').catch(() => undefined);
  t.ok(m.session.nextId > before);
  const attributes: Attributes = m.session.session.root;
  t.equal(attributes.ino, 1n);
});

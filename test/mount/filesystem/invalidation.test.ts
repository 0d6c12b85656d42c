import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CHANGED_ALL } from '../../../protocol/methods.js';
import { CALLER, failureOf, MountedHome, until } from './mounted-home.js';

const O_RDONLY = 0;
const name = (text: string): Buffer => Buffer.from(text);

/** Two mounts of one home. */
async function pair(
  t: { teardown(handler: () => unknown): unknown },
  options: { directory?: string } = {},
): Promise<[MountedHome, MountedHome]> {
  const b = await MountedHome.mount(t);
  b.home.plant({ 'd/e/file': 'content', 'd/other': '', plain: 'x' });
  const a = await MountedHome.mount(t, { home: b.home, ...options });
  return [a, b];
}

t.test('names that another session makes and removes', async (t) => {
  const [a, b] = await pair(t);
  t.notOk(await a.exists('new'));
  await a.list(ROOT_NODE);
  await b.fs.mkdir(ROOT_NODE, name('new'), 0o755, CALLER);
  t.ok(await a.exists('new'));
  t.ok(a.told.includes('entry 1 new'));
  t.ok(a.told.includes('node 1'));
  await b.fs.rmdir(ROOT_NODE, name('new'), CALLER);
  t.notOk(await a.exists('new'));
  t.notOk((await a.list(ROOT_NODE)).includes('new'));
});

t.test('data and attributes that another session changes', async (t) => {
  const [a, b] = await pair(t);
  t.equal(await a.content('plain'), 'x');
  const { nodeId } = await a.lookup('plain');
  const before = await a.fs.open(nodeId, O_RDONLY, CALLER);
  t.equal(before.keepCache, true);
  const at = await b.lookup('plain');
  const { handle } = await b.fs.open(at.nodeId, 1, CALLER);
  await b.fs.write(at.nodeId, handle, 0, name('longer'), CALLER);
  await b.fs.flush(at.nodeId, handle, CALLER);
  t.ok(a.told.includes(`node ${nodeId}`));
  t.equal((await a.stat(nodeId)).size, 6);
  t.equal((await a.fs.open(nodeId, O_RDONLY, CALLER)).keepCache, false);
  t.equal((await a.read(nodeId, before.handle)).toString(), 'longer');
  await b.fs.setattr(at.nodeId, undefined, { mode: 0o600 }, CALLER);
  t.equal((await a.stat(nodeId)).mode & 0o777, 0o600);
});

t.test('what was read ahead before the change is not used after it', async (t) => {
  const [a, b] = await pair(t);
  b.home.write(b.home.at('plain'), 'a'.repeat(1_000_000));
  const { nodeId } = await a.lookup('plain');
  const { handle } = await a.fs.open(nodeId, O_RDONLY, CALLER);
  for (let at = 0; at < 3; at++) await a.read(nodeId, handle, at * 65_536, 65_536);
  const other = await b.lookup('plain');
  const writing = await b.fs.open(other.nodeId, 1, CALLER);
  await b.fs.write(other.nodeId, writing.handle, 196_608, Buffer.alloc(65_536, 'b'), CALLER);
  await b.fs.flush(other.nodeId, writing.handle, CALLER);
  t.equal((await a.read(nodeId, handle, 196_608, 65_536)).toString(), 'b'.repeat(65_536));
});

t.test('a directory that another session renames keeps its nodes', async (t) => {
  const [a, b] = await pair(t);
  const { nodeId: e } = await a.lookup('d/e');
  const { nodeId: file } = await a.lookup('d/e/file');
  await b.fs.rename(ROOT_NODE, name('d'), ROOT_NODE, name('moved'), 0, CALLER);
  t.equal((await a.stat(file)).size, 7);
  await a.fs.mkdir(e, name('here'), 0o755, CALLER);
  t.ok(b.home.at('moved/e/here'));
  t.equal((await a.lookup('moved/e')).nodeId, e);
  t.notOk(await a.exists('d'));
  t.ok(a.told.includes('entry 1 d') && a.told.includes('entry 1 moved'));
});

t.test('a file that another session renames over another', async (t) => {
  const [a, b] = await pair(t);
  const old = await a.lookup('plain');
  const open = await a.fs.open(old.nodeId, 2, CALLER);
  const moved = await a.lookup('d/e/file');
  const from = await b.lookup('d/e');
  await b.fs.rename(from.nodeId, name('file'), ROOT_NODE, name('plain'), 0, CALLER);
  t.equal((await a.lookup('plain')).nodeId, moved.nodeId);
  t.notOk(await a.exists('d/e/file'));
  t.equal((await a.read(old.nodeId, open.handle)).toString(), 'x', 'the open one lives on');
  t.equal((await a.stat(old.nodeId)).nlink, 0);
});

t.test('an exchange by another session', async (t) => {
  const [a, b] = await pair(t);
  const plain = await a.lookup('plain');
  const d = await a.lookup('d');
  await b.fs.rename(ROOT_NODE, name('plain'), ROOT_NODE, name('d'), 2, CALLER);
  t.equal((await a.lookup('plain')).nodeId, d.nodeId);
  t.equal((await a.lookup('d')).nodeId, plain.nodeId);
});

t.test('a rename from or to where nothing is known', async (t) => {
  const [a, b] = await pair(t);
  await a.list(ROOT_NODE);
  const { nodeId: d } = await b.lookup('d');
  await b.fs.rename(d, name('other'), ROOT_NODE, name('up'), 0, CALLER);
  t.ok(await a.exists('up'));
  await b.fs.rename(ROOT_NODE, name('plain'), d, name('down'), 0, CALLER);
  t.notOk(await a.exists('plain'));
  t.ok(await a.exists('d/down'));
});

t.test('an answer that was under way when a change was told is not believed for long', async (t) => {
  const [a, b] = await pair(t);
  a.session.held = true;
  const asked = a.fs.lookup(ROOT_NODE, name('plain'), CALLER);
  await b.fs.setattr((await b.lookup('plain')).nodeId, undefined, { mode: 0o600 }, CALLER);
  // Told before the answer is received, as when the answer had to wait for a disk.
  a.session.deliverLastFirst();
  await asked;
  t.equal((await a.lookup('plain')).attributes.mode & 0o777, 0o600);
});

t.test('the server lost track', async (t) => {
  const [a, b] = await pair(t);
  await a.list(ROOT_NODE);
  const { nodeId } = await a.lookup('plain');
  b.home.root.children.delete('plain');
  b.home.plant({ 'd/e/file': 'changed' });
  a.session.push([CHANGED_ALL]);
  await until(() => a.told.length > 0);
  t.ok(a.told.includes(`node ${nodeId}`));
  t.ok(a.told.includes('entry 1 plain'));
  t.notOk(await a.exists('plain'));
  t.equal(await a.content('d/e/file'), 'changed');
});

t.test('changes outside of the mounted directory, and of the directory itself', async (t) => {
  const [a, b] = await pair(t, { directory: 'd/e' });
  const { nodeId } = await a.lookup('file');
  await b.fs.mkdir(ROOT_NODE, name('far'), 0o755, CALLER);
  t.same(await a.requestsOf(() => a.lookup('file')), []);
  await b.fs.rename(ROOT_NODE, name('d'), ROOT_NODE, name('elsewhere'), 0, CALLER);
  a.age(10_000);
  t.equal((await a.stat(nodeId)).size, 7);
  const { nodeId: e } = await b.lookup('elsewhere/e');
  await b.fs.unlink(e, name('file'), CALLER);
  t.notOk(await a.exists('file'));
  t.equal(await failureOf(() => a.stat(nodeId)), 'ESTALE');
});

t.test('the mount point answers while the server is out of reach: umount asks it', async (t) => {
  const m = await MountedHome.mount(t);
  m.age(10_000);
  m.session.deaf = true;
  const waiting = m.stat(ROOT_NODE);
  const space = m.fs.statfs(CALLER);
  const other = failureOf(() => m.lookup('file'));
  m.home.refusal = new Failure('ECONNREFUSED');
  m.home.breakConnections();
  t.equal((await waiting).mode & 0o777, 0o755, 'asked for before');
  t.equal((await m.stat(ROOT_NODE)).mode & 0o777, 0o755);
  t.same([(await space).blocks, (await m.fs.statfs(CALLER)).blocks], [0n, 0n]);
  await m.remote.close();
  t.equal(await other, 'ENOTCONN', 'everything else waits');
});

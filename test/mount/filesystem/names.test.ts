import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CALLER, failureOf, MountedHome } from './mounted-home.js';

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const S_IFMT = 0o170000;

const name = (text: string): Buffer => Buffer.from(text);

t.test('a lookup is answered by the server once, then from memory', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/file': 'abc' });
  t.same(await m.requestsOf(() => m.lookup('d/file')), ['getattr', 'getattr']);
  t.same(await m.requestsOf(() => m.lookup('d/file')), []);
  const entry = await m.lookup('d/file');
  t.equal(entry.attributes.size, 3);
  t.equal(entry.attributes.uid, 1000);
  t.ok(entry.validMs > 0 && entry.entryValidMs > 0);
  t.equal(entry.nodeId, (await m.lookup('d/file')).nodeId);
});

t.test('what is fresh is answered in the call itself', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: '' });
  const { nodeId } = await m.lookup('file');
  t.notOk(m.fs.lookup(ROOT_NODE, name('file'), CALLER) instanceof Promise);
  t.notOk(m.fs.getattr(nodeId, undefined, CALLER) instanceof Promise);
});

t.test('a name that does not exist is asked for once', async (t) => {
  const m = await MountedHome.mount(t);
  t.same(await m.requestsOf(() => m.exists('nothing')), ['getattr']);
  t.same(await m.requestsOf(() => m.exists('nothing')), []);
  t.notOk(await m.exists('nothing'));
});

t.test('the second unknown name makes one listing do for all', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '1', b: '2', c: '3' });
  t.same(
    await m.requestsOf(async () => {
      for (const each of ['a', 'b', 'c', 'no', 'nothing']) await m.exists(each);
    }),
    ['getattr', 'readdir'],
  );
});

t.test('after a while a directory is refreshed by one round trip', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/a': '1', 'd/b': '2', 'd/c': '3' });
  const d = (await m.lookup('d')).nodeId;
  await m.list(d, true);
  m.age(10_000);
  m.home.write(m.home.at('d/b'), 'changed');
  t.same(
    await m.requestsOf(async () => {
      for (const each of ['a', 'b', 'c', 'none']) await m.fs.lookup(d, name(each), CALLER);
    }),
    ['readdir'],
  );
  t.equal((await m.lookup('d/b')).attributes.size, 7, 'and a change behind the daemon shows');
});

t.test('changes behind the daemon show after FRESH_MS and not before', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: 'abc' });
  await m.lookup('file');
  m.home.write(m.home.at('file'), 'abcdef');
  m.home.plant({ new: '' });
  m.age(2_000);
  t.equal((await m.lookup('file')).attributes.size, 3);
  m.age(1_000);
  t.equal((await m.lookup('file')).attributes.size, 6);
  m.home.at('').children.delete('file');
  m.age(3_000);
  t.notOk(await m.exists('file'));
});

t.test('the kernel may believe what it is told for as long as it is fresh', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ file: '' });
  const { nodeId, validMs } = await m.lookup('file');
  t.equal(validMs, 3_000);
  m.age(1_000);
  t.equal((await m.fs.getattr(nodeId, undefined, CALLER)).validMs, 2_000);
  m.age(1_900);
  t.equal((await m.fs.getattr(nodeId, undefined, CALLER)).validMs, 500, 'but not for a mere moment');
});

t.test('a directory made here is known to be empty', async (t) => {
  const m = await MountedHome.mount(t);
  const { nodeId: d } = await m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  t.same(await m.requestsOf(() => m.fs.lookup(d, name('x'), CALLER)), []);
  t.same(await m.requestsOf(() => m.create(d, 'x')), ['create', 'getattr']);
  t.same(await m.requestsOf(() => m.list(d)), []);
  t.same(await m.list(d), ['x']);
  t.same(await m.requestsOf(() => m.fs.unlink(d, name('x'), CALLER)), ['unlink', 'getattr']);
  t.same(await m.list(d), []);
});

t.test('the attributes of a directory come along with the change of its names', async (t) => {
  const m = await MountedHome.mount(t);
  const { nodeId: d } = await m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  for (const change of [
    () => m.create(d, 'x'),
    () => m.fs.rename(d, name('x'), d, name('y'), 0, CALLER),
    () => m.fs.unlink(d, name('y'), CALLER),
  ]) {
    // Without waiting in between: the kernel asks as soon as it has the answer to the change.
    const requests = await m.requestsOf(async () => {
      await change();
      await m.fs.getattr(d, undefined, CALLER);
    });
    t.equal(requests.length, 2, requests.join());
    t.equal(requests[1], 'getattr');
  }
});

t.test('they are not asked for where the kernel checks no permissions', async (t) => {
  const m = await MountedHome.mount(t, { kernelChecks: false });
  const { nodeId: d } = await m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  t.same(await m.requestsOf(() => m.create(d, 'x')), ['create']);
  t.same(await m.requestsOf(() => m.fs.unlink(d, name('x'), CALLER)), ['unlink']);
  t.same(await m.requestsOf(async () => m.fs.getattr(d, undefined, CALLER)), ['getattr'], 'but when needed');
});

t.test('own operations keep a known listing known', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '', b: '' });
  await m.list(ROOT_NODE);
  t.same(
    await m.requestsOf(async () => {
      await m.fs.mkdir(ROOT_NODE, name('c'), 0o755, CALLER);
      await m.fs.rename(ROOT_NODE, name('a'), ROOT_NODE, name('z'), 0, CALLER);
      await m.fs.unlink(ROOT_NODE, name('b'), CALLER);
      await m.fs.symlink(ROOT_NODE, name('l'), name('target'), CALLER);
      t.same((await m.list(ROOT_NODE)).sort(), ['c', 'l', 'z']);
      t.notOk(await m.exists('a'));
      t.notOk(await m.exists('b'));
    }),
    ['mkdir', 'rename', 'unlink', 'symlink'].flatMap((change) => [change, 'getattr']),
  );
});

t.test('times and links of a directory follow own changes in it', async (t) => {
  const m = await MountedHome.mount(t);
  const { nodeId: d, attributes } = await m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  await m.fs.mkdir(d, name('sub'), 0o755, CALLER);
  const after = await m.stat(d);
  t.equal(after.nlink, 3);
  t.not(after.mtime.nsec, attributes.mtime.nsec);
});

t.test('failures of the server reach the caller', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/x': '', f: '' });
  t.equal(await failureOf(() => m.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER)), 'EEXIST');
  t.equal(await failureOf(() => m.fs.rmdir(ROOT_NODE, name('d'), CALLER)), 'ENOTEMPTY');
  t.equal(await failureOf(() => m.fs.unlink(ROOT_NODE, name('no'), CALLER)), 'ENOENT');
  t.equal(await failureOf(() => m.fs.lookup(ROOT_NODE, name('x'.repeat(256)), CALLER)), 'ENAMETOOLONG');
  const { nodeId } = await m.lookup('f');
  t.equal(await failureOf(() => m.fs.lookup(nodeId, name('x'), CALLER)), 'ENOTDIR');
  t.equal(await failureOf(() => m.fs.mknod(ROOT_NODE, name('dev'), 0o020600, 5, CALLER)), 'EPERM');
  t.equal(
    await failureOf(() => m.fs.rename(ROOT_NODE, name('f'), ROOT_NODE, name('g'), 4, CALLER)),
    'EINVAL',
  );
});

t.test('a path beyond PATH_MAX is refused here', async (t) => {
  const m = await MountedHome.mount(t);
  let parent = ROOT_NODE;
  for (let depth = 0; depth < 16; depth++) {
    parent = (await m.fs.mkdir(parent, name('n'.repeat(250)), 0o755, CALLER)).nodeId;
  }
  t.equal(await failureOf(() => m.fs.mkdir(parent, name('n'.repeat(250)), 0o755, CALLER)), 'ENAMETOOLONG');
});

t.test('a failure that contradicts what was known makes it be asked for again', async (t) => {
  const m = await MountedHome.mount(t);
  await m.list(ROOT_NODE);
  m.home.plant({ late: 'x' });
  t.notOk(await m.exists('late'));
  t.equal(await failureOf(() => m.fs.mkdir(ROOT_NODE, name('late'), 0o755, CALLER)), 'EEXIST');
  t.ok(await m.exists('late'));
});

t.test('rename with its flags', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: 'A', b: 'B' });
  const a = await m.lookup('a');
  const b = await m.lookup('b');
  const rename = (flags: number) => m.fs.rename(ROOT_NODE, name('a'), ROOT_NODE, name('b'), flags, CALLER);
  t.equal(await failureOf(() => rename(RENAME_NOREPLACE)), 'EEXIST');
  await rename(RENAME_EXCHANGE);
  t.equal((await m.lookup('a')).nodeId, b.nodeId);
  t.equal((await m.lookup('b')).nodeId, a.nodeId);
  await rename(0);
  t.equal((await m.lookup('b')).nodeId, b.nodeId);
  t.notOk(await m.exists('a'));
  t.equal(await m.content('b'), 'B');
});

t.test('what is below a renamed directory is reached by its new path', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/e/file': 'abc', 'other/': '' });
  const { nodeId: file } = await m.lookup('d/e/file');
  const { nodeId: e } = await m.lookup('d/e');
  const { nodeId: other } = await m.lookup('other');
  await m.fs.rename(ROOT_NODE, name('d'), other, name('moved'), 0, CALLER);
  m.age(10_000);
  t.equal((await m.stat(file)).size, 3);
  await m.fs.mkdir(e, name('new'), 0o755, CALLER);
  t.ok(m.home.at('other/moved/e/new'));
});

t.test('a request that a rename overtook is made again with the new path', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/file': 'abc' });
  const { nodeId: d } = await m.lookup('d');
  const { nodeId: file } = await m.lookup('d/file');
  m.age(10_000);
  const renamed = m.fs.rename(ROOT_NODE, name('d'), ROOT_NODE, name('e'), 0, CALLER);
  const attributes = m.fs.getattr(file, undefined, CALLER);
  const made = m.fs.mkdir(d, name('sub'), 0o755, CALLER);
  await renamed;
  t.equal((await attributes).attributes.size, 3);
  await made;
  t.ok(m.home.at('e/sub'));
});

t.test('hard links are one node with several names', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: 'abc' });
  const { nodeId } = await m.lookup('a');
  const linked = await m.fs.link(nodeId, ROOT_NODE, name('b'), CALLER);
  t.equal(linked.nodeId, nodeId);
  t.equal(linked.attributes.nlink, 2);
  t.equal((await m.stat(nodeId)).nlink, 2);
  await m.fs.unlink(ROOT_NODE, name('a'), CALLER);
  t.equal((await m.stat(nodeId)).nlink, 1);
  t.equal((await m.lookup('b')).nodeId, nodeId);
  t.equal(await m.content('b'), 'abc');
  await m.fs.link(nodeId, ROOT_NODE, name('c'), CALLER);
  await m.fs.rename(ROOT_NODE, name('b'), ROOT_NODE, name('c'), 0, CALLER);
  t.equal((await m.lookup('c')).nodeId, nodeId);
});

t.test('symlinks', async (t) => {
  const m = await MountedHome.mount(t);
  const { nodeId, attributes } = await m.fs.symlink(ROOT_NODE, name('l'), name('to/there'), CALLER);
  t.equal(attributes.mode & S_IFMT, 0o120000);
  t.same(await m.requestsOf(() => m.fs.readlink(nodeId, CALLER)), []);
  t.equal((await m.fs.readlink(nodeId, CALLER)).toString(), 'to/there');
  const other = await MountedHome.mount(t, { home: m.home });
  const seen = await other.lookup('l');
  t.equal((await other.fs.readlink(seen.nodeId, CALLER)).toString(), 'to/there');
  t.same(await other.requestsOf(() => other.fs.readlink(seen.nodeId, CALLER)), []);
  t.equal(
    await failureOf(() => m.fs.symlink(ROOT_NODE, name('m'), Buffer.alloc(5000, 'x'), CALLER)),
    'ENAMETOOLONG',
  );
});

t.test('an inode number that is used again is another node', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '1' });
  const before = await m.lookup('a');
  const inode = m.home.at('a');
  m.home.root.children.delete('a');
  const again = m.home.make(m.home.root, 'a', 0o100644);
  Object.assign(again, { ino: inode.ino });
  m.age(10_000);
  const after = await m.lookup('a');
  t.equal(after.attributes.ino, before.attributes.ino);
  t.not(after.nodeId, before.nodeId);
  t.equal(await failureOf(() => m.stat(before.nodeId)), 'ESTALE');
});

t.test('names are bytes', async (t) => {
  const m = await MountedHome.mount(t);
  const odd = Buffer.from([0xff, 0x0a, 0x20, 0xfe]);
  const { nodeId } = await m.fs.mkdir(ROOT_NODE, odd, 0o755, CALLER);
  m.age(10_000);
  const found = await m.fs.lookup(ROOT_NODE, odd, CALLER);
  t.equal(found.nodeId, nodeId);
  const names: Buffer[] = [];
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  await m.fs.readdir(ROOT_NODE, handle, 0n, false, (entry) => (names.push(entry.name), true), CALLER);
  t.ok(names.some((each) => each.equals(odd)));
});

t.test('forgotten nodes are gone, remembered ones stay', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '' });
  const { nodeId } = await m.lookup('a');
  await m.lookup('a');
  m.fs.forget(nodeId, 1n);
  t.equal((await m.stat(nodeId)).size, 0);
  m.fs.forget(nodeId, 1n);
  t.equal(await failureOf(() => m.stat(nodeId)), 'ESTALE');
  t.not((await m.lookup('a')).nodeId, nodeId, 'a number is never given twice');
});

t.test('a directory of the home can be mounted', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'projects/one/file': 'x', outside: '' });
  const sub = await MountedHome.mount(t, { home: m.home, directory: 'projects/one' });
  t.same(await sub.list(ROOT_NODE), ['file']);
  await sub.fs.mkdir(ROOT_NODE, name('d'), 0o755, CALLER);
  t.ok(m.home.at('projects/one/d'));
  t.equal(await failureOf(() => MountedHome.mount(t, { home: m.home, directory: 'none' })), 'ENOENT');
  t.equal(await failureOf(() => MountedHome.mount(t, { home: m.home, directory: 'outside' })), 'ENOTDIR');
});

import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { CALLER, failureOf, MountedHome } from './mounted-home.js';
import { MemoryHome } from './memory-home.js';

function numbered(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${String(i).padStart(5, '0')}`, '']));
}

t.test('a listing is one round trip, and the next one none', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant(numbered(40));
  t.same(await m.requestsOf(() => m.list(ROOT_NODE)), ['readdir']);
  t.same(await m.requestsOf(() => m.list(ROOT_NODE, true)), []);
  t.same(await m.list(ROOT_NODE), Object.keys(numbered(40)));
});

t.test('with attributes it answers the lookups of what it lists', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '123', 'd/': '' });
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  const found = await m.listFrom(ROOT_NODE, handle, 0n, true);
  t.same(
    found.map(({ name }) => name),
    ['.', '..', 'a', 'd'],
  );
  t.equal(found[0]?.entry, undefined);
  const a = found[2]?.entry;
  t.equal(a?.attributes.size, 3);
  t.ok(a !== undefined && a.entryValidMs > 0);
  t.equal((await m.lookup('a')).nodeId, a?.nodeId);
  t.same(await m.requestsOf(() => m.lookup('d')), []);
});

t.test('an entry that does not fit is not counted as looked up', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ a: '' });
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  let refused: number | undefined;
  await m.fs.readdir(
    ROOT_NODE,
    handle,
    2n,
    true,
    (_entry, resolved) => ((refused = resolved?.nodeId), false),
    CALLER,
  );
  t.type(refused, 'number');
  t.equal(await failureOf(() => m.fs.getattr(refused as never, undefined, CALLER)), 'ESTALE');
});

t.test('a directory of many pages is listed whole, in order, without doubles', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant(numbered(2_500));
  t.same(await m.list(ROOT_NODE), Object.keys(numbered(2_500)));
  t.equal(m.session.openHandles, 0, 'no cursor is left open');
  m.age(10_000);
  t.same(await m.requestsOf(() => m.lookup('f00001')), ['getattr'], 'too large to be listed for a lookup');
});

t.test('a directory that proves too large for it is not listed for lookups', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant(numbered(2_500));
  t.same(
    await m.requestsOf(async () => {
      await m.lookup('f00001');
      await m.lookup('f02400');
      await m.lookup('f02401');
    }),
    ['getattr', 'readdir', 'close', 'getattr', 'getattr'],
  );
  t.equal(m.session.openHandles, 0);
});

t.test('an open directory keeps its entries while others come and go', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant(numbered(30));
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  const first = await m.listFrom(ROOT_NODE, handle, 0n, false, 12);
  await m.fs.unlink(ROOT_NODE, Buffer.from('f00000'), CALLER);
  await m.fs.unlink(ROOT_NODE, Buffer.from('f00020'), CALLER);
  await m.create(ROOT_NODE, 'new');
  const rest = await m.listFrom(ROOT_NODE, handle, first.at(-1)?.offset ?? 0n);
  const names = [...first, ...rest].map(({ name }) => name).slice(2);
  t.same(
    names,
    Object.keys(numbered(30)).filter((name) => name !== 'f00020'),
    'each once; what was removed before its turn may be missing',
  );
  const again = (await m.listFrom(ROOT_NODE, handle, 0n)).map(({ name }) => name);
  t.ok(again.includes('new'), 'rewinddir reads anew');
  t.notOk(again.includes('f00000'));
});

t.test('the end is not mistaken where all that is left of a page was removed', async (t) => {
  const home = new MemoryHome();
  home.pageSize = 4;
  const m = await MountedHome.mount(t, { home });
  m.home.plant(numbered(12));
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  const first = await m.listFrom(ROOT_NODE, handle, 0n, false, 3);
  for (const name of ['f00001', 'f00002', 'f00003']) await m.fs.unlink(ROOT_NODE, Buffer.from(name), CALLER);
  const rest = await m.listFrom(ROOT_NODE, handle, first.at(-1)?.offset ?? 0n);
  t.same(
    rest.map(({ name }) => name),
    Object.keys(numbered(12)).slice(4),
  );
});

t.test('names made and removed while a listing is under way', async (t) => {
  const home = new MemoryHome();
  home.pageSize = 4;
  const m = await MountedHome.mount(t, { home });
  m.home.plant(numbered(12));
  const { nodeId } = await m.lookup('f00011');
  t.ok(nodeId);
  const listing = m.list(ROOT_NODE);
  // Sent after the first page was asked for, answered before the last one came.
  const made = m.create(ROOT_NODE, 'made');
  const removed = m.fs.unlink(ROOT_NODE, Buffer.from('f00011'), CALLER);
  await Promise.all([listing, made, removed]);
  t.ok(await m.exists('made'));
  t.notOk(await m.exists('f00011'));
  t.same(await m.requestsOf(() => m.list(ROOT_NODE)), [], 'the listing is known');
  t.same((await m.list(ROOT_NODE)).length, 12);
});

t.test('the kernel may keep its own listing until a name changes', async (t) => {
  const m = await MountedHome.mount(t);
  const other = await MountedHome.mount(t, { home: m.home });
  m.home.plant({ a: '', b: '' });
  const keeps = async (): Promise<boolean> => {
    const opened = await m.fs.opendir(ROOT_NODE, CALLER);
    await m.fs.releasedir(ROOT_NODE, opened.handle);
    t.equal(opened.cacheDirectory, true);
    return opened.keepCache;
  };
  t.equal(await keeps(), false);
  await m.list(ROOT_NODE);
  t.equal(await keeps(), true);
  m.age(10_000);
  t.same(await m.requestsOf(async () => t.equal(await keeps(), true)), ['readdir'], 'asked, and unchanged');
  m.age(10_000);
  m.home.plant({ c: '' });
  t.equal(await keeps(), false, 'changed behind the daemon');
  await m.list(ROOT_NODE);
  t.equal(await keeps(), true);
  await other.fs.mkdir(ROOT_NODE, Buffer.from('d'), 0o755, CALLER);
  t.equal(await keeps(), false, 'changed by another session');
});

t.test('a server whose directories go in circles', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/e/f/': '' });
  const { nodeId: f } = await m.lookup('d/e/f');
  const { nodeId: d } = await m.lookup('d');
  m.home.at('d/e/f').children.set('root', m.home.root);
  t.equal(await failureOf(() => m.list(f)), 'EIO', 'the mounted directory in one of its own');
  m.home.at('d/e/f').children.delete('root');
  m.home.at('d/e/f').children.set('d', m.home.at('d'));
  t.same(await m.list(f), ['d'], 'a circle is cut');
  t.equal(await failureOf(() => m.fs.mkdir(f, Buffer.from('new'), 0o755, CALLER)), 'ESTALE');
  t.equal(await failureOf(() => m.fs.mkdir(d, Buffer.from('new'), 0o755, CALLER)), 'ESTALE');
  t.ok(await m.exists('d/e'), 'and found again from the top');
});

t.test('a directory that is gone', async (t) => {
  const m = await MountedHome.mount(t);
  m.home.plant({ 'd/x': '' });
  const { nodeId } = await m.lookup('d');
  m.home.root.children.delete('d');
  t.equal(await failureOf(() => m.list(nodeId)), 'ENOENT');
  t.equal(await failureOf(() => m.fs.readdir(nodeId, 99 as never, 0n, false, () => true, CALLER)), 'EBADF');
});

t.test('fsyncdir reaches the server', async (t) => {
  const m = await MountedHome.mount(t);
  const { handle } = await m.fs.opendir(ROOT_NODE, CALLER);
  t.ok((await m.requestsOf(() => m.fs.fsyncdir(ROOT_NODE, handle, CALLER))).includes('fsyncdir'));
});

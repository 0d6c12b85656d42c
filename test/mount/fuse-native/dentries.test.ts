/** Paths become nodes, and each lookup is given back exactly once. */
import t from 'tap';
import { Dentries } from '../../../mount/fuse-native/dentries.js';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { CountingFilesystem } from './counting-filesystem.js';

const CALLER = { uid: 0, gid: 0, pid: 0 };

/** A file system with the files /a/b/c and /a/d. */
async function tree({ validMs, capacity }: { validMs: number; capacity?: number }) {
  const filesystem = new CountingFilesystem({ validMs });
  const { nodeId: a } = await filesystem.mkdir(ROOT_NODE, Buffer.from('a'), 0o755, CALLER);
  const { nodeId: b } = await filesystem.mkdir(a, Buffer.from('b'), 0o755, CALLER);
  const { nodeId: c } = await filesystem.mknod(b, Buffer.from('c'), 0o100644, 0, CALLER);
  const { nodeId: d } = await filesystem.mknod(a, Buffer.from('d'), 0o100644, 0, CALLER);
  return { filesystem, dentries: new Dentries(filesystem, CALLER, capacity), a, b, c, d };
}

const node = (found: NodeId) => found;
const once = (...nodes: NodeId[]) => new Map(nodes.map((id) => [id, 1n]));

t.test('names are looked up once while they are valid', async (t) => {
  const { filesystem, dentries, a, b, c, d } = await tree({ validMs: 3_600_000 });
  t.equal(await dentries.use('/', node), ROOT_NODE);
  t.equal(await dentries.use('/a/b/c', node), c);
  t.equal(await dentries.use('/a/d', node), d);
  t.equal(await dentries.use('/a/b/c', node), c);
  t.equal(filesystem.lookups, 4);
  t.strictSame(filesystem.held, once(a, b, c, d));
});

t.test('names that are not valid any more are looked up again, and counted once', async (t) => {
  const { filesystem, dentries, a, b, c } = await tree({ validMs: 0 });
  await Promise.all([dentries.use('/a/b/c', node), dentries.use('/a/b/c', node)]);
  t.equal(filesystem.lookups, 6);
  t.strictSame(filesystem.held, once(a, b, c));
});

t.test('a name that changed leads to its new node, and the old one is given back', async (t) => {
  const { filesystem, dentries, a, b, c, d } = await tree({ validMs: 3_600_000 });
  await dentries.use('/a/b/c', node);
  filesystem.rename(ROOT_NODE, Buffer.from('a'), ROOT_NODE, Buffer.from('moved'), 0);
  dentries.invalidate(ROOT_NODE, Buffer.from('a'));
  t.strictSame(filesystem.held, new Map(), 'with all that was below it');
  await t.rejects(dentries.use('/a/b/c', node), { name: 'Failure', kind: 'ENOENT' });
  t.equal(await dentries.use('/moved/b/c', node), c);
  filesystem.rename(a, Buffer.from('d'), b, Buffer.from('c'), 0);
  dentries.invalidate(b, Buffer.from('c'));
  t.equal(await dentries.use('/moved/b/c', node), d);
  t.strictSame(filesystem.held, once(a, b, d));
});

t.test('a node that is used is given back when it is released, not before', async (t) => {
  const { filesystem, dentries, a, b, c } = await tree({ validMs: 3_600_000 });
  const held = await dentries.hold('/a/b/c');
  dentries.invalidate(ROOT_NODE, Buffer.from('a'));
  t.strictSame(filesystem.held, once(c));
  await dentries.use('/a/b/c', node);
  t.strictSame(
    filesystem.held,
    new Map([[c, 2n], ...once(a, b)]),
    'it is in the tree again, by another lookup',
  );
  dentries.release(held);
  t.strictSame(filesystem.held, once(a, b, c));
});

t.test('the tree is bounded: what was not used for long goes first', async (t) => {
  const { filesystem, dentries, a, c, b, d } = await tree({ validMs: 3_600_000, capacity: 3 });
  await dentries.use('/a/b/c', node);
  await dentries.use('/a/d', node);
  t.strictSame(filesystem.held, once(a, b, d), 'the file that was used first, not its directories');
  await dentries.use('/a/b/c', node);
  t.strictSame(filesystem.held, once(a, b, c));
});

t.test('a node that is stale is not found again', async (t) => {
  const { filesystem, dentries, a, b } = await tree({ validMs: 3_600_000 });
  const stale = () => {
    throw new Failure('ESTALE');
  };
  await t.rejects(dentries.use('/a/b/c', stale), { name: 'Failure', kind: 'ESTALE' });
  t.strictSame(filesystem.held, once(a, b));
});

t.test('the directory and the last name of a path', async (t) => {
  const { dentries, a } = await tree({ validMs: 3_600_000 });
  const found = await dentries.useParent('/a/ü', (parent, name) => [parent.node, name.toString()]);
  t.strictSame(found, [a, 'ü']);
  await t.rejects(
    dentries.useParent('/', () => 0),
    { name: 'Failure', kind: 'EBUSY' },
  );
});

t.test('names that are not UTF-8 are refused', async (t) => {
  const { dentries } = await tree({ validMs: 3_600_000 });
  const path = Buffer.from([0x2f, 0x61, 0xff]).toString();
  await t.rejects(dentries.use(path, node), { name: 'Failure', kind: 'EINVAL' });
  await t.rejects(
    dentries.useParent(path, () => 0),
    { name: 'Failure', kind: 'EINVAL' },
  );
});

import t from 'tap';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import type { Inode, Name } from '../../../mount/tree/inode.js';
import { attributesOf, makeFile, NOW, plant } from '../tree/planted.js';

t.test('the kernel is asked to forget no more while it is still at what it was asked before', async (t) => {
  const { tree, root } = plant();
  const quiet = (): void => undefined;
  const pruned: number[] = [];
  let settle = quiet;
  const kernel = new KernelView({
    tree,
    caches: {
      ...{ invalidateNode: quiet, invalidateEntry: quiet, mapsDirect: true },
      prune: (nodes) => pruned.push(...nodes),
      settled: () => new Promise((resolve) => (settle = resolve)),
      acted: 0,
    },
    ownership: { uid: 0, gid: 0 },
  });
  const [one, two, unknown] = [10, 11, 12].map((ino) => tree.found(root, `f${ino}`, attributesOf(ino)).inode);
  if (one === undefined || two === undefined || unknown === undefined) throw new Error('nothing was found');
  const numbers = [one, two].map((inode) => tree.remember(inode));
  kernel.forget([one, unknown]);
  kernel.forget([two]);
  t.same(pruned, [numbers[0]]);
  settle();
  await new Promise(setImmediate);
  kernel.forget([two]);
  t.same(pruned, numbers);
});

/** A view of a tree that is known whole, and what the kernel was told to drop, as it is told. */
function watched() {
  const { tree, root } = plant({ whole: true });
  const names: string[] = [];
  const nodes: number[] = [];
  const quiet = (): void => undefined;
  let onExpired = quiet;
  const kernel = new KernelView({
    tree,
    caches: {
      ...{ prune: quiet, mapsDirect: true, acted: 0, settled: () => Promise.resolve() },
      invalidateNode: (node) => nodes.push(node),
      invalidateEntry: (_, name) => {
        names.push(name.toString());
        onExpired();
      },
    },
    ownership: { uid: 0, gid: 0 },
  });
  tree.remember(root);
  const nameOf = (inode: Inode): Name => {
    const [name] = inode.names;
    if (name === undefined) throw new Error('it has no name');
    return name;
  };
  return {
    ...{ tree, root, kernel, nodes, nameOf },
    make: (key: string): Name => nameOf(makeFile(tree, root, key)),
    /** What names were expired since this was asked for the last time. */
    expired: () => names.splice(0),
    whenExpired: () => new Promise<void>((resolve) => (onExpired = resolve)),
  };
}

t.test(
  'a name that was looked up just before is taken back again, when the kernel has taken that in',
  async (t) => {
    const { kernel, make, expired, whenExpired } = watched();
    const [told, other] = [make('told'), make('other')];
    kernel.lookedUp(told);
    kernel.entry(other);
    kernel.takeBack({ names: [told, other], inodes: [] });
    t.same(expired(), ['told', 'other']);
    // It keeps no process alive.
    const alive = setInterval(() => undefined, 1_000);
    t.teardown(() => clearInterval(alive));
    for (const moment of ['soon', 'at last']) {
      await whenExpired();
      t.same(expired(), ['told'], moment);
    }
    kernel.takeBack({ names: [told, other], inodes: [] });
    t.same(expired(), [], 'the kernel believes neither by now');
  },
);

t.test('where names were just taken back, none that is looked up is believed', (t) => {
  const { kernel, make } = watched();
  const [one, other] = [make('one'), make('other')];
  t.equal(kernel.lookedUp(other).entryValidMs, Infinity);
  kernel.takeBack({ names: [one], inodes: [] });
  t.equal(kernel.lookedUp(one).entryValidMs, 0);
  t.equal(kernel.lookedUp(other).entryValidMs, 0);
  t.equal(kernel.entry(other).entryValidMs, Infinity, 'a listing is taken in with the directory locked');
  t.end();
});

t.test('what was taken back is not again, unless the kernel was told of it', (t) => {
  const { kernel, make, expired, nodes } = watched();
  const [one, other] = [make('one'), make('other')];
  const numbers = [one, other].map((name) => kernel.entry(name).nodeId);
  const all = { names: [one, other], inodes: [one.inode, other.inode] };
  kernel.takeBack(all);
  t.same(expired(), ['one', 'other']);
  t.same(nodes.splice(0), numbers);
  kernel.takeBack(all);
  t.same(expired(), []);
  t.same(nodes.splice(0), []);
  kernel.entry(other);
  kernel.takeBack(all);
  t.same(expired(), ['other']);
  t.same(nodes.splice(0), [numbers[1]]);
  t.end();
});

t.test('a name that was moved here is believed by the kernel, whatever was taken back before', (t) => {
  const { tree, root, kernel, make, nameOf, expired } = watched();
  const name = make('old');
  kernel.entry(name);
  kernel.takeBack({ names: [name], inodes: [] });
  kernel.entry(name);
  tree.rename(root, 'old', root, 'new', 0, NOW);
  expired();
  kernel.takeBack({ names: [nameOf(name.inode)], inodes: [] });
  t.same(expired(), ['new']);
  t.end();
});

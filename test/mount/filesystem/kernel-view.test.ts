import t from 'tap';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import { attributesOf, plant } from '../tree/planted.js';

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

import t from 'tap';
import { KernelView } from '../../../mount/filesystem/kernel-view.js';
import { attributesOf, makeFile, plant } from '../tree/planted.js';

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

t.test(
  'a name that the kernel was told just before is taken back again, when it has taken that in',
  async (t) => {
    const { tree, root } = plant({ whole: true });
    const expired: string[] = [];
    let again: () => void = () => undefined;
    const expiredAgain = new Promise<void>((resolve) => (again = resolve));
    const quiet = (): void => undefined;
    const kernel = new KernelView({
      tree,
      caches: {
        ...{ invalidateNode: quiet, prune: quiet, mapsDirect: true, settled: () => Promise.resolve() },
        invalidateEntry: (_, name) => {
          expired.push(name.toString());
          if (expired.length > 2) again();
        },
      },
      ownership: { uid: 0, gid: 0 },
    });
    tree.remember(root);
    const [told, other] = ['told', 'other'].map((key) => [...makeFile(tree, root, key).names][0]);
    if (told === undefined || other === undefined) throw new Error('they have no names');
    kernel.entry(told);
    kernel.takeBack({ names: [told, other], inodes: [] });
    t.same(expired, ['told', 'other']);
    // It keeps no process alive.
    const alive = setInterval(quiet, 1_000);
    t.teardown(() => clearInterval(alive));
    await expiredAgain;
    t.same(expired, ['told', 'other', 'told']);
  },
);

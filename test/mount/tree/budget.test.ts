import t from 'tap';
import { Budget } from '../../../mount/tree/budget.js';
import type { DirectoryInode, Inode } from '../../../mount/tree/inode.js';
import {
  asDirectory,
  attributesOf,
  DIRECTORY,
  makeDirectory,
  makeFile,
  pageOf,
  plant,
  type Planted,
} from './planted.js';

/** Lists `count` files in a new directory of the root. */
function fill({ tree, root }: Planted, key: string, ino: number, count: number): DirectoryInode {
  const { inode } = tree.found(root, key, attributesOf(ino, DIRECTORY));
  if (!inode.isDirectory()) throw new Error('not a directory');
  const files = Array.from({ length: count }, (_, i) => [`f${i}`, ino + 1 + i] as const);
  tree.pageOf(inode, pageOf(Object.fromEntries(files)), true, true);
  return inode;
}

t.test('the directories listed longest ago lose their names', async (t) => {
  const planted = plant({ whole: true, maxNames: 100 });
  const { tree } = planted;
  const first = fill(planted, 'first', 1000, 30);
  const second = fill(planted, 'second', 2000, 30);
  t.equal(tree.listing(first)?.length, 30, 'the first is listed again');
  fill(planted, 'third', 3000, 45);
  t.ok(tree.kept <= 100, `${tree.kept} kept`);
  t.equal(tree.listing(second), undefined);
  t.equal(second.directory.names.size, 0);
  t.equal(tree.listing(first)?.length, 30);
});

t.test('what the kernel, an open file or the log needs stays, also beyond the limit', async (t) => {
  const planted = plant({ whole: true, maxNames: 50 });
  const { tree } = planted;
  const first = fill(planted, 'first', 1000, 30);
  const [known, open, ...others] = tree.listing(first) ?? [];
  if (known === undefined || open === undefined) throw new Error('nothing was listed');
  tree.remember(known.inode);
  open.inode.opens++;
  fill(planted, 'second', 2000, 40);
  t.same([...first.directory.names.values()], [known, open]);
  t.equal(tree.lookup(first, known.key), known, 'and is still believed');
  t.equal(tree.lookup(first, 'f20'), undefined, 'the others are asked for');
  t.equal(others.length, 28);

  const pinned = plant({ whole: true, maxNames: 10 });
  const directory = fill(pinned, 'all', 1000, 5);
  for (const { inode } of pinned.tree.listing(directory) ?? []) pinned.tree.remember(inode);
  for (let i = 0; i < 100; i++) pinned.tree.remember(makeFile(pinned.tree, directory, `more-${i}`));
  t.equal(pinned.tree.listing(directory)?.length, 105, 'all is needed: nothing is lost');
});

t.test('what the kernel held beyond the limit goes when it forgets', async (t) => {
  const { tree, root } = plant({ whole: true, maxNames: 10 });
  const directory = makeDirectory(tree, root, 'd');
  const numbers = Array.from({ length: 200 }, (_, i) => tree.remember(makeFile(tree, directory, `f${i}`)));
  t.equal(tree.kept, 201);
  for (const number of numbers) tree.forget(number, 1n);
  makeFile(tree, directory, 'next');
  t.ok(tree.kept <= 10, `${tree.kept} kept`);
});

t.test('a directory that is larger than the limit is told whole, and not kept whole', async (t) => {
  const { tree, root } = plant({ maxNames: 50 });
  const told: string[] = [];
  for (let page = 0; page < 10; page++) {
    const files = Array.from({ length: 20 }, (_, i) => [`${page}-${i}`, 1000 + page * 20 + i] as const);
    told.push(
      ...tree.pageOf(root, pageOf(Object.fromEntries(files)), page === 0, page === 9).map(({ key }) => key),
    );
  }
  t.equal(new Set(told).size, 200);
  t.ok(tree.kept <= 50);
  t.equal(tree.listing(root), undefined);
  t.equal(tree.lookup(root, '0-0'), undefined, 'not taken for absent');
});

t.test('names of directories that lead to something kept are kept', async (t) => {
  const { tree, root } = plant({ whole: true, maxNames: 10 });
  const below = makeDirectory(tree, makeDirectory(tree, root, 'a'), 'b');
  const deep = makeFile(tree, below, 'deep');
  tree.remember(deep);
  for (let i = 0; i < 30; i++) makeFile(tree, root, `more-${i}`);
  t.equal(tree.pathOf(deep)?.toString(), 'a/b/deep');
});

t.test('a program that makes and removes a hundred thousand names leaves nothing', async (t) => {
  const { tree, root } = plant({ whole: true });
  const time = { sec: 1, nsec: 1 };
  for (let i = 0; i < 100_000; i++) {
    tree.create(root, `temporary-${i}`, { id: { ino: BigInt(i + 10), birth: 1n }, mode: 0o100600, time });
    tree.unlink(root, `temporary-${i}`, time);
  }
  t.equal(tree.kept, 0);
  t.equal(tree.byIndex(10n), undefined);

  const partly = plant({ maxNames: 2000 });
  for (let i = 0; i < 5000; i++) partly.tree.notFound(partly.root, `absent-${i}`);
  t.equal(partly.tree.kept, 1024, 'nor do names that were asked for in vain, for long');
});

t.test(
  'what was passed by in a listing goes where much is kept, and leaves no gap that is believed',
  async (t) => {
    const { tree, root } = plant({ maxNames: 100 });
    const page = (from: number) =>
      pageOf(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${from + i}`, 1000 + from + i])));
    const first = tree.pageOf(root, page(0), true, false);
    const listing = root.directory.listing ?? null;
    tree.passed(first);
    t.equal(tree.kept, 40, 'there is room');
    const second = tree.pageOf(root, page(40), false, false, listing);
    const [needed] = second;
    if (needed !== undefined) tree.remember(needed.inode);
    tree.passed(second);
    t.equal(tree.kept, 41);
    tree.pageOf(root, page(80), false, true, listing);
    t.equal(tree.listing(root), undefined);
    t.equal(tree.lookup(root, 'f41'), undefined, 'not taken for absent');
    t.equal(tree.lookup(root, 'f40'), needed);
  },
);

t.test('what only the kernel needs is asked back from it, and so the limit is kept', async (t) => {
  const asked: Inode[][] = [];
  const { tree, root } = plant({ maxNames: 160, forget: (inodes) => asked.push(inodes) });
  const open = tree.found(root, 'open', attributesOf(10)).inode;
  open.opens++;
  tree.remember(open);
  const used = asDirectory(tree.found(root, 'used', attributesOf(11, DIRECTORY)).inode);
  tree.remember(used);
  tree.found(used, 'below', attributesOf(12)).inode.opens++;
  const unused = tree.found(root, 'unused', attributesOf(13, DIRECTORY)).inode;
  tree.remember(unused);
  let most = 0;
  for (let i = 0; i < 1000; i++) {
    tree.remember(tree.found(root, `f${i}`, attributesOf(100 + i)).inode);
    most = Math.max(most, tree.kept);
    // The kernel forgets what nobody uses, a while later.
    if (i % 3 === 0) for (const { nodeId } of asked.shift() ?? []) if (nodeId !== 0) tree.forget(nodeId, 1n);
  }
  t.ok(most <= 160 + 2 * (160 / 16), `${most} kept`);
  t.equal(tree.byIndex(13n), undefined, 'a directory of which nothing is kept, too');
  t.equal(tree.byIndex(10n), open);
  t.equal(tree.byIndex(11n), used);
  t.notOk(asked.flat().includes(open));
});

t.test('where little can be spared, searches cost each name a constant', async (t) => {
  const { tree, root } = plant({ whole: true });
  const directories = Array.from({ length: 100 }, (_, i) => makeDirectory(tree, root, `d${i}`));
  for (const directory of directories) makeFile(tree, directory, 'needed');
  let looked = 0;
  const budget = new Budget({
    limit: 1000,
    evict: (directory) => {
      looked += 1;
      if (looked % 50 === 0) budget.add(directory, -1);
    },
    askBack: () => undefined,
  });
  for (const directory of directories) budget.add(directory, 10);
  for (let added = 0; added < 10_000; added++) {
    const [growing] = directories;
    if (growing === undefined) throw new Error('there are none');
    budget.makeRoom(growing);
    budget.add(growing, 1);
  }
  t.ok(looked < 3 * 10_000, `looked at ${looked} directories for 10,000 names`);
});

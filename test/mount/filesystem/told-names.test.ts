import v8 from 'node:v8';
import vm from 'node:vm';
import t from 'tap';
import { S_IFDIR, S_IFREG } from '../../../posix/flags.js';
import { ToldNames } from '../../../mount/filesystem/told-names.js';
import { attributesOf, DIRECTORY, plant } from '../tree/planted.js';

const PAGE = 1024;

/** A page of a listing: files, and a directory as the last one. */
function page(number: number) {
  return Array.from({ length: PAGE }, (_, at) => ({
    key: `name-\xff-${number * PAGE + at}`,
    attributes: attributesOf(1_000_000 + number * PAGE + at, at === PAGE - 1 ? DIRECTORY : undefined),
    target: null,
  }));
}

t.test('names are told in their order, from any place', async (t) => {
  const { tree, root } = plant();
  const told = new ToldNames();
  t.equal(told.at(0), undefined);
  for (const number of [0, 1, 2]) told.add(tree.pageOf(root, page(number), number === 0, number === 2));
  told.add([]);
  t.equal(told.length, 3 * PAGE);
  for (const at of [0, 1, PAGE - 1, PAGE, 3 * PAGE - 1, 5, 2 * PAGE]) {
    const type = (at + 1) % PAGE === 0 ? S_IFDIR : S_IFREG;
    const { position, ...name } = told.at(at) ?? { position: -1 };
    t.same(name, { key: `name-\xff-${at}`, ino: BigInt(1_000_000 + at), type }, `${at}`);
    t.equal(told.behind(position), at + 1);
  }
  t.equal(told.at(3 * PAGE), undefined);
});

t.test('a position is good in a later listing, which is told in another order', async (t) => {
  const { tree, root } = plant();
  const list = (entries: ReturnType<typeof page>): ToldNames => {
    const told = new ToldNames();
    told.add(tree.pageOf(root, entries.slice(0, 500), true, false));
    told.add(tree.pageOf(root, entries.slice(500), false, true));
    told.end();
    return told;
  };
  const names = page(0);
  const before = list(names);
  const others = page(1).slice(0, 20);
  const after = list([...others, ...names.slice(100).toReversed()]);
  t.equal(after.length, PAGE - 100 + 20);
  const { key, position } = before.at(299) ?? { position: -1 };
  t.equal(after.at(after.behind(position))?.key, before.at(300)?.key, `behind ${key}`);
  t.equal(after.behind(before.at(50)?.position ?? -1), 0, 'where what was told has gone');
  t.equal(after.at(after.length - 1)?.key, others.at(-1)?.key, 'what is new comes last');
});

t.test('many of them take little memory', async (t) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const { tree, root } = plant({ maxNames: 2 * PAGE });
  const told = new ToldNames();
  const pages = 200;
  told.add(tree.pageOf(root, page(0), true, false));
  const before = used();
  for (let number = 1; number < pages; number++) {
    told.add(tree.pageOf(root, page(number), false, number === pages - 1));
  }
  const each = (used() - before) / (pages * PAGE);
  t.ok(each < 80, `${each} bytes each`);
  t.equal(told.length, pages * PAGE);
});

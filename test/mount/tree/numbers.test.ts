import t from 'tap';
import { nodeId, ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import type { Inode } from '../../../mount/tree/inode.js';
import { MAX_FORGOTTEN, Numbers } from '../../../mount/tree/numbers.js';
import { attributesOf, makeFile, NOW, outcomeOf, plant } from './planted.js';

t.test('an inode has a number while the kernel knows it', async (t) => {
  const { tree, root } = plant({ whole: true });
  const numbers = new Numbers(root);
  const file = makeFile(tree, root, 'file');
  const id = numbers.remember(file);
  t.equal(numbers.remember(file), id);
  t.equal(numbers.get(id), file);
  t.equal(numbers.forget(id, 1n), undefined);
  t.equal(numbers.get(id), file);
  t.equal(numbers.forget(id, 1n), file, 'told when it is the last');
  t.equal(
    outcomeOf(() => numbers.get(id)),
    'ESTALE',
  );
  t.equal(numbers.remember(file), id, 'it has the same one again');
});

t.test('a number that the kernel has forgotten leads to its file, and is given to no other', async (t) => {
  const { tree, root } = plant({ whole: true });
  const numbers = new Numbers(root);
  const forgotten = (inode: Inode): NodeId => {
    const id = numbers.remember(inode);
    numbers.forget(id, 1n);
    return id;
  };
  const file = makeFile(tree, root, 'file');
  const id = forgotten(file);
  t.same(numbers.fileOf(id), file.id);
  const again = makeFile(tree, root, 'again');
  again.attributes = { ...again.attributes, ino: file.id.ino, birth: file.id.birth + 1n };
  t.not(forgotten(again), id, 'the inode number is used again');
  t.equal(
    outcomeOf(() => numbers.fileOf(id)),
    'ESTALE',
  );
  const others = Array.from({ length: MAX_FORGOTTEN + 1 }, (_, i) => tree.unnamed(attributesOf(1000 + i)));
  const [first, second] = others.map(forgotten);
  t.equal(
    outcomeOf(() => numbers.fileOf(first as NodeId)),
    'ESTALE',
    'the oldest, where they are too many',
  );
  t.same(numbers.fileOf(second as NodeId), others[1]?.id);
  const removed = makeFile(tree, root, 'removed');
  tree.unlink(root, 'removed', NOW);
  const gone = forgotten(removed);
  t.equal(
    outcomeOf(() => numbers.fileOf(gone)),
    'ESTALE',
  );
});

t.test('an inode that got another number is known by both until each is given back', async (t) => {
  for (const newestFirst of [true, false]) {
    const { tree, root } = plant({ whole: true });
    const numbers = new Numbers(root);
    const file = makeFile(tree, root, 'file');
    numbers.renumber(file);
    const former = numbers.remember(file);
    numbers.remember(file);
    numbers.renumber(file);
    const newest = numbers.remember(file);
    t.not(newest, former);
    t.same(file.nodes, [newest, former]);
    t.equal(numbers.get(former), file);
    t.equal(numbers.forget(former, 1n), undefined);
    const [first, last] = newestFirst ? [newest, former] : [former, newest];
    t.equal(numbers.forget(first, 1n), undefined);
    t.same([file.nodes, file.lookups], [[last], 1]);
    t.equal(numbers.forget(last, 1n), file);
    t.same([file.nodes, file.lookups], [[], 0]);
  }
});

t.test('the root is never forgotten, and unknown numbers are no harm', async (t) => {
  const { root } = plant();
  const numbers = new Numbers(root);
  t.equal(numbers.forget(ROOT_NODE, 100n), undefined);
  t.equal(numbers.get(ROOT_NODE), root);
  t.equal(numbers.forget(nodeId(99), 1n), undefined);
});

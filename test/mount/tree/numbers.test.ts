import t from 'tap';
import { nodeId, ROOT_NODE } from '../../../protocol/ids.js';
import { Numbers } from '../../../mount/tree/numbers.js';
import { makeFile, outcomeOf, plant } from './planted.js';

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
  t.not(numbers.remember(file), id, 'no number is given twice');
});

t.test('the root is never forgotten, and unknown numbers are no harm', async (t) => {
  const { root } = plant();
  const numbers = new Numbers(root);
  t.equal(numbers.forget(ROOT_NODE, 100n), undefined);
  t.equal(numbers.get(ROOT_NODE), root);
  t.equal(numbers.forget(nodeId(99), 1n), undefined);
});

import t from 'tap';
import { WRITE } from '../../../protocol/operations.js';
import { DIRECTORY, attributesOf, entryOf, makeFile, plant } from './planted.js';

t.test('an inode is a directory or not, and knows its id', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  t.notOk(file.isDirectory());
  t.ok(root.isDirectory());
  t.same(tree.found(root, 'd', attributesOf(77, DIRECTORY)).inode.id, { ino: 77n, birth: 5n });
});

t.test('it is pending until all its changes are settled', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  t.notOk(file.pending);
  const write = (): ReturnType<typeof entryOf> =>
    entryOf({ kind: WRITE, file: { ...file.id, path: null }, offset: 0, data: null, time: null });
  const [first, second] = [write(), write()];
  file.touched(first);
  file.touched(second);
  t.equal(file.last, second);
  second.become('cancelled');
  t.equal(file.last, first, 'not the one that was taken back');
  first.become('sent');
  t.ok(file.pending);
  first.become('applied');
  t.notOk(file.pending);
  t.equal(file.last, undefined);
  t.same(file.entries, []);
});

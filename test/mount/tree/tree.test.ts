import t from 'tap';
import { ROOT_NODE } from '../../../protocol/ids.js';
import { WRITE } from '../../../protocol/operations.js';
import { attributesOf, entryOf, makeDirectory, makeFile, NOW, outcomeOf, plant } from './planted.js';

t.test('the kernel’s numbers lead to inodes', async (t) => {
  const { tree, root } = plant({ whole: true });
  t.equal(tree.get(ROOT_NODE), root);
  const file = makeFile(tree, root, 'file');
  const id = tree.remember(file);
  t.equal(tree.get(id), file);
  t.equal(
    outcomeOf(() => tree.getDirectory(id)),
    'ENOTDIR',
  );
  const directory = makeDirectory(tree, root, 'd');
  t.equal(tree.getDirectory(tree.remember(directory)), directory);
});

t.test('a file that the kernel forgets stays by its name, without one it is gone', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  const id = tree.remember(file);
  t.equal(tree.forget(id, 1n), file);
  t.equal(
    outcomeOf(() => tree.get(id)),
    'ESTALE',
  );
  t.equal(tree.byIndex(file.id.ino), file);
  const again = tree.remember(file);
  tree.unlink(root, 'file', NOW);
  t.equal(tree.get(again), file, 'removed, and known to the kernel');
  tree.forget(again, 1n);
  t.equal(tree.byIndex(file.id.ino), undefined);
});

t.test('a file that was pushed out of memory and found again has one number', async (t) => {
  const { tree, root } = plant({ maxNames: 10 });
  const [snapshot] = tree.pageOf(
    root,
    [{ key: 'file', attributes: attributesOf(100), target: null }],
    true,
    true,
  );
  if (snapshot === undefined) throw new Error('nothing was listed');
  for (let i = 0; i < 20; i++) tree.found(root, `other-${i}`, attributesOf(200 + i));
  t.equal(tree.lookup(root, 'file'), undefined);
  const found = tree.found(root, 'file', attributesOf(100));
  t.equal(tree.remember(snapshot.inode), tree.remember(found.inode));
});

t.test('open files are told, references have a hint', async (t) => {
  const { tree, root } = plant({ whole: true, path: 'mounted' });
  const file = makeFile(tree, makeDirectory(tree, root, 'd'), 'file');
  t.same(tree.opened(), []);
  file.opens = 1;
  t.same(tree.opened(), [file]);
  t.same(tree.refOf(file), { ...file.id, path: Buffer.from('mounted/d/file') });
  tree.remember(file);
  const [name] = file.names;
  if (name === undefined) throw new Error('no name');
  tree.unlink(name.parent, 'file', NOW);
  t.same(tree.refOf(file), { ...file.id, path: null });
});

t.test('entries that were settled are let go', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  const entry = entryOf({ kind: WRITE, file: { ...file.id, path: null }, offset: 0, data: null, time: NOW });
  file.touched(entry);
  t.same(file.entries, [entry]);
  entry.become('applied');
  tree.settled();
  t.same(file.entries, []);
});

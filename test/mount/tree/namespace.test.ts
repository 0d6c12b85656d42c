import t from 'tap';
import { remotePath, ROOT_PATH } from '../../../protocol/ids.js';
import type { DirectoryInode, Inode, Name } from '../../../mount/tree/inode.js';
import { Namespace } from '../../../mount/tree/namespace.js';
import { asDirectory, attributesOf, DIRECTORY, keysOf, outcomeOf, REGULAR, ROOT_INO } from './planted.js';

function begin(path = ''): Namespace {
  return new Namespace(
    attributesOf(ROOT_INO, DIRECTORY),
    path === '' ? ROOT_PATH : remotePath(Buffer.from(path)),
    1000,
    () => undefined,
  );
}

function bind(names: Namespace, parent: DirectoryInode, key: string, ino: number, mode = REGULAR): Name {
  return names.bind(parent, key, names.identify(attributesOf(ino, mode)), true);
}

function directoryAt(names: Namespace, parent: DirectoryInode, key: string, ino: number): DirectoryInode {
  return asDirectory(bind(names, parent, key, ino, DIRECTORY).inode);
}

function pathOf(names: Namespace, inode: Inode): string | undefined {
  return names.pathOf(inode)?.toString('latin1');
}

t.test('an inode is one file: by number, birth and type', async (t) => {
  const names = begin();
  const { inode } = bind(names, names.root, 'a', 10);
  t.equal(names.identify(attributesOf(10)), inode);
  t.not(names.identify(attributesOf(10, REGULAR, { birth: 6n })), inode);
  t.not(names.identify(attributesOf(10, DIRECTORY)), inode);
  const { inode: next } = names.bind(
    names.root,
    'b',
    names.identify(attributesOf(10, REGULAR, { birth: 6n })),
    true,
  );
  t.equal(names.byIndex(10n), next, 'a number that is used again is of the later file');
});

t.test('a name leads to one inode, an inode has several names', async (t) => {
  const names = begin();
  const one = bind(names, names.root, 'one', 10);
  const two = bind(names, names.root, 'two', 10);
  t.equal(one.inode, two.inode);
  t.same(keysOf(one.inode.names), ['one', 'two']);
  const other = bind(names, names.root, 'two', 11);
  t.same(keysOf(one.inode.names), ['one']);
  t.equal(names.root.directory.names.get('two'), other);
  names.unbind(one);
  t.equal(names.byIndex(10n), undefined, 'without a name, and unknown to the kernel, it is forgotten');
  names.unbind(one);
  t.equal(names.kept, 1, 'a name is lost once');
});

t.test('what was below a directory goes with it, what the kernel knows stays by its number', async (t) => {
  const names = begin();
  let at = names.root;
  for (let depth = 0; depth < 30_000; depth++) at = directoryAt(names, at, 'd', 100 + depth);
  const deep = bind(names, at, 'file', 50);
  deep.inode.lookups = 1;
  const [first] = names.root.directory.names.values();
  if (first === undefined) throw new Error('no name');
  names.unbind(first);
  t.equal(names.kept, 0);
  t.equal(names.byIndex(50n), deep.inode);
  t.equal(names.byIndex(20_000n), undefined);
});

t.test('a directory has one name', async (t) => {
  const names = begin();
  const moved = directoryAt(names, names.root, 'before', 10);
  bind(names, moved, 'file', 11);
  bind(names, names.root, 'after', 10, DIRECTORY);
  t.same(keysOf(names.root.directory.names.values()), ['after']);
  t.same(keysOf(moved.directory.names.values()), ['file'], 'with what is in it');
});

t.test('a directory is never in itself, whatever the server says', async (t) => {
  const names = begin();
  const above = directoryAt(names, names.root, 'above', 10);
  const below = directoryAt(names, above, 'below', 11);
  t.equal(
    outcomeOf(() => bind(names, below, 'loop', Number(ROOT_INO), DIRECTORY)),
    'EIO',
  );
  t.equal(
    outcomeOf(() => bind(names, below, 'loop', 11, DIRECTORY)),
    'EIO',
  );
  // Elsewhere, `below` was moved out and `above` into it.
  below.lookups = 1;
  bind(names, below, 'was-above', 10, DIRECTORY);
  t.equal(pathOf(names, above), undefined, 'not reached from the root until the rest is told');
  bind(names, names.root, 'below', 11, DIRECTORY);
  t.equal(pathOf(names, above), 'below/was-above');
});

t.test('a name that is found in a directory that is gone leaves nothing', async (t) => {
  const names = begin();
  const gone = bind(names, names.root, 'gone', 10, DIRECTORY);
  names.unbind(gone);
  const name = bind(names, asDirectory(gone.inode), 'in', 11);
  t.notOk(name.confirmed);
  t.equal(names.kept, 0);
  t.equal(names.byIndex(11n), undefined);
});

t.test('moving and exchanging keep inodes, and what is known of directories', async (t) => {
  const names = begin();
  const [a, b] = [directoryAt(names, names.root, 'a', 10), directoryAt(names, names.root, 'b', 11)];
  const file = bind(names, a, 'file', 12);
  const other = bind(names, b, 'other', 13, DIRECTORY);
  names.completed(a);
  names.completed(b);
  names.exchange(file, other, () => true);
  t.same([pathOf(names, file.inode), pathOf(names, other.inode)], ['b/other', 'a/file']);
  t.same([a.directory.complete, b.directory.complete], [true, true]);
  const [name] = file.inode.names;
  if (name === undefined) throw new Error('no name');
  names.move(name, a, 'file', true);
  t.equal(pathOf(names, file.inode), 'a/file');
  t.equal(names.byIndex(13n), undefined, 'what had the name lost it');
  t.equal(names.kept, 3);
});

t.test('an inode that was forgotten and found again is one', async (t) => {
  const names = begin();
  const { inode } = bind(names, names.root, 'a', 10);
  for (const name of inode.names) names.unbind(name);
  const { inode: again } = bind(names, names.root, 'a', 10);
  t.not(again, inode);
  t.equal(names.keptOf(inode), again);
  for (const name of again.names) names.unbind(name);
  t.equal(names.keptOf(inode), inode, 'where it was not found again it is kept itself');
  t.equal(names.byIndex(10n), inode);
});

t.test('paths are of the home, by names that are confirmed if there are some', async (t) => {
  const names = begin('mounted/here');
  t.equal(pathOf(names, names.root), 'mounted/here');
  const directory = directoryAt(names, names.root, 'd', 10);
  const guess = bind(names, directory, 'guess', 11);
  t.equal(pathOf(names, guess.inode), 'mounted/here/d/guess');
  guess.confirmed = false;
  bind(names, names.root, 'sure\xff', 11);
  t.equal(pathOf(names, guess.inode), 'mounted/here/sure\xff');
  let deep = names.root;
  for (let depth = 0; depth < 300; depth++) deep = directoryAt(names, deep, 'n'.repeat(255), 100 + depth);
  t.equal(pathOf(names, deep), undefined, 'none that is too long for the wire');
  t.equal(names.namesTo(deep)?.length, 300);
  t.ok(names.isAbove(names.root, deep));
  t.notOk(names.isAbove(directory, deep));
});

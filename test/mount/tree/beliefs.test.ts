import t from 'tap';
import { RENAME_EXCHANGE } from '../../../protocol/operations.js';
import {
  asDirectory,
  asName,
  attributesOf,
  DIRECTORY,
  keysOf,
  makeDirectory,
  makeFile,
  NOW,
  pageOf,
  plant,
  REGULAR,
  ROOT_INO,
} from './planted.js';

t.test('what was told is believed while its unit is leased', async (t) => {
  const { tree, root, leases } = plant();
  t.equal(tree.lookup(root, 'file'), undefined, 'nothing is guessed');
  const name = tree.found(root, 'file', attributesOf(10));
  t.equal(tree.lookup(root, 'file'), name);
  t.ok(tree.knows(name.inode));
  leases.recalled.add(ROOT_INO);
  t.equal(tree.lookup(root, 'file'), undefined);
  t.notOk(tree.knows(name.inode));
});

t.test('what was told without a lease is not believed under one that comes later', async (t) => {
  const { tree, root, leases } = plant();
  leases.recalled.add(ROOT_INO);
  const { inode } = tree.found(root, 'file', attributesOf(10));
  tree.notFound(root, 'absent');
  tree.pageOf(root, pageOf({ file: 10, other: 11 }), true, true);
  leases.recalled.clear();
  t.equal(tree.lookup(root, 'file'), undefined);
  t.equal(tree.lookup(root, 'absent'), undefined);
  t.equal(tree.listing(root), undefined);
  t.notOk(tree.knows(inode));
});

t.test('a file with one name belongs to its directory, with several to itself', async (t) => {
  const { tree, root, leases } = plant();
  const directory = asDirectory(tree.found(root, 'd', attributesOf(10, DIRECTORY)).inode);
  const { inode: single } = tree.found(directory, 'single', attributesOf(11));
  const { inode: linked } = tree.found(directory, 'linked', attributesOf(12, REGULAR, { nlink: 2 }));
  t.equal(tree.unitOf(directory), 10n);
  t.equal(tree.unitOf(single), 10n);
  t.equal(tree.unitOf(linked), 12n);
  leases.recalled.add(12n);
  t.ok(tree.knows(single));
  t.notOk(tree.knows(linked));
  t.equal(
    tree.lookup(directory, 'linked'),
    asName(tree.lookup(directory, 'linked')),
    'the name is the directory’s',
  );
});

t.test('of a file whose only name is a guess nothing is believed', async (t) => {
  const { tree, root, leases } = plant();
  const directory = asDirectory(tree.found(root, 'd', attributesOf(10, DIRECTORY)).inode);
  const { inode } = tree.found(directory, 'file', attributesOf(11));
  leases.recalled.add(10n);
  tree.doubt(10n);
  leases.recalled.clear();
  t.equal(tree.unitOf(inode), undefined, 'it may have been moved');
  tree.told(inode, attributesOf(11));
  t.notOk(tree.knows(inode));
  tree.found(directory, 'file', attributesOf(11));
  t.ok(tree.knows(inode));
  tree.found(root, 'also', attributesOf(11));
  t.equal(tree.unitOf(inode), undefined, 'two names of one: one is out of date');
});

t.test('a doubt is of the whole unit, and tells what the kernel knows of it', async (t) => {
  const { tree, root, leases } = plant({ whole: true });
  const directory = makeDirectory(tree, root, 'd');
  const inner = makeDirectory(tree, directory, 'inner');
  const known = makeFile(tree, directory, 'known');
  const unknown = makeFile(tree, directory, 'unknown');
  const linked = makeFile(tree, directory, 'linked');
  tree.link(linked, root, 'link', NOW);
  const elsewhere = makeFile(tree, root, 'elsewhere');
  for (const inode of [directory, inner, known, linked, elsewhere]) tree.remember(inode);
  const { names, inodes } = tree.doubt(directory.id.ino);
  t.same(keysOf(names), ['inner', 'known', 'linked']);
  t.same(new Set(inodes), new Set([directory, known]));
  t.notOk(tree.knows(unknown));
  t.ok(tree.knows(inner), 'a directory below is a unit of its own');
  t.ok(tree.knows(linked));
  t.ok(tree.knows(elsewhere));
  t.equal(tree.lookup(directory, 'known'), undefined, 'also under a lease that comes later');
  t.equal(tree.lookup(directory, 'absent'), undefined);
  t.same(tree.doubt(linked.id.ino), { names: [], inodes: [linked] });
  t.notOk(leases.recalled.size);
});

t.test('doubting all leaves nothing believed', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, makeDirectory(tree, root, 'd'), 'file');
  tree.remember(file);
  t.same(tree.doubt(0n).inodes, [root, file], 'the home as a whole');
  for (const inode of [root, file]) t.notOk(tree.knows(inode));
  t.equal(tree.lookup(root, 'd'), undefined);
  t.equal(tree.lookup(root, 'absent'), undefined);
  t.equal(tree.pathOf(file)?.toString(), 'd/file', 'names are left as hints');
});

t.test('a name may be changed where all that it touches is known and leased for writing', async (t) => {
  const { tree, root, leases } = plant();
  t.notOk(tree.mayChangeName(root, 'file'), 'it is not known whether there is one');
  tree.notFound(root, 'file');
  t.ok(tree.mayChangeName(root, 'file'));
  tree.found(root, 'file', attributesOf(10));
  t.ok(tree.mayChangeName(root, 'file'));
  tree.found(root, 'linked', attributesOf(11, REGULAR, { nlink: 2 }));
  leases.shared.add(11n);
  t.notOk(tree.mayChangeName(root, 'linked'), 'what it leads to is others’, too');
  t.notOk(tree.mayChange(asName(tree.lookup(root, 'linked')).inode));
  leases.shared.add(ROOT_INO);
  t.notOk(tree.mayChangeName(root, 'file'));
  t.ok(tree.mayChangeName(root, 'n'.repeat(256)), 'a name that is too long fails anyway');
  const directory = asDirectory(tree.found(root, 'd', attributesOf(12, DIRECTORY)).inode);
  directory.attributes = { ...directory.attributes, nlink: 0 };
  t.ok(tree.mayChangeName(directory, 'x'), 'and so does any in a directory that is removed');
});

t.test('a directory may be removed or replaced where it is known whether it is empty', async (t) => {
  const { tree, root, leases } = plant({ whole: true });
  const directory = makeDirectory(tree, root, 'd');
  makeDirectory(tree, root, 'other');
  t.ok(tree.mayRmdir(root, 'd'));
  t.ok(tree.mayRmdir(root, 'absent'));
  const { inode } = tree.found(root, 'told', attributesOf(10, DIRECTORY));
  t.notOk(tree.mayRmdir(root, 'told'));
  t.notOk(tree.mayRename(root, 'other', root, 'told', 0));
  t.ok(tree.mayRename(root, 'other', root, 'told', RENAME_EXCHANGE), 'that asks for no emptiness');
  tree.found(asDirectory(inode), 'file', attributesOf(11));
  t.ok(tree.mayRmdir(root, 'told'), 'one name is enough to know');
  leases.shared.add(directory.id.ino);
  t.notOk(tree.mayRmdir(root, 'd'));
  t.notOk(tree.mayRename(root, 'd', root, 'e', 0));
});

t.test('a directory may be moved where it is known what is above', async (t) => {
  const { tree, root, leases } = plant({ whole: true });
  const a = makeDirectory(tree, root, 'a');
  const b = makeDirectory(tree, a, 'b');
  const moved = makeDirectory(tree, root, 'moved');
  makeFile(tree, moved, 'file');
  t.ok(tree.mayRename(root, 'moved', b, 'moved', 0));
  tree.doubt(a.id.ino);
  t.notOk(tree.mayRename(root, 'moved', b, 'moved', 0), 'b may be below it by now');
  t.ok(tree.mayRename(moved, 'file', b, 'file', 0), 'no matter for a file');
  leases.shared.add(b.id.ino);
  t.notOk(tree.mayRename(moved, 'file', b, 'file', 0));
});

import t from 'tap';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../../protocol/operations.js';
import {
  attributesOf,
  keysOf,
  known,
  LONG_AGO,
  makeDirectory,
  makeFile,
  newId,
  NOW,
  outcomeOf,
  plant,
  REGULAR,
  ROOT_INO,
} from './planted.js';

const LATER = { sec: 2000, nsec: 0 };
const TOO_LONG = 'n'.repeat(256);

t.test('making: names are free, short enough, and in a directory that is there', async (t) => {
  const { tree, root } = plant({ whole: true });
  const gone = makeDirectory(tree, root, 'gone');
  tree.rmdir(root, 'gone', NOW);
  makeFile(tree, root, 'taken');
  const file = makeFile(tree, root, 'file');
  const makers: Record<string, (parent: typeof root, key: string) => unknown> = {
    create: (parent, key) => tree.create(parent, key, { id: newId(), mode: REGULAR, time: NOW }),
    mkdir: (parent, key) => tree.mkdir(parent, key, { id: newId(), mode: 0o755, time: NOW }),
    symlink: (parent, key) => tree.symlink(parent, key, { id: newId(), target: Buffer.from('t'), time: NOW }),
    link: (parent, key) => tree.link(file, parent, key, NOW),
  };
  for (const [what, make] of Object.entries(makers)) {
    t.equal(
      outcomeOf(() => make(root, 'taken')),
      'EEXIST',
      what,
    );
    t.equal(
      outcomeOf(() => make(root, TOO_LONG)),
      'ENAMETOOLONG',
      what,
    );
    t.equal(
      outcomeOf(() => make(gone, 'x')),
      'ENOENT',
      what,
    );
    t.equal(
      outcomeOf(() => make(root, `${what}${'n'.repeat(240)}`)),
      'done',
      what,
    );
  }
  t.equal(
    outcomeOf(() => tree.create(root, 'null', { id: newId(), mode: 0o20666, time: NOW })),
    'EPERM',
  );
  t.equal(
    outcomeOf(() => tree.symlink(root, 's', { id: newId(), target: Buffer.alloc(4096, 'x'), time: NOW })),
    'ENAMETOOLONG',
  );
  t.equal(
    outcomeOf(() => tree.symlink(root, 's', { id: newId(), target: Buffer.alloc(0), time: NOW })),
    'ENOENT',
  );
});

t.test('making and removing set the times of the directory, and count subdirectories', async (t) => {
  const { tree, root } = plant({ whole: true });
  makeDirectory(tree, root, 'd');
  t.match(root.attributes, { nlink: 3, mtime: NOW, ctime: NOW, atime: LONG_AGO });
  makeFile(tree, root, 'file');
  tree.unlink(root, 'file', LATER);
  t.match(root.attributes, { nlink: 3, mtime: LATER, ctime: LATER });
  const { inode } = tree.rmdir(root, 'd', LATER);
  t.match(root.attributes, { nlink: 2 });
  t.match(inode.attributes, { nlink: 0, ctime: LATER });
});

t.test('a link is one name more of a file, and of no directory', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  const name = tree.link(file, root, 'link', LATER);
  t.equal(name.inode, file);
  t.match(file.attributes, { nlink: 2, ctime: LATER, mtime: NOW });
  t.equal(
    outcomeOf(() => tree.link(makeDirectory(tree, root, 'd'), root, 'dd', NOW)),
    'EPERM',
  );
  tree.told(file, { ...file.attributes, nlink: 65_000 });
  t.equal(
    outcomeOf(() => tree.link(file, root, 'more', NOW)),
    'EMLINK',
  );
  const removed = makeFile(tree, root, 'removed');
  tree.remember(removed);
  tree.unlink(root, 'removed', NOW);
  t.equal(
    outcomeOf(() => tree.link(removed, root, 'again', NOW)),
    'ENOENT',
  );
});

t.test('removing gives back what is charged, of the last name, when it is closed', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  t.same(tree.wrote(file, 0, 5000, NOW), { bytes: 5000, files: 0 });
  t.same(tree.wrote(file, 50, 100, NOW), { bytes: 0, files: 0 });
  tree.link(file, root, 'link', NOW);
  t.same(tree.unlink(root, 'file', NOW).freed, { bytes: 0, files: 0 });
  file.opens = 2;
  t.same(tree.unlink(root, 'link', NOW).freed, { bytes: 0, files: 0 });
  t.same(tree.wrote(file, 5000, 6000, NOW), { bytes: 1000, files: 0 }, 'it may still grow');
  file.opens = 1;
  t.same(tree.closed(file), { bytes: 0, files: 0 });
  t.equal(tree.byIndex(file.id.ino), file);
  file.opens = 0;
  t.same(tree.closed(file), { bytes: -6000, files: -1 });
  t.equal(tree.byIndex(file.id.ino), undefined);

  tree.symlink(root, 'symlink', { id: newId(), target: Buffer.from('target'), time: NOW });
  t.same(tree.unlink(root, 'symlink', NOW).freed, { bytes: 0, files: -1 });
  const directory = makeDirectory(tree, root, 'd');
  directory.opens = 1;
  t.same(tree.rmdir(root, 'd', NOW).freed, { bytes: 0, files: -1 }, 'a directory goes with its name');
  directory.opens = 0;
  t.same(tree.closed(directory), { bytes: 0, files: 0 });
});

t.test('unlink and rmdir are for what they are for', async (t) => {
  const { tree, root } = plant({ whole: true });
  makeFile(tree, makeDirectory(tree, root, 'd'), 'in');
  makeFile(tree, root, 'file');
  t.equal(
    outcomeOf(() => tree.unlink(root, 'd', NOW)),
    'EISDIR',
  );
  t.equal(
    outcomeOf(() => tree.unlink(root, 'absent', NOW)),
    'ENOENT',
  );
  t.equal(
    outcomeOf(() => tree.unlink(root, TOO_LONG, NOW)),
    'ENAMETOOLONG',
  );
  t.equal(
    outcomeOf(() => tree.rmdir(root, 'd', NOW)),
    'ENOTEMPTY',
  );
  t.equal(
    outcomeOf(() => tree.rmdir(root, 'file', NOW)),
    'ENOTDIR',
  );
  t.equal(
    outcomeOf(() => tree.rmdir(root, 'absent', NOW)),
    'ENOENT',
  );
});

t.test('what a rename refuses', async (t) => {
  const { tree, root } = plant({ whole: true });
  const a = makeDirectory(tree, root, 'a');
  const b = makeDirectory(tree, a, 'b');
  makeDirectory(tree, root, 'empty');
  makeFile(tree, root, 'file');
  const gone = makeDirectory(tree, root, 'gone');
  tree.remember(gone);
  tree.rmdir(root, 'gone', NOW);
  const outcome = (
    ...[from, key, to, newKey, flags = 0]: [typeof root, string, typeof root, string, number?]
  ): string => outcomeOf(() => tree.rename(from, key, to, newKey, flags, NOW));
  t.equal(outcome(root, 'absent', root, 'x'), 'ENOENT');
  t.equal(outcome(root, 'file', gone, 'x'), 'ENOENT');
  t.equal(outcome(root, 'file', root, TOO_LONG), 'ENAMETOOLONG');
  t.equal(outcome(root, 'a', b, 'x'), 'EINVAL', 'a directory into what is below it');
  t.equal(outcome(root, 'a', a, 'x'), 'EINVAL', 'or into itself');
  t.equal(outcome(a, 'b', root, 'a'), 'ENOTEMPTY', 'onto what is above it');
  t.equal(outcome(a, 'b', root, 'a', RENAME_EXCHANGE), 'EINVAL');
  t.equal(outcome(root, 'empty', root, 'a'), 'ENOTEMPTY');
  t.equal(outcome(root, 'file', root, 'empty'), 'EISDIR');
  t.equal(outcome(root, 'empty', root, 'file'), 'ENOTDIR');
  t.equal(outcome(root, 'file', root, 'empty', RENAME_NOREPLACE), 'EEXIST');
  t.equal(outcome(root, 'file', root, 'absent', RENAME_EXCHANGE), 'ENOENT');
  t.equal(outcome(root, 'file', root, 'x', RENAME_EXCHANGE | RENAME_NOREPLACE), 'EINVAL');
  t.equal(outcome(root, 'file', root, 'x', 4), 'EINVAL', 'no whiteouts');
  t.same(keysOf(tree.listing(root)), ['a', 'empty', 'file'], 'nothing was done');
});

t.test('a rename replaces, and moves subdirectories from one count to the other', async (t) => {
  const { tree, root } = plant({ whole: true });
  const [a, b] = [makeDirectory(tree, root, 'a'), makeDirectory(tree, root, 'b')];
  const moved = makeDirectory(tree, a, 'moved');
  makeDirectory(tree, b, 'replaced');
  const { inode, replaced, freed } = tree.rename(a, 'moved', b, 'replaced', 0, LATER);
  t.equal(inode, moved);
  t.match(replaced?.attributes, { nlink: 0, ctime: LATER });
  t.same(freed, { bytes: 0, files: -1 });
  t.match(a.attributes, { nlink: 2, mtime: LATER, ctime: LATER });
  t.match(b.attributes, { nlink: 3, mtime: LATER, ctime: LATER });
  t.match(moved.attributes, { ctime: LATER, mtime: NOW });
  t.equal(tree.lookup(a, 'moved'), 'absent');
  t.equal(known(tree, b, 'replaced'), moved);
});

t.test('two names of one file: a rename does nothing', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'one');
  tree.link(file, root, 'two', NOW);
  const { inode, replaced } = tree.rename(root, 'one', root, 'two', 0, LATER);
  t.equal(inode, replaced);
  t.same(keysOf(tree.listing(root)), ['one', 'two']);
  t.match(file.attributes, { nlink: 2, ctime: NOW });
  tree.rename(root, 'one', root, 'one', 0, LATER);
  t.equal(known(tree, root, 'one'), file);
});

t.test('an exchange of a file and a directory', async (t) => {
  const { tree, root } = plant({ whole: true });
  const [a, b] = [makeDirectory(tree, root, 'a'), makeDirectory(tree, root, 'b')];
  const file = makeFile(tree, a, 'x');
  const directory = makeDirectory(tree, b, 'y');
  makeFile(tree, directory, 'in');
  const { replaced, freed } = tree.rename(a, 'x', b, 'y', RENAME_EXCHANGE, LATER);
  t.equal(replaced, undefined);
  t.same(freed, { bytes: 0, files: 0 });
  t.equal(known(tree, a, 'x'), directory);
  t.equal(known(tree, b, 'y'), file);
  t.match([a.attributes.nlink, b.attributes.nlink], [3, 2]);
  t.match([file.attributes.ctime, directory.attributes.ctime], [LATER, LATER]);
  for (const each of [a, b, directory]) t.ok(tree.listing(each), 'what was known whole still is');
});

t.test('attributes are set as asked', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  t.same(tree.setattr(file, { size: 100, mode: null, atime: null, mtime: null }, LATER), {
    bytes: 100,
    files: 0,
  });
  t.match(file.attributes, { size: 100, blocks: 0, mtime: LATER, ctime: LATER, atime: NOW });
  t.same(tree.setattr(file, { size: 0, mode: 0o600, mtime: LONG_AGO, atime: 'now' }, LATER), {
    bytes: -100,
    files: 0,
  });
  t.match(file.attributes, { size: 0, blocks: 0, mode: 0o100600, mtime: LONG_AGO, atime: LATER });
  t.equal(
    outcomeOf(() => tree.setattr(root, { size: 0 }, NOW)),
    'EISDIR',
  );
  const fifo = tree.create(root, 'fifo', { id: newId(), mode: 0o10644, time: NOW });
  t.equal(
    outcomeOf(() => tree.setattr(fifo, { size: 0 }, NOW)),
    'EINVAL',
  );
});

t.test('where files have owners: what is made has one, and devices can be made', async (t) => {
  const { tree, root } = plant({ whole: true });
  const owner = { uid: 1000, gid: 100 };
  const making = { mode: 0o020640, time: NOW, owner, rdev: 0x103 };
  t.equal(
    outcomeOf(() => tree.create(root, 'c', { id: newId(), ...making })),
    'EPERM',
    'not where they have none',
  );
  root.attributes = { ...root.attributes, owner: { uid: 0, gid: 0 } };
  t.match(tree.create(root, 'c', { id: newId(), ...making }).attributes, {
    mode: 0o020640,
    owner,
    rdev: 0x103,
  });
  const link = { id: newId(), target: Buffer.from('t'), time: NOW, owner };
  t.match(tree.symlink(root, 'l', link).attributes, { mode: 0o120777, owner });
  const directory = tree.mkdir(root, 'd', { id: newId(), mode: 0o755, time: NOW, owner });
  t.match(directory.attributes, { mode: 0o040755, owner });
});

t.test('a change of the owner takes set-id bits, but of a directory, or where a mode is said', async (t) => {
  const { tree, root } = plant({ whole: true });
  const owned = (mode: number) => {
    const inode = makeFile(tree, root, `f${mode}`);
    inode.attributes = { ...inode.attributes, mode, owner: { uid: 1, gid: 2 } };
    return inode;
  };
  for (const [before, change, after] of [
    [0o106755, { uid: 5 }, { mode: 0o100755, owner: { uid: 5, gid: 2 } }],
    [0o106745, { gid: 6 }, { mode: 0o102745, owner: { uid: 1, gid: 6 } }],
    [0o046755, { uid: 5, gid: 6 }, { mode: 0o046755, owner: { uid: 5, gid: 6 } }],
    [0o106755, { uid: 0, gid: 0, mode: 0o4711 }, { mode: 0o104711, owner: { uid: 0, gid: 0 } }],
    [0o106755, { mode: 0o6700 }, { mode: 0o106700, owner: { uid: 1, gid: 2 } }],
    [0o106755, { uid: null, gid: null }, { mode: 0o106755, owner: { uid: 1, gid: 2 } }],
  ] as const) {
    const inode = owned(before);
    tree.setattr(inode, change, LATER);
    t.match(inode.attributes, { ...after, ctime: LATER });
    tree.unlink(root, `f${before}`, LATER);
  }
  root.attributes = { ...root.attributes, owner: { uid: 0, gid: 0 } };
  tree.setattr(root, { mode: 0o1777, uid: 5 }, LATER);
  t.match(root.attributes, { mode: 0o041777, owner: { uid: 5, gid: 0 } }, 'the home itself, too');
});

t.test('the mode of the home stays, that of another mounted directory does not', async (t) => {
  const home = plant();
  home.tree.setattr(home.root, { mode: 0o777 }, NOW);
  t.equal(home.root.attributes.mode, 0o40755);
  const below = plant({ path: 'below' });
  below.tree.setattr(below.root, { mode: 0o777 }, NOW);
  t.equal(below.root.attributes.mode, 0o40777);
});

t.test('on a disk that does not count subdirectories none are counted', async (t) => {
  const { tree, root } = plant({ whole: true });
  tree.told(root, attributesOf(ROOT_INO, 0o40755, { nlink: 1 }));
  const directory = makeDirectory(tree, root, 'd');
  t.same([root.attributes.nlink, directory.attributes.nlink], [1, 1]);
  tree.rmdir(root, 'd', NOW);
  t.same([root.attributes.nlink, directory.attributes.nlink], [1, 0]);
});

import t from 'tap';
import { RENAME_EXCHANGE, UNLINK, WRITE } from '../../../protocol/operations.js';
import {
  asDirectory,
  asName,
  attributesOf,
  DIRECTORY,
  entryOf,
  keysOf,
  known,
  makeDirectory,
  makeFile,
  NOW,
  outcomeOf,
  pageOf,
  plant,
  REGULAR,
  ROOT_INO,
  SYMLINK,
} from './planted.js';

t.test('single names are learned, and that they do not exist', async (t) => {
  const { tree, root } = plant();
  const { inode } = tree.found(root, 'link', attributesOf(10, SYMLINK), Buffer.from('target'));
  t.same(inode.target, Buffer.from('target'));
  tree.notFound(root, 'link');
  t.equal(tree.lookup(root, 'link'), 'absent');
  tree.found(root, 'link', attributesOf(11));
  t.equal(known(tree, root, 'link').id.ino, 11n);
  t.equal(tree.listing(root), undefined, 'single names are not all');
});

t.test('targets and keys keep nothing of the message that told them', async (t) => {
  const { tree, root } = plant();
  const message = Buffer.alloc(1 << 20, 'x');
  const { inode } = tree.found(root, 'link', attributesOf(10, SYMLINK), message.subarray(0, 10));
  t.not(inode.target?.buffer, message.buffer);
});

t.test('a listing makes a directory known whole, page by page', async (t) => {
  const { tree, root } = plant();
  tree.found(root, 'gone', attributesOf(9));
  t.same(keysOf(tree.pageOf(root, pageOf({ a: 10, b: 11 }), true, false)), ['a', 'b']);
  t.equal(tree.listing(root), undefined);
  tree.pageOf(root, pageOf({ c: 12 }), false, true);
  t.same(keysOf(tree.listing(root)), ['a', 'b', 'c']);
  t.equal(tree.lookup(root, 'gone'), 'absent');
  const { version } = root.directory;
  tree.pageOf(root, pageOf({ a: 10, b: 11, c: 12 }), true, true);
  t.equal(root.directory.version, version, 'what is as it was is no change');
});

t.test(
  'a directory was moved elsewhere, and another one has its name: a listing tells of both',
  async (t) => {
    const moved = { key: 'moved', attributes: attributesOf(10, DIRECTORY), target: null };
    const other = { key: 'a', attributes: attributesOf(11, DIRECTORY), target: null };
    for (const page of [
      [moved, other],
      [other, moved],
    ]) {
      const { tree, root } = plant();
      tree.found(root, 'a', attributesOf(10, DIRECTORY));
      t.same(keysOf(tree.pageOf(root, page, true, true)).toSorted(), ['a', 'moved']);
      t.same(keysOf(tree.listing(root)).toSorted(), ['a', 'moved']);
      t.equal(known(tree, root, 'a').id.ino, 11n);
    }
  },
);

t.test('what changes here while a directory is listed outlives the listing', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ a: 10, b: 11, c: 12 }), true, true);
  tree.pageOf(root, pageOf({ a: 10 }), true, false);
  tree.unlink(root, 'b', NOW);
  makeFile(tree, root, 'new');
  tree.rename(root, 'c', root, 'moved', 0, NOW);
  t.same(keysOf(tree.pageOf(root, pageOf({ b: 11, c: 12 }), false, true)), []);
  t.same(keysOf(tree.listing(root)), ['a', 'new', 'moved']);
});

/** A page of a listing: directories. */
function directoriesOf(directories: Readonly<Record<string, number>>) {
  return Object.entries(directories).map(([key, ino]) => ({
    ...{ key, attributes: attributesOf(ino, DIRECTORY), target: null },
  }));
}

t.test('directories that others moved within a listed directory are all there', async (t) => {
  for (const order of [
    ['backup.0', 'backup.1', 'backup.2'],
    ['backup.2', 'backup.1', 'backup.0'],
    ['backup.1', 'backup.2', 'backup.0'],
  ]) {
    for (const pages of [1, 2]) {
      const { tree, root } = plant();
      tree.pageOf(root, directoriesOf({ 'backup.0': 10, 'backup.1': 11, 'backup.2': 12 }), true, true);
      for (const { inode } of tree.listing(root) ?? []) tree.remember(inode);
      tree.doubt(ROOT_INO);
      // rm -r backup.2; mv backup.1 backup.2; mv backup.0 backup.1; mkdir backup.0
      const now: Record<string, number> = { 'backup.0': 13, 'backup.1': 10, 'backup.2': 11 };
      const entries = order.flatMap((key) => directoriesOf({ [key]: now[key] ?? 0 }));
      const cut = pages === 1 ? entries.length : 1;
      const told = tree.pageOf(root, entries.slice(0, cut), true, pages === 1);
      if (pages === 2) told.push(...tree.pageOf(root, entries.slice(cut), false, true));
      t.same(keysOf(told), order, 'who asked is told all');
      t.same(keysOf(tree.listing(root)).toSorted(), Object.keys(now));
      for (const [key, ino] of Object.entries(now)) t.equal(known(tree, root, key).id.ino, BigInt(ino));
    }
  }
});

t.test('what one listing or lookup tells takes nothing from another listing', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, directoriesOf({ one: 20, two: 21 }), true, true);
  const [one, two] = ['one', 'two'].map((key) => asDirectory(known(tree, root, key)));
  if (one === undefined || two === undefined) throw new Error('two directories were listed');
  tree.pageOf(one, directoriesOf({ a: 10, b: 11, c: 12 }), true, true);
  tree.pageOf(one, [], true, false);
  // Before `one` was asked for again, others moved a to two, and back.
  tree.pageOf(two, directoriesOf({ a: 10 }), true, true);
  tree.found(two, 'b', attributesOf(11, DIRECTORY));
  tree.notFound(one, 'c');
  t.same(keysOf(tree.pageOf(one, directoriesOf({ a: 10, b: 11, c: 12 }), false, true)), ['a', 'b', 'c']);
  t.same(keysOf(tree.listing(one)), ['a', 'b', 'c']);
  t.same(keysOf(tree.listing(two)), []);
});

t.test('what the server did for this mount while a directory is listed outlives the listing', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ gone: 10, moved: 11, known: 12, replaced: 13 }), true, false);
  tree.pageOf(root, [], true, false);
  tree.gone(root, 'gone');
  tree.moved(root, 'moved', root, 'replaced', 0);
  tree.made(root, 'known', attributesOf(12));
  tree.made(root, 'new', attributesOf(14));
  t.same(keysOf(tree.pageOf(root, pageOf({ gone: 10, moved: 11, replaced: 13 }), false, true)), ['replaced']);
  t.same(keysOf(tree.listing(root)).toSorted(), ['known', 'new', 'replaced']);
  t.equal(known(tree, root, 'replaced').id.ino, 11n);
});

t.test('a listing that was not gone on with holds on to nothing', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ a: 10, b: 11 }), true, false);
  for (let i = 0; i < 5000; i++) {
    tree.notFound(root, `t-${i}`);
    makeFile(tree, root, `t-${i}`);
    tree.unlink(root, `t-${i}`, NOW);
  }
  t.equal(root.directory.listing, undefined);
  const told = tree.pageOf(root, pageOf({ a: 10, 't-1': 12, c: 13 }), false, true);
  t.same(keysOf(told), ['a', 't-1', 'c'], 'its pages are told to who asked');
  t.equal(tree.lookup(root, 'c'), undefined, 'and not kept');
});

t.test('a recall while a directory is listed leaves it not known whole', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ a: 10 }), true, false);
  tree.doubt(ROOT_INO);
  tree.pageOf(root, pageOf({ b: 11 }), false, true);
  t.equal(tree.listing(root), undefined);
  t.equal(tree.lookup(root, 'a'), undefined);
  t.equal(known(tree, root, 'b').id.ino, 11n);
});

t.test('two listings of one directory: the later one tells, and the other one only who asked', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ a: 10 }), true, false);
  const first = root.directory.listing ?? null;
  tree.pageOf(root, pageOf({ a: 10, b: 11 }), true, false);
  const second = root.directory.listing ?? null;
  t.same(keysOf(tree.pageOf(root, pageOf({ z: 20 }), false, true, first)), ['z']);
  t.equal(tree.lookup(root, 'z'), undefined);
  t.same(keysOf(tree.listing(root)), [], "nor is its end the other one's");
  tree.pageOf(root, pageOf({ c: 12 }), false, true, second);
  t.same(keysOf(tree.listing(root)), ['a', 'b', 'c']);
});

t.test('what was changed here and is not applied is newer than what is told', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  const write = entryOf({ kind: WRITE, file: { ...file.id, path: null }, offset: 0, data: null, time: NOW });
  tree.wrote(file, 0, 100, NOW);
  file.touched(write);
  tree.told(file, { ...file.attributes, size: 0 });
  t.equal(file.attributes.size, 100);
  tree.notFound(root, 'file');
  tree.found(root, 'file', attributesOf(10));
  tree.pageOf(root, [], true, true);
  t.equal(known(tree, root, 'file'), file);
  write.become('applied');
  tree.told(file, { ...file.attributes, size: 50 });
  t.equal(file.attributes.size, 50, 'afterwards the server knows');
  tree.notFound(root, 'file');
  t.equal(tree.lookup(root, 'file'), 'absent');
});

t.test('a name that was removed here does not come back by an answer from before', async (t) => {
  const { tree, root } = plant();
  const before = attributesOf(10);
  tree.found(root, 'file', before);
  const { inode } = tree.unlink(root, 'file', NOW);
  const directory = { ...root.id, path: null };
  const unlink = entryOf({
    kind: UNLINK,
    directory,
    name: Buffer.from('file'),
    time: NOW,
    id: inode.id,
    hold: false,
  });
  root.touched(unlink);
  const told = tree.found(root, 'file', before);
  t.equal(told.inode.id.ino, 10n, 'who asked before it was removed is told');
  t.equal(tree.lookup(root, 'file'), 'absent', 'and nobody else');
  unlink.become('applied');
  tree.found(root, 'file', attributesOf(11));
  t.equal(known(tree, root, 'file').id.ino, 11n);
});

t.test('what the server did for this mount is learned', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'file');
  tree.remember(file);
  tree.gone(root, 'file');
  t.equal(tree.lookup(root, 'file'), 'absent');
  t.ok(file.removed);
  t.notOk(tree.knows(file), 'until it is told what is left');

  const [a, b] = [makeDirectory(tree, root, 'a'), makeDirectory(tree, root, 'b')];
  const moved = makeFile(tree, a, 'moved');
  makeFile(tree, b, 'replaced');
  tree.moved(a, 'moved', b, 'replaced', 0);
  t.equal(known(tree, b, 'replaced'), moved);
  t.equal(tree.lookup(a, 'moved'), 'absent');
  t.same([keysOf(tree.listing(a)), keysOf(tree.listing(b))], [[], ['replaced']]);
  const other = makeFile(tree, a, 'other');
  tree.moved(a, 'other', b, 'replaced', RENAME_EXCHANGE);
  t.equal(known(tree, a, 'other'), moved);
  t.equal(known(tree, b, 'replaced'), other);
  t.ok(a.directory.complete && b.directory.complete);
});

t.test('a name that was moved and not known here leaves the directory to be listed', async (t) => {
  const { tree, root } = plant();
  const whole = makeDirectory(tree, root, 'whole');
  makeFile(tree, whole, 'file');
  tree.moved(root, 'unknown', whole, 'file', 0);
  t.equal(tree.lookup(whole, 'file'), undefined);
  t.equal(tree.listing(whole), undefined);
  t.equal(tree.lookup(root, 'unknown'), 'absent');
  tree.moved(root, 'unknown', whole, 'file', RENAME_EXCHANGE);
  t.equal(tree.lookup(root, 'unknown'), undefined);
});

t.test('a name that was moved and not known here is still told to who lists', async (t) => {
  const { tree, root } = plant();
  tree.pageOf(root, pageOf({ a: 10, target: 11 }), true, true);
  tree.pageOf(root, pageOf({ a: 10 }), true, false);
  tree.moved(root, 'unknown', root, 'target', 0);
  t.same(keysOf(tree.pageOf(root, pageOf({ target: 11 }), false, true)), ['target']);
  t.equal(tree.lookup(root, 'target'), undefined, 'which may be the one from before');
  t.equal(tree.listing(root), undefined);
});

t.test('two names of one file: the server did nothing', async (t) => {
  const { tree, root } = plant({ whole: true });
  const file = makeFile(tree, root, 'one');
  tree.link(file, root, 'two', NOW);
  tree.moved(root, 'one', root, 'two', 0);
  t.same(keysOf(tree.listing(root)), ['one', 'two']);
});

t.test('a provisional id becomes the one that the server gave', async (t) => {
  const { tree, root } = plant({ whole: true });
  const id = { ino: 0n, birth: 1n };
  const link = tree.symlink(root, 'link', { id, target: Buffer.from('to'), time: NOW });
  const other = tree.symlink(root, 'other', {
    id: { ino: 0n, birth: 2n },
    target: Buffer.from('to'),
    time: NOW,
  });
  t.not(link, other);
  t.equal(tree.byIndex(0n), undefined);
  tree.identified(link, attributesOf(40, SYMLINK));
  t.equal(tree.byIndex(40n), link);
  t.match(link.attributes, { ino: 40n, size: 2, mtime: NOW }, 'with what was made of it here');
  t.equal(tree.found(root, 'link', link.attributes).inode, link);
});

t.test('a file that was removed before it had its id is not kept', async (t) => {
  const { tree, root } = plant({ whole: true });
  const link = tree.symlink(root, 'link', {
    id: { ino: 0n, birth: 7n },
    target: Buffer.from('to'),
    time: NOW,
  });
  tree.unlink(root, 'link', NOW);
  tree.identified(link, attributesOf(40, SYMLINK));
  t.equal(tree.byIndex(40n), undefined);
});

t.test('what a server tells that cannot be, is not believed', async (t) => {
  const { tree, root } = plant();
  const directory = asDirectory(tree.found(root, 'd', attributesOf(10, DIRECTORY)).inode);
  t.equal(
    outcomeOf(() => tree.found(directory, 'loop', attributesOf(10, DIRECTORY))),
    'EIO',
  );
  t.equal(
    outcomeOf(() => tree.told(directory, attributesOf(11, DIRECTORY))),
    'ESTALE',
  );
  const { inode } = asName(tree.lookup(root, 'd'));
  t.equal(inode, directory);
  t.equal(
    tree.found(root, 'd', attributesOf(10, REGULAR)).inode.isDirectory(),
    false,
    'another file by that number',
  );
});

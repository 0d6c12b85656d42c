import t from 'tap';
import {
  CREATE,
  LINK,
  MKDIR,
  RENAME,
  RMDIR,
  UNLINK,
  type LogOperation,
} from '../../../protocol/operations.js';
import type { FileId, FileRef } from '../../../protocol/references.js';
import { Hints } from '../../../mount/filesystem/hints.js';
import { ServerIds } from '../../../mount/filesystem/server-ids.js';
import type { Entry } from '../../../mount/log/entry.js';
import { Log } from '../../../mount/log/log.js';
import type { DirectoryInode, Inode } from '../../../mount/tree/inode.js';
import { NOTHING } from '../log/operations.js';
import { attributesOf, makeDirectory, makeFile, NOW, plant } from '../tree/planted.js';

function setup() {
  const { tree, root } = plant({ whole: true });
  const log = new Log({ failed: () => undefined, told: () => undefined });
  let provisional = 0n;
  const ids = new ServerIds({
    ...{ tree, log },
    provisional: () => ({ ino: 0n, birth: (provisional += 1n) }),
    getattr: () => t.fail('nothing is asked for'),
  });
  const hints = new Hints({ tree, log, ids });
  return { tree, root, log, ids, hints };
}

const refTo = ({ id }: Inode): FileRef => ({ ...id, path: null });

function create(directory: DirectoryInode, name: string, id: FileId | null = null): LogOperation {
  return { kind: CREATE, directory: refTo(directory), name: Buffer.from(name), time: NOW, mode: 0o644, id };
}

/** The paths that an operation has as hints. */
function pathsIn(operation: LogOperation): (string | undefined)[] {
  const refs = [
    'directory' in operation ? operation.directory : undefined,
    'newDirectory' in operation ? operation.newDirectory : undefined,
  ];
  return refs.filter((ref) => ref !== undefined).map((ref) => ref.path?.toString());
}

t.test('a path is that of before what the log moves and removes later', async (t) => {
  const { tree, root, log, hints } = setup();
  const a = makeDirectory(tree, root, 'a');
  const b = makeDirectory(tree, a, 'b');
  const append = (operation: LogOperation): Entry => log.append(operation, NOTHING);
  const inB = append(create(b, 'x'));
  tree.rename(root, 'a', root, 'c', 0, NOW);
  const renamed = append({
    kind: RENAME,
    ...{ directory: refTo(root), name: Buffer.from('a'), time: NOW, id: a.id },
    ...{ newDirectory: refTo(root), newName: Buffer.from('c'), flags: 0, replaced: null, hold: false },
  });
  const later = append(create(b, 'y'));
  tree.rmdir(a, 'b', NOW);
  append({ kind: RMDIR, directory: refTo(a), name: Buffer.from('b'), time: NOW, id: b.id });
  const hinted = (entry: Entry) => pathsIn(hints.add(entry.operation, entry));
  t.same(hinted(inB), ['a/b']);
  t.same(hinted(renamed), ['', '']);
  t.same(hinted(later), ['c/b']);
  t.same(hinted(append(create(a, 'z'))), ['c'], 'also what was appended since');
});

t.test('of a file with several names the path is one that it had then', async (t) => {
  const { tree, root, log, hints } = setup();
  const file = makeFile(tree, root, 'f');
  const append = (operation: LogOperation): Entry => log.append(operation, NOTHING);
  const named = (name: string) => ({ directory: refTo(root), name: Buffer.from(name), time: NOW });
  const link = (name: string): Entry => {
    tree.link(file, root, name, NOW);
    return append({ kind: LINK, ...named(name), file: refTo(file) });
  };
  const unlink = (name: string): Entry => {
    tree.unlink(root, name, NOW);
    return append({ kind: UNLINK, ...named(name), id: file.id, hold: false });
  };
  const [a, b] = [link('a'), link('b')];
  unlink('a');
  const again = link('a');
  unlink('f');
  const c = link('c');
  tree.rename(root, 'c', root, 'd', 0, NOW);
  append({
    kind: RENAME,
    ...{ ...named('c'), id: file.id, newDirectory: refTo(root), newName: Buffer.from('d') },
    ...{ flags: 0, replaced: null, hold: false },
  });
  for (const name of ['a', 'b']) unlink(name);
  const last = link('e');
  const pathOf = (entry: Entry): unknown => {
    const operation = hints.add(entry.operation, entry);
    return 'file' in operation ? operation.file.path?.toString() : undefined;
  };
  t.same([a, b, again, c, last].map(pathOf), ['f', 'a', 'f', 'a', 'd']);
});

t.test('ids are those that the server has, and of what it lost provisional ones with a path', async (t) => {
  const { tree, root, log, ids, hints } = setup();
  const d = makeDirectory(tree, root, 'd');
  const inode = makeFile(tree, d, 'f');
  const { id } = inode;
  const made = log.append(create(d, 'f', id), NOTHING);
  tree.unlink(d, 'f', NOW);
  const removed = log.append(
    { kind: UNLINK, directory: refTo(d), name: Buffer.from('f'), time: NOW, id, hold: false },
    NOTHING,
  );
  log.take();
  ids.connected(0, false);
  t.match(hints.add(made.operation, made), { id: { ino: 0n, birth: 1n } });
  t.match(hints.add(removed.operation, removed), {
    directory: { ino: d.id.ino, path: Buffer.from('d') },
    id: { ino: 0n, birth: 1n },
  });
  ids.told(made, attributesOf(30));
  t.match(hints.add(removed.operation, removed), { id: { ino: 30n } });
});

t.test('what is in a directory that the server lost has a path, too', async (t) => {
  const { tree, root, log, ids, hints } = setup();
  const d = makeDirectory(tree, root, 'd');
  const below = makeDirectory(tree, d, 'below');
  const append = (operation: LogOperation): Entry => log.append(operation, NOTHING);
  const mkdir = (directory: DirectoryInode, name: string, id: FileId): LogOperation => ({
    ...{ kind: MKDIR, directory: refTo(directory), name: Buffer.from(name) },
    ...{ time: NOW, mode: 0o755, id },
  });
  const made = append(mkdir(root, 'd', d.id));
  const madeBelow = append(mkdir(d, 'below', below.id));
  const inBelow = append(create(below, 'f'));
  log.take();
  ids.connected(0, false);
  const hinted = (): unknown => hints.add(inBelow.operation, inBelow);
  t.match(hinted(), { directory: { ino: 0n, path: Buffer.from('d/below') } });
  ids.told(made, attributesOf(30));
  t.match(hinted(), { directory: { ino: 0n, path: Buffer.from('d/below') } });
  ids.told(madeBelow, attributesOf(31));
  t.match(hinted(), { directory: { ino: 31n, path: Buffer.from('d/below') } });
});

/*
 * Finding files by id: wherever they are moved, however deep, and never another file for one that is gone.
 */
import { mkdirSync, readdirSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { MAX_KNOWN } from '../../../../daemon/home/files/known-files.js';
import { remotePath } from '../../../../protocol/ids.js';
import type { FileRef } from '../../../../protocol/references.js';
import { pread } from '../../../../posix/files.js';
import { renameat2 } from '../../../../posix/names.js';
import { ref } from '../../../lib/path-client.js';
import { kindOf } from '../fixture.js';
import {
  create,
  link,
  mkdir,
  partsTest,
  refTo,
  release,
  rename,
  setattr,
  unlink,
  write,
  type Parts,
  type PartsClient,
} from '../home-parts.js';

/** Makes a chain of directories; the references to them. */
function chain(client: PartsClient, from: FileRef, names: string[]): FileRef[] {
  const refs: FileRef[] = [];
  for (const name of names) refs.push(refTo(client.changed(mkdir(refs.at(-1) ?? from, name))));
  return refs;
}

function last(refs: FileRef[]): FileRef {
  const found = refs.at(-1);
  if (found === undefined) throw new Error('an empty chain');
  return found;
}

const long = 'n'.repeat(200);

partsTest('trees deeper than a path can tell', {}, (t, parts) => {
  const client = parts.client();
  const names = Array.from({ length: 60 }, () => long);
  const deepest = last(chain(client, parts.home, names));
  const f = client.changed(create(deepest, 'f'));
  client.change(write(refTo(f), 0, 'deep'));
  // Other files close all descriptors, so that the whole way is walked again.
  useMany(parts, client);
  t.equal(parts.identities.readable(refTo(f)).status.size, 4);
  const path = remotePath(Buffer.from(`${names.join('/')}/f`));
  t.equal(parts.identities.file({ ino: null, path }).status.ino, f.ino, 'by a path of 12,061 bytes');
  client.change(unlink({ ino: null, path: remotePath(Buffer.from(names.join('/'))) }, 'f'));
  client.change(rename([parts.home, long], [refTo(client.changed(mkdir(parts.home, 'top'))), long]));
  client.change(create(deepest, 'after its top was moved'));
});

partsTest('a held file whose name is not known, deeper than a path can tell', {}, (t, parts) => {
  const client = parts.client();
  const deepest = last(
    chain(
      client,
      parts.home,
      Array.from({ length: 30 }, () => long),
    ),
  );
  const f = client.changed(create(deepest, 'f'));
  client.change(write(refTo(f), 0, 'deep'));
  const { identities } = parts;
  client.change(link(refTo(f), deepest, 'g'));
  client.change(unlink(deepest, 'g', { hold: true }));
  // Behind the daemon.
  const { fd } = identities.directoryOf(deepest);
  renameat2(fd, Buffer.from('f'), fd, Buffer.from('renamed'), 0);
  t.ok('fd' in identities.file(refTo(f)));
  renameat2(fd, Buffer.from('renamed'), fd, Buffer.from('f'), 0);
  t.equal(identities.file(refTo(f)).status.nlink, 1);
  client.change(write(refTo(f), 4, 'er'));
  t.equal(identities.readable(refTo(f)).status.size, 6);
  client.change(setattr(refTo(f), { mode: 0o600, size: 3 }));
  client.change(link(refTo(f), parts.home, 'saved'));
  client.change(unlink(deepest, 'f'));
  client.change(unlink(parts.home, 'saved'));
  t.strictSame([identities.file(refTo(f)).status.nlink, identities.readable(refTo(f)).status.size], [0, 3]);
});

partsTest('of several names of a file others stay known when one is removed', {}, (t, parts) => {
  const client = parts.client();
  const { home, identities } = parts;
  const [d] = chain(client, home, ['d']);
  if (d === undefined) throw new Error('not made');
  const f = client.changed(create(home, 'f'));
  const directoryOf = (ref: FileRef) => {
    const located = identities.file(ref);
    return 'fd' in located ? undefined : located.parent;
  };
  client.change(link(refTo(f), d, 'g'));
  client.change(link(refTo(f), home, 'h'));
  client.change(unlink(home, 'h'));
  t.equal(directoryOf(refTo(f)), d.ino, 'the one that was told before');
  // By a name of which it knows no more, where it is kept open.
  client.change(unlink(d, 'g', { hold: true }));
  t.equal(directoryOf(refTo(f)), identities.root.ino);
  renameSync(join(parts.directory, 'f'), join(parts.directory, 'd', 'moved'));
  t.equal(directoryOf(refTo(f)), undefined, 'one that nobody told of');
  const hinted = { ...idOf(f), path: ref('d/moved').path } as FileRef;
  t.equal(directoryOf(hinted), d.ino, 'where the hint says');
  t.equal(directoryOf(refTo(f)), d.ino);
  const elsewhere = { ...idOf(f), path: ref('d').path } as FileRef;
  renameSync(join(parts.directory, 'd', 'moved'), join(parts.directory, 'f'));
  t.equal(directoryOf(elsewhere), undefined, 'not another file');
  client.change(release(idOf(f)));
});

/** Uses more directories and files than have descriptors. */
function useMany(parts: Parts, client: PartsClient): void {
  for (let i = 0; i < 150; i++) {
    const directory = refTo(client.changed(mkdir(parts.home, `d${i}`)));
    client.change(write(refTo(client.changed(create(directory, 'f'))), 0, String(i)));
  }
}

partsTest('more files than have descriptors, each by its id', {}, (t, parts) => {
  const client = parts.client();
  const files = Array.from({ length: 300 }, (_, i) => {
    const directory = refTo(client.changed(mkdir(parts.home, `dir${i}`)));
    return refTo(client.changed(create(directory, 'f')));
  });
  for (let round = 0; round < 3; round++) {
    for (const [i, file] of files.entries()) client.change(write(file, 0, `${i}`));
  }
  const open = readdirSync('/proc/self/fd').length;
  for (const [i, file] of files.entries()) {
    t.equal(parts.identities.readable(file).status.size, `${i}`.length);
  }
  t.equal(readdirSync('/proc/self/fd').length, open, 'the number of descriptors is bounded');
});

partsTest('directories moved behind the daemon', {}, async (t, parts) => {
  const client = parts.client();
  const [a, b] = chain(client, parts.home, ['a', 'b']);
  if (a === undefined || b === undefined) throw new Error('not made');
  const f = refTo(client.changed(create(b, 'f')));
  useMany(parts, client);
  renameSync(join(parts.directory, 'a'), join(parts.directory, 'moved'));
  t.equal(await kindOf(() => parts.identities.file(f)), 'ESTALE');
  t.equal(await kindOf(() => parts.identities.directory(a)), 'ESTALE');
  const hinted = { ...f, path: ref('moved/b/f').path } as FileRef;
  t.equal(parts.identities.file(hinted).status.ino, f.ino);
  t.equal(parts.identities.file(f).status.ino, f.ino, 'and from then on it is known where it is');
  t.equal(parts.identities.directory(a).ino, a.ino);
  useless(parts);
  renameSync(join(parts.directory, 'moved'), join(parts.directory, 'again'));
  mkdirSync(join(parts.directory, 'a'));
  parts.quota.reserve(0, 1);
  const hint = (path: string) =>
    kindOf(() => parts.identities.directory({ ...a, path: ref(path).path } as FileRef));
  t.equal(await hint('none'), 'ENOENT');
  t.equal(await hint('a'), 'ESTALE', 'another directory');
  t.equal(await hint('again'), 'no failure');
});

partsTest('a file that was removed behind the daemon, of which it has a descriptor', {}, (t, parts) => {
  const client = parts.client();
  const { identities } = parts;
  const f = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(f, 0, 'data'));
  unlinkSync(join(parts.directory, 'f'));
  const nlink = client.held.hold(identities.file({ ...f, path: ref('f').path } as FileRef)).nlink;
  t.equal(nlink, 0, 'who has it open goes on with it');
  useMany(parts, client);
  t.equal(identities.readable(f).status.size, 4);
  const text = Buffer.alloc(4);
  pread(identities.readable(f).fd, text, 0, 4, 0);
  t.equal(text.toString(), 'data');
  client.change(write(f, 4, 'more'));
  t.equal(identities.file(f).status.size, 8);
});

partsTest('a file that was removed behind the daemon, and is nowhere any more', {}, async (t, parts) => {
  const client = parts.client();
  const f = refTo(client.changed(create(parts.home, 'f')));
  client.change(write(f, 0, 'data'));
  const other = client.changed(create(parts.home, 'other'));
  useMany(parts, client);
  unlinkSync(join(parts.directory, 'f'));
  parts.quota.release(4, 1);
  for (const path of ['f', 'none/f', 'other/f', 'other']) {
    const hinted = { ...f, path: ref(path).path } as FileRef;
    t.equal(await kindOf(() => parts.identities.file(hinted)), 'ESTALE', path);
    t.equal(await kindOf(() => parts.identities.readable(hinted)), 'ESTALE', path);
    t.equal(await kindOf(() => parts.identities.writable(hinted)), 'ESTALE', path);
  }
  t.equal(await kindOf(() => parts.identities.file(ref('f'))), 'ENOENT', 'by its path');
  t.equal(parts.identities.file(refTo(other)).status.ino, other.ino);
});

partsTest('two directories that were moved into each other make no circle', {}, async (t, parts) => {
  const client = parts.client();
  const [a, b, c] = chain(client, parts.home, ['a', 'b', 'c']);
  if (a === undefined || b === undefined || c === undefined) throw new Error('not made');
  useMany(parts, client);
  // b above a, and only that is told: what is known says that each is in the other.
  renameSync(join(parts.directory, 'a', 'b'), join(parts.directory, 'b'));
  renameSync(join(parts.directory, 'a'), join(parts.directory, 'b', 'a'));
  parts.identities.learn(parts.identities.file(ref('b/a')).status, b.ino ?? 0n, Buffer.from('a'));
  parts.identities.learn(parts.identities.file(ref('b')).status, a.ino ?? 0n, Buffer.from('b'));
  useless(parts);
  t.equal(await kindOf(() => parts.identities.directory(c)), 'ESTALE');
  t.equal(parts.identities.directory({ ...c, path: ref('b/c').path } as FileRef).ino, c.ino);
});

/** Closes the descriptors of directories by using others. */
function useless(parts: Parts): void {
  for (let i = 0; i < 150; i++) parts.identities.directory(ref(`d${i}`));
}

partsTest('an inode number that is used again is another file', {}, async (t, parts) => {
  const client = parts.client();
  const f = client.changed(create(parts.home, 'f'));
  const other = { ...idOf(f), birth: idOf(f).birth + 1n, path: null };
  t.equal(await kindOf(() => parts.identities.file(other)), 'ESTALE');
  t.equal(await kindOf(() => parts.identities.readable(other)), 'ESTALE');
  const d = client.changed(mkdir(parts.home, 'd'));
  t.equal(await kindOf(() => parts.identities.directory({ ...idOf(d), birth: 1n, path: null })), 'ESTALE');
  t.equal(await kindOf(() => parts.identities.directory(refTo(f))), 'ESTALE', 'no directory has this id');
  t.equal(await kindOf(() => parts.identities.directory(ref('f'))), 'ENOTDIR');
});

partsTest('what is not a regular file is not opened for its data', {}, async (t, parts) => {
  const client = parts.client();
  client.change(mkdir(parts.home, 'd'));
  client.change(create(parts.home, 'p', { mode: 0o010600 }));
  symlinkSync('/etc/passwd', join(parts.directory, 's'));
  parts.quota.reserve(0, 1);
  for (const [path, kind] of [
    ['', 'EISDIR'],
    ['d', 'EISDIR'],
    ['p', 'ENXIO'],
    ['s', 'ELOOP'],
    ['s/x', 'ELOOP'],
    ['p/x', 'ENOTDIR'],
    ['none', 'ENOENT'],
  ] as const) {
    t.equal(await kindOf(() => parts.identities.readable(ref(path))), kind, path);
    t.equal(await kindOf(() => parts.identities.writable(ref(path))), kind, path);
  }
});

partsTest('a removed directory that a client has open is empty and stays so', {}, async (t, parts) => {
  const client = parts.client();
  const d = client.changed(mkdir(parts.home, 'd'));
  client.held.hold(parts.identities.file(refTo(d)));
  rmdirSync(join(parts.directory, 'd'));
  parts.quota.release(0, 1);
  t.equal(parts.identities.file(refTo(d)).status.nlink, 0);
  t.equal(await kindOf(() => client.change(create(refTo(d), 'x'))), 'ENOENT');
  t.equal(await kindOf(() => parts.identities.lookup(refTo(d), Buffer.from('x'))), 'ENOENT');
});

partsTest('what is known is bounded, and what is in use stays', {}, async (t, parts) => {
  const client = parts.client();
  const d = client.changed(mkdir(parts.home, 'd'));
  const f = client.changed(create(refTo(d), 'f'));
  const forgotten = client.changed(create(refTo(d), 'forgotten'));
  for (let i = 0; i < 3 * MAX_KNOWN; i++) {
    parts.identities.learn({ ...f, ino: (1n << 40n) | BigInt(i) }, d.ino, Buffer.from(`made up ${i}`));
    if (i % 1000 === 0) parts.identities.file(refTo(f));
  }
  t.equal(parts.identities.file(refTo(f)).status.ino, f.ino);
  t.equal(await kindOf(() => parts.identities.file(refTo(forgotten))), 'ESTALE');
});

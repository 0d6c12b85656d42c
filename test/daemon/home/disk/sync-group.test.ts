/*
 * Syncs that are served together: each is told about its own file.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { SyncGroup } from '../../../../daemon/home/disk/sync-group.js';
import { fd } from '../../../../posix/fd.js';
import { close, syncfs } from '../../../../posix/files.js';
import { socketpair } from '../../../../posix/sockets.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { kindOf } from '../fixture.js';

t.test('one that the disk refuses fails alone, however many are synced together', async (t) => {
  const directory = temporaryDirectory(t);
  const [root, file] = [fd(openSync(directory, 'r')), fd(openSync(`${directory}/f`, 'w'))];
  const [socket, other] = socketpair();
  t.teardown(() => {
    for (const each of [root, file, socket, other]) close(each);
  });
  const kinds = (group: SyncGroup, ...files: (typeof root)[]): Promise<string[]> =>
    Promise.all(files.map((each) => kindOf(() => group.sync(each))));
  const tree = ConfinedTree.open(directory);
  const group = new SyncGroup(tree);
  t.teardown(() => {
    group.close();
    tree.close();
  });
  t.same(await kinds(group, socket), ['EINVAL'], 'as a socket says');
  t.same(await kinds(group, file, root), ['no failure', 'no failure']);
  // Nothing can be said of all where all cannot be synced.
  const blind = new SyncGroup({ root, openDirectory: () => fd(1 << 20) });
  t.same(await kinds(blind, file, socket, root), ['no failure', 'EINVAL', 'no failure']);
});

const LOST = ['EIO', 'ENOSPC'];

/** A file system that takes 200 MiB, on a disk that takes a few: what does not fit is lost when it is written back. */
function lossyDisk(t: Test): string {
  const place = temporaryDirectory(t);
  const [memory, disk] = [join(place, 'memory'), join(place, 'disk')];
  for (const directory of [memory, disk]) mkdirSync(directory);
  t.teardown(() => execFileSync('sh', ['-c', 'umount -l "$1"; umount -l "$2"', 'sh', disk, memory]));
  const script = `mount -t tmpfs -o size=12M none "$1"; truncate -s 200M "$1/image"
    mkfs.ext4 -q -O ^has_journal -E nodiscard "$1/image"; mount -o loop "$1/image" "$2"`;
  execFileSync('sh', ['-ec', script, 'sh', memory, disk]);
  return disk;
}

t.test('what it was told of is told to who syncs the home, too', async (t) => {
  if (process.geteuid?.() !== 0) return t.plan(0, 'only root can mount a disk image');
  const disk = lossyDisk(t);
  const tree = ConfinedTree.open(disk);
  t.teardown(() => tree.close());
  const group = new SyncGroup(tree);
  t.teardown(() => group.close());
  const path = join(disk, 'f');
  writeFileSync(path, randomBytes(24 * 1024 * 1024));
  const file = fd(openSync(path, 'r+'));
  t.teardown(() => close(file));
  // The loop device says ENOSPC where it cannot write, and EIO where that is not known in time.
  const told = await Promise.all([file, tree.root].map((each) => kindOf(() => group.sync(each))));
  t.ok(
    told.some((kind) => LOST.includes(kind)),
    told.join(),
  );
  t.ok(LOST.includes(await kindOf(() => syncfs(tree.root))));
});

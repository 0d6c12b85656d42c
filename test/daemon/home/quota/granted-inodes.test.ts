/*
 * Inode numbers given ahead: they are those of the files that are made, with O_TMPFILE and without.
 */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GrantedInodes, InodePool } from '../../../../daemon/home/quota/granted-inodes.js';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import type { FileId } from '../../../../protocol/references.js';
import { MAX_GRANTED_INODES } from '../../../../protocol/limits.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { kindOf } from '../fixture.js';
import { at, create, mkdir, Parts, partsTest, write } from '../home-parts.js';

function first(ids: FileId[]): FileId {
  const [id] = ids;
  if (id === undefined) throw new Error('nothing was granted');
  return id;
}

for (const unnamed of [true, false]) {
  const how = unnamed ? 'files without a name' : 'hidden files';

  partsTest(`granted files and directories, ${how}`, { unnamed }, (t, parts) => {
    const client = parts.client();
    const [, , regular, directories] = client.grant.take(0, 0, 3, 2);
    t.strictSame([regular.length, directories.length], [3, 2]);
    t.strictSame(parts.quota.used, { bytes: 0, files: 0 }, 'they are not charged');
    const d = first(directories);
    const f = first(regular);
    client.log(
      mkdir(parts.home, 'd', { id: d, mode: 0o1750, time: at(1) }),
      create({ ...d, path: null }, 'f', { id: f, mode: 0o640, time: at(2) }),
    );
    const directory = lstatSync(join(parts.directory, 'd'), { bigint: true });
    const file = lstatSync(join(parts.directory, 'd/f'), { bigint: true });
    t.strictSame([directory.ino, directory.mode], [d.ino, 0o041750n]);
    t.strictSame([file.ino, file.mode, file.nlink], [f.ino, 0o100640n, 1n]);
    t.equal(file.mtimeMs, BigInt(at(2).sec * 1000));
    client.log(write({ ...f, path: null }, 0, 'data'));
    t.strictSame(parts.quota.used, { bytes: 4, files: 2 });
  });

  partsTest(
    `a granted inode is still there when its name was taken, ${how}`,
    { unnamed },
    async (t, parts) => {
      const client = parts.client();
      const [, , regular, directories] = client.grant.take(0, 0, 1, 1);
      client.change(create(parts.home, 'taken'));
      const f = first(regular);
      const d = first(directories);
      t.equal(await kindOf(() => client.log(create(parts.home, 'taken', { id: f }))), 'EEXIST');
      t.equal(await kindOf(() => client.log(mkdir(parts.home, 'taken', { id: d }))), 'EEXIST');
      client.log(create(parts.home, 'f', { id: f }), mkdir(parts.home, 'd', { id: d }));
      t.equal(lstatSync(join(parts.directory, 'f'), { bigint: true }).ino, f.ino);
      t.equal(lstatSync(join(parts.directory, 'd'), { bigint: true }).ino, d.ino);
    },
  );

  void t.test(`what an earlier daemon had granted is removed, ${how}`, async (t) => {
    const directory = join(temporaryDirectory(t), 'home');
    mkdirSync(directory);
    const parts = new Parts(directory, { unnamed });
    const [, , regular] = parts.client().grant.take(0, 0, 5, 5);
    // It is killed here.
    const next = new Parts(directory, { unnamed });
    t.strictSame(readdirSync(join(directory, '.ftpmount', 'granted')), []);
    const { counted } = await next.counts();
    t.strictSame(counted, { bytes: 0, files: 0 });
    const client = next.client();
    const lost = first(regular);
    const [told] = client.log(create(next.home, 'f', { id: lost }));
    t.equal(told?.length, 1, 'a file with another id is made instead, and its id told');
    client.log(write({ ...lost, path: null }, 0, 'by the lost id'));
    t.equal(lstatSync(join(directory, 'f')).size, 14);
    next.close();
  });
}

partsTest("another client's ids are nobody's", {}, (t, parts) => {
  const one = parts.client();
  const two = parts.client();
  const id = first(one.grant.take(0, 0, 1, 0)[2]);
  const [told] = two.log(create(parts.home, 'f', { id }));
  t.not(told?.[0]?.ino, id.ino);
});

void t.test('they are limited for a client and for a home', async (t) => {
  const directory = join(temporaryDirectory(t), 'home');
  mkdirSync(directory);
  const tree = ConfinedTree.open(directory);
  const pool = new InodePool(tree);
  let directories = 0;
  const clients = Array.from({ length: 10 }, () => new GrantedInodes(pool));
  for (const client of clients) {
    let own = 0;
    for (;;) {
      const made = client.make(0, 100).directories.length;
      if (made === 0) break;
      own += made;
    }
    t.ok(own <= MAX_GRANTED_INODES);
    directories += own;
  }
  t.ok(directories > 0 && directories <= 4 * MAX_GRANTED_INODES);
  for (const client of clients) client.close();
  t.strictSame([pool.files, pool.directories], [0, 0]);
  pool.close();
  t.strictSame(readdirSync(join(directory, '.ftpmount', 'granted')), []);
  tree.close();
});

partsTest('ids whose answer was lost are not granted any more', {}, (t, parts) => {
  const { grant } = parts.client();
  const [, , files, directories] = grant.take(0, 0, 100, 100);
  let received = files.length + directories.length;
  const open = readdirSync('/proc/self/fd').length;
  for (let reconnected = 0; reconnected < 50; reconnected++) {
    grant.inodes.received(received);
    grant.take(0, 0, 20, 10);
  }
  t.ok(readdirSync('/proc/self/fd').length <= open + 20, 'they keep no descriptors');
  t.ok(readdirSync(join(parts.directory, '.ftpmount', 'granted'), { recursive: true }).length <= 120);
  for (const id of files) t.ok(grant.inodes.hasFile(id), 'what was received stays');
  for (const id of directories) t.ok(grant.inodes.hasDirectory(id));
  grant.inodes.received(received);
  const [, , more] = grant.take(0, 0, 100, 0);
  t.equal(more.length, 100, 'and there is room for others');
  received += more.length;
  grant.inodes.received(received);
  t.ok(grant.inodes.hasFile(first(more)));
});

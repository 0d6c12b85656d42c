/*
 * Every clause of the quota, each ending with the charge compared to a count of the tree (homeTest).
 */
import { chmodSync, chownSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Failure } from '../../../../protocol/failure.js';
import { RELEASE, SETATTR, WRITE } from '../../../../protocol/operations.js';
import { RESERVED_NAME } from '../../../../state/home-layout.js';
import { Quota } from '../../../../daemon/home/quota/quota.js';
import type { UserHome, UserHomeOptions } from '../../../../daemon/home/user-home.js';
import type { PathClient } from '../../../lib/path-client.js';
import { homeTest, kindOf, Place, TestClient } from '../fixture.js';

const KiB = 1024;
const RENAME_EXCHANGE = 2;
const NOBODY = 65_534;

function client(home: UserHome): PathClient {
  return new TestClient(home).paths;
}

homeTest('bytes are apparent sizes: a hole counts as data', {}, async (t, home) => {
  const paths = client(home);
  await paths.create('sparse');
  await paths.write('sparse', 1_000_000, Buffer.alloc(10));
  t.strictSame(home.quota.used, { bytes: 1_000_010, files: 1 });
  await paths.write('sparse', 5, Buffer.alloc(100));
  t.strictSame(home.quota.used, { bytes: 1_000_010, files: 1 }, 'overwriting charges nothing');
});

homeTest('growth past the limit: what fits to the byte is written', { bytes: 100 }, async (t, home) => {
  const paths = client(home);
  await paths.create('f');
  await paths.write('f', 0, Buffer.alloc(90, 1));
  await paths.write('f', 80, Buffer.alloc(30, 2));
  t.equal((await paths.stat('f')).size, 100);
  t.ok((await paths.read('f')).equals(Buffer.concat([Buffer.alloc(80, 1), Buffer.alloc(20, 2)])));
  t.equal(await kindOf(() => paths.write('f', 1000, Buffer.alloc(1))), 'EDQUOT', 'beyond the end');
  t.equal(await kindOf(() => paths.write('f', 100, Buffer.alloc(1))), 'EDQUOT');
  t.equal(await kindOf(() => paths.setattr('f', { size: 101, mode: 0o600 })), 'EDQUOT', 'truncate upwards');
  t.strictSame(
    [(await paths.stat('f')).size, (await paths.stat('f')).mode],
    [100, 0o100644],
    'changes nothing',
  );
  await paths.write('f', 0, Buffer.alloc(100));
  t.strictSame(home.quota.used, { bytes: 100, files: 1 });
});

homeTest('appending is charged from the end', { bytes: 10 }, async (t, home) => {
  const paths = client(home);
  await paths.create('log');
  await paths.write('log', null, '12345');
  await client(home).write('log', null, '6789');
  t.equal(home.quota.used.bytes, 9);
  await paths.write('log', null, 'xy');
  t.equal(await kindOf(() => paths.write('log', null, 'y')), 'EDQUOT');
  t.equal(String(await paths.read('log')), '123456789x');
});

homeTest('truncating gives back', {}, async (t, home) => {
  const paths = client(home);
  await paths.put('f', Buffer.alloc(100));
  await paths.setattr('f', { size: 60 });
  t.equal(home.quota.used.bytes, 60);
  await paths.setattr('f', { size: 0 });
  t.strictSame(home.quota.used, { bytes: 0, files: 1 });
});

homeTest(
  'inodes: every maker is refused at the limit, and removing gives back',
  { files: 5 },
  async (t, home) => {
    const paths = client(home);
    await paths.mkdir('d');
    await paths.symlink('nowhere', 'd/l');
    await paths.create('d/fifo', 0o010644);
    await paths.create('d/plain');
    await paths.put('f', 'x');
    t.strictSame(home.quota.used, { bytes: 1, files: 5 }, 'a symlink has no bytes');
    t.equal(await kindOf(() => paths.mkdir('e')), 'EDQUOT');
    t.equal(await kindOf(() => paths.symlink('x', 'e')), 'EDQUOT');
    t.equal(await kindOf(() => paths.create('e')), 'EDQUOT');
    t.equal(await kindOf(() => paths.create('e', 0o140644)), 'EDQUOT');
    t.equal(await kindOf(() => paths.mkdir('d')), 'EEXIST', 'what exists comes first');
    t.equal(await kindOf(() => paths.create('f')), 'EEXIST');
    await paths.link('f', 'd/hard');
    t.equal(home.quota.used.files, 5, 'a hard link is no inode');
    for (const name of ['d/l', 'd/fifo', 'd/plain', 'd/hard']) await paths.unlink(name);
    await paths.rmdir('d');
    t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  },
);

homeTest('a failed maker gives its inode back', {}, async (t, home) => {
  const paths = client(home);
  t.equal(await kindOf(() => paths.mkdir('missing/d')), 'ENOENT');
  await paths.mkdir('d');
  t.equal(await kindOf(() => paths.mkdir('d')), 'EEXIST');
  t.equal(await kindOf(() => paths.symlink('x', 'd')), 'EEXIST');
  t.equal(home.quota.used.files, 1);
});

homeTest('hard links are charged once, until the last name', {}, async (t, home) => {
  const paths = client(home);
  await paths.put('a', Buffer.alloc(10));
  await paths.link('a', 'b');
  t.strictSame(home.quota.used, { bytes: 10, files: 1 });
  await paths.unlink('a');
  t.strictSame(home.quota.used, { bytes: 10, files: 1 });
  await paths.unlink('b');
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

homeTest('a held file without a name is charged until its last release', { bytes: 100 }, async (t, home) => {
  const one = new TestClient(home);
  const two = new TestClient(home);
  await one.paths.put('f', Buffer.alloc(60));
  const { ino, birth } = await one.call('hold', ['f']);
  await two.call('hold', ['f']);
  await one.paths.unlink('f');
  t.strictSame(home.quota.used, { bytes: 60, files: 1 });
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree, 'a check knows of it');
  const file = { ino, birth, path: null };
  const write = (offset: number, length: number) =>
    two.paths.change({ kind: WRITE, file, offset, data: Buffer.alloc(length), time: null });
  await write(60, 40);
  t.equal(await kindOf(() => write(100, 1)), 'EDQUOT');
  await two.paths.change({
    ...{ kind: SETATTR, file, size: 30, mode: null, atime: null, mtime: null, time: null },
  });
  t.equal(home.quota.used.bytes, 30);
  await one.paths.change({ kind: RELEASE, id: { ino, birth } });
  t.strictSame(home.quota.used, { bytes: 30, files: 1 });
  await two.paths.change({ kind: RELEASE, id: { ino, birth } });
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

homeTest('renaming over a file gives back what it held, unless something keeps it', {}, async (t, home) => {
  const one = new TestClient(home);
  const { paths } = one;
  await paths.put('a', Buffer.alloc(1));
  await paths.put('b', Buffer.alloc(10));
  await paths.rename('a', 'b');
  t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  await paths.put('open', Buffer.alloc(100));
  const { ino, birth } = await one.call('hold', ['open']);
  await paths.rename('b', 'open');
  t.strictSame(home.quota.used, { bytes: 101, files: 2 });
  await paths.change({ kind: RELEASE, id: { ino, birth } });
  t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  await paths.link('open', 'again');
  await paths.rename('open', 'again');
  t.strictSame(home.quota.used, { bytes: 1, files: 1 }, 'two names of one file: nothing happens');
  await paths.mkdir('d1');
  await paths.mkdir('d2');
  await paths.rename('d1', 'd2');
  t.equal(home.quota.used.files, 2, 'an empty directory was replaced');
  await paths.put('x', Buffer.alloc(5));
  await paths.rename('x', 'd2', RENAME_EXCHANGE);
  t.strictSame(home.quota.used, { bytes: 6, files: 3 }, 'an exchange removes nothing');
});

homeTest(
  'a limit lowered below the use refuses growth and loses nothing',
  { bytes: 1000 },
  async (t, home) => {
    const paths = client(home);
    await paths.put('f', Buffer.alloc(500));
    home.setLimits({ bytes: 100, files: 1 });
    t.equal(await kindOf(() => paths.write('f', 500, Buffer.alloc(1))), 'EDQUOT');
    t.equal(await kindOf(() => paths.mkdir('d')), 'EDQUOT');
    await paths.write('f', 0, Buffer.alloc(500, 1));
    await paths.setattr('f', { size: 400 });
    t.equal(await kindOf(() => paths.write('f', 400, Buffer.alloc(1))), 'EDQUOT');
    await paths.setattr('f', { size: 50 });
    await paths.write('f', 50, Buffer.alloc(50));
    home.setLimits({ bytes: 0, files: 0 });
    await paths.write('f', 100, Buffer.alloc(5000));
    t.equal(home.quota.used.bytes, 5100, '0 is no limit');
  },
);

homeTest('statfs tells limits and use', { bytes: 10_000, files: 7 }, async (t, home) => {
  const one = new TestClient(home);
  await one.paths.put('f', Buffer.alloc(123));
  const [blockSize, bytes, used, free, files, usedFiles, freeFiles] = await one.call('statfs', []);
  t.ok(blockSize >= 512);
  t.strictSame([bytes, used, files, usedFiles], [10_000, 123, 7, 1]);
  t.ok(free > 0 && freeFiles > 0);
});

homeTest(
  '8 clients hammering at the limit at once never pass it by a byte',
  { bytes: 64 * KiB, files: 40 },
  async (t, home) => {
    const clients = Array.from({ length: 8 }, () => client(home));
    let seed = 12345;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor(seed / 65_536) % below;
    };
    const step = async (paths: PathClient): Promise<unknown> => {
      const name = `f${random(30)}`;
      switch (random(8)) {
        case 0:
          return paths.mkdir(name);
        case 1:
        case 2:
        case 3: {
          const offset = random(3) === 0 ? null : random(8 * KiB);
          const data = Buffer.alloc(1 + random(6 * KiB));
          await kindOf(() => paths.create(name));
          return paths.write(name, offset, data);
        }
        case 4:
          return paths.setattr(name, { size: random(8 * KiB) });
        case 5:
          return paths.unlink(name);
        case 6:
          return paths.rename(name, `f${random(30)}`, random(3) === 0 ? RENAME_EXCHANGE : 0);
        default:
          return paths.link(name, `l${random(30)}`);
      }
    };
    let refused = 0;
    let most = 0;
    for (let round = 0; round < 400; round++) {
      const kinds = await Promise.all(clients.map((paths) => kindOf(() => step(paths))));
      refused += kinds.filter((kind) => kind === 'EDQUOT').length;
      most = Math.max(most, home.quota.used.bytes);
      if (round % 100 === 0) {
        const { ledger, tree } = await home.check(false);
        t.strictSame(ledger, tree);
      }
    }
    t.ok(refused > 100, `the limit was met ${refused} times`);
    t.equal(most, 64 * KiB, 'it is used to the byte, and never passed');
  },
);

/** A home, and how its last client leaves: resolves when it is at rest. */
async function openUntilLeft(
  place: Place,
  options: Pick<UserHomeOptions, 'sync'> = {},
): Promise<{ home: UserHome; left: (last: TestClient) => Promise<void> }> {
  let onIdle: () => void = () => undefined;
  const home = await place.open({ ...options, onIdle: () => onIdle() });
  const left = (last: TestClient): Promise<void> => {
    const idle = new Promise<void>((resolve) => {
      onIdle = resolve;
    });
    home.logout(last.client);
    last.leave();
    return idle;
  };
  return { home, left };
}

void t.test('the ledger: dirty before the first change, clean when nothing is held', async (t) => {
  const place = new Place(t);
  const { home, left } = await openUntilLeft(place);
  const read = () => place.state.ledger.read(place.user);
  t.strictSame(read(), { bytes: 0, files: 0, clean: false }, 'a new home is counted, and not synced');
  await left(new TestClient(home));
  t.strictSame(read(), { bytes: 0, files: 0, clean: true });
  const one = new TestClient(home);
  await one.paths.stat('');
  t.equal(read()?.clean, true);
  await one.paths.create('f');
  t.equal(read()?.clean, false);
  await one.paths.write('f', 0, Buffer.alloc(9));
  await one.call('hold', ['f']);
  one.leave();
  await home.durability.sync();
  t.equal(read()?.clean, false, 'a file is still held for a client that may return');
  await home.close();
  t.strictSame(read(), { bytes: 9, files: 1, clean: true });
});

void t.test('the ledger is clean only when the disk has all, also of uploads', async (t) => {
  const place = new Place(t);
  let syncs = 0;
  let lost = false;
  const sync = () => {
    syncs += 1;
    return lost ? Promise.reject(new Failure('EIO', 'the disk is gone')) : Promise.resolve();
  };
  const isClean = () => place.state.ledger.read(place.user)?.clean;
  const { home, left } = await openUntilLeft(place, { sync });
  const one = new TestClient(home);
  const upload = [Buffer.from('f'), 4, 0o644, 0, 0, Buffer.alloc(32)];
  const [handle] = await one.call('uploadBegin', upload);
  await one.call('uploadWrite', [handle, 0, Buffer.from('part')]);
  await home.durability.sync();
  await one.call('uploadAbort', [handle]);
  const before = syncs;
  await left(one);
  t.ok(syncs > before, 'the removal of what was uploaded is synced');
  t.equal(isClean(), true);
  const other = new TestClient(home);
  await other.paths.create('g');
  t.equal((await home.check(true)).repaired, false);
  t.equal(isClean(), false, 'a check alone makes nothing durable');
  lost = true;
  other.leave();
  await home.close();
  t.equal(isClean(), false, 'nor is it where the disk fails');
});

void t.test('an unclean stop is recounted, a clean one is believed', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const paths = client(home);
  await paths.put('f', Buffer.alloc(10));
  await paths.link('f', 'g');
  await paths.mkdir('d');
  await paths.symlink('f', 'd/l');
  // The daemon dies here: nothing is written, and another opens the home.
  const next = await place.open();
  t.strictSame(next.quota.used, { bytes: 10, files: 3 });
  await next.close();
  writeFileSync(join(place.directory, 'behind'), 'the daemon');
  const again = await place.open();
  t.strictSame(again.quota.used, { bytes: 10, files: 3 }, 'a clean ledger is not recounted');
  const { ledger, tree, repaired } = await again.check(true);
  t.strictSame([ledger, tree, repaired], [{ bytes: 10, files: 3 }, { bytes: 20, files: 4 }, true]);
  t.strictSame(again.quota.used, { bytes: 20, files: 4 }, 'and repaired');
});

const onlyRoot = process.geteuid?.() === 0 ? {} : { skip: 'only root can become another user' };

void t.test('a daemon that is no superuser counts directories that lock it out', onlyRoot, async (t) => {
  const place = new Place(t);
  const modes = { none: 0, none2: 0, 'none/in': 0o200, unread: 0o300, unsearched: 0o600 };
  const paths = Object.keys(modes).map((name) => join(place.directory, name));
  for (const path of paths) {
    mkdirSync(path);
    writeFileSync(join(path, 'f'), 'data');
    for (const made of [path, join(path, 'f')]) chownSync(made, NOBODY, NOBODY);
  }
  const home = await place.open();
  const expected = home.quota.used;
  const set = Object.values(modes);
  for (const [at, path] of paths.entries()) chmodSync(path, set[at] ?? 0);
  for (const path of ['', RESERVED_NAME.toString()]) chownSync(join(place.directory, path), NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
  try {
    t.strictSame((await home.check(false)).tree, expected);
  } finally {
    process.seteuid?.(0);
  }
  t.strictSame(
    paths.map((path) => statSync(path).mode & 0o7777),
    set,
    'their modes are as they were',
  );
});

void t.test('changes behind the daemon never make a charge negative', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const paths = client(home);
  await paths.put('f', Buffer.alloc(10));
  truncateSync(join(place.directory, 'f'), 1000);
  await paths.unlink('f');
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

void t.test('a tree of few but deep directories is counted, and in pieces', async (t) => {
  const home = await new Place(t).open();
  const paths = client(home);
  const names = Array.from({ length: 18 }, () => 'n'.repeat(200));
  for (let chain = 0; chain < 30; chain++) {
    for (let depth = 0; depth < 18; depth++) {
      await paths.mkdir([`${chain}`, ...names.slice(0, depth)].join('/'));
    }
    // Each chain hangs below the next one: deeper than a path can tell.
    if (chain > 0) await paths.rename(`${chain - 1}`, [`${chain}`, ...names.slice(1), 'below'].join('/'));
  }
  let turns = 0;
  const counted = home.check(false);
  const next = (): void => {
    turns += 1;
    if (home.counting) setImmediate(next);
  };
  setImmediate(next);
  const { ledger, tree } = await counted;
  t.strictSame(ledger, tree);
  t.equal(tree.files, 30 * 18);
  t.ok(turns >= 5, `others had ${turns} turns meanwhile`);
});

void t.test('nothing is changed between the counts of a home that is counted several times', async (t) => {
  const home = await new Place(t).open();
  const [first, second, third] = [home.check(false), home.check(true), home.check(false)];
  await first;
  t.ok(home.counting);
  await second;
  t.ok(home.counting);
  await third;
  t.notOk(home.counting);
});

void t.test('a limit below the use: of the trash as much is granted as it gives beyond', (t) => {
  const emptied: number[] = [];
  const quota: Quota = new Quota(
    { bytes: 110, files: 2, trashed: { bytes: 100, files: 1 } },
    { bytes: 100, files: 0 },
    {
      emptyTrash: ({ bytes }) => {
        emptied.push(bytes);
        quota.moveToTrash(-100, -1);
        quota.release(100, 1);
      },
    },
  );
  t.strictSame([quota.fitting(1000), emptied], [90, [100]]);
  t.strictSame([quota.fitting(1000), emptied], [90, [100]], 'nothing is left to be emptied');
  t.end();
});

void t.test('what is in the trash is never more than the use', (t) => {
  const quota = new Quota({ bytes: 10, files: 1, trashed: { bytes: 20, files: 2 } }, { bytes: 0, files: 0 });
  t.strictSame(quota.trashed, { bytes: 10, files: 1 });
  quota.release(6, 0);
  t.strictSame(quota.trashed, { bytes: 4, files: 1 });
  quota.correct({ bytes: 1, files: 1 }, { bytes: 2, files: 1 });
  t.strictSame(quota.trashed, { bytes: 1, files: 1 });
  t.end();
});

void t.test('a check tells, and repairs, what is in the trash', async (t) => {
  const home = await new Place(t, { trashMs: 86_400_000 }).open();
  const { paths } = new TestClient(home);
  await paths.put('f', 'data');
  await paths.unlink('f');
  const there = home.quota.trashed;
  home.quota.moveToTrash(-3, 0);
  const wrong = { ledger: { ...there, bytes: 1 }, tree: there };
  t.match(await home.check(false), { repaired: false, trash: wrong });
  t.match(await home.check(true), { repaired: true, trash: wrong });
  t.match(await home.check(true), { repaired: false, trash: { ledger: there, tree: there } });
});

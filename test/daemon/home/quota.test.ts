/*
 * Every clause of the quota, each ending with the charge compared to a count of the tree (homeTest).
 */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { homeTest, kindOf, Place, TestClient } from './fixture.js';

const READ_WRITE = 3;
const WRITE = 2;
const APPEND = 4;
const TRUNCATE = 8;
const EXCLUSIVE = 16;
const KiB = 1024;

homeTest('bytes are apparent sizes: a hole counts as data', {}, (t, home) => {
  const client = new TestClient(home);
  const handle = client.open('sparse', READ_WRITE);
  client.call('write', handle, 1_000_000, Buffer.alloc(10));
  t.strictSame(home.quota.used, { bytes: 1_000_010, files: 1 });
  client.call('write', handle, 5, Buffer.alloc(100));
  t.strictSame(home.quota.used, { bytes: 1_000_010, files: 1 }, 'overwriting charges nothing');
});

homeTest(
  'growth past the limit is refused to the byte, and changes nothing',
  { bytes: 100 },
  async (t, home) => {
    const client = new TestClient(home);
    const handle = client.open('f', READ_WRITE);
    client.call('write', handle, 0, Buffer.alloc(99));
    t.equal(await kindOf(() => client.call('write', handle, 99, Buffer.alloc(2))), 'EDQUOT');
    t.equal(client.size('f'), 99);
    client.call('write', handle, 99, Buffer.alloc(1));
    t.strictSame(home.quota.used, { bytes: 100, files: 1 });
    t.equal(
      await kindOf(() => client.call('write', handle, 1000, Buffer.alloc(1))),
      'EDQUOT',
      'beyond the end',
    );
    t.equal(
      await kindOf(() => client.call('setattr', 'f', [null, 101, null, null])),
      'EDQUOT',
      'truncate upwards',
    );
    t.equal(await kindOf(() => client.call('fsetattr', handle, [null, 101, null, null])), 'EDQUOT');
    client.call('write', handle, 0, Buffer.alloc(100));
    t.strictSame(home.quota.used, { bytes: 100, files: 1 });
  },
);

homeTest('appending is charged from the end, wherever the offset points', { bytes: 10 }, async (t, home) => {
  const client = new TestClient(home);
  const append = client.open('log', WRITE | APPEND);
  client.call('write', append, 0, Buffer.from('12345'));
  client.call('write', append, 0, Buffer.from('6789'));
  t.equal(home.quota.used.bytes, 9);
  t.equal(await kindOf(() => client.call('write', append, 0, Buffer.from('xy'))), 'EDQUOT');
  const reader = client.open('log', 1, false);
  t.equal(String(client.call('read', reader, 0, 100)), '123456789');
});

homeTest('truncating gives back: setattr, fsetattr, opening with TRUNCATE', {}, (t, home) => {
  const client = new TestClient(home);
  client.put('f', Buffer.alloc(100));
  client.call('setattr', 'f', [null, 60, null, null]);
  t.equal(home.quota.used.bytes, 60);
  const handle = client.open('f', READ_WRITE);
  client.call('fsetattr', handle, [null, 50, null, null]);
  t.equal(home.quota.used.bytes, 50);
  client.open('f', WRITE | TRUNCATE, false);
  t.equal(home.quota.used.bytes, 0);
  client.call('write', handle, 0, Buffer.alloc(7));
  client.open('f', WRITE | TRUNCATE);
  t.strictSame(home.quota.used, { bytes: 0, files: 1 });
});

homeTest(
  'inodes: every maker is refused at the limit, and removing gives back',
  { files: 5 },
  async (t, home) => {
    const client = new TestClient(home);
    client.call('mkdir', 'd', 0o755);
    client.call('symlink', 'd/l', 'nowhere');
    client.call('mknod', 'd/fifo', 0o010644);
    client.call('mknod', 'd/plain', 0o100644);
    client.put('f', 'x');
    t.strictSame(home.quota.used, { bytes: 1, files: 5 }, 'a symlink has no bytes');
    t.equal(await kindOf(() => client.call('mkdir', 'e', 0o755)), 'EDQUOT');
    t.equal(await kindOf(() => client.call('symlink', 'e', 'x')), 'EDQUOT');
    t.equal(await kindOf(() => client.call('mknod', 'e', 0o100644)), 'EDQUOT');
    t.equal(await kindOf(() => client.call('create', 'e', READ_WRITE, 0o644)), 'EDQUOT');
    t.equal(await kindOf(() => client.call('mkdir', 'd', 0o755)), 'EEXIST', 'what exists comes first');
    t.equal(await kindOf(() => client.call('create', 'f', WRITE | EXCLUSIVE, 0o644)), 'EEXIST');
    client.open('f', READ_WRITE);
    client.call('link', 'f', 'd/hard');
    t.equal(home.quota.used.files, 5, 'a hard link is no inode');
    for (const name of ['d/l', 'd/fifo', 'd/plain', 'd/hard']) client.call('unlink', name);
    client.call('rmdir', 'd');
    t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  },
);

homeTest('a failed maker gives its inode back', {}, async (t, home) => {
  const client = new TestClient(home);
  t.equal(await kindOf(() => client.call('mkdir', 'missing/d', 0o755)), 'ENOENT');
  client.call('mkdir', 'd', 0o755);
  t.equal(await kindOf(() => client.call('mkdir', 'd', 0o755)), 'EEXIST');
  t.equal(await kindOf(() => client.call('symlink', 'd', 'x')), 'EEXIST');
  t.equal(home.quota.used.files, 1);
});

homeTest('hard links are charged once, until the last name', {}, (t, home) => {
  const client = new TestClient(home);
  client.put('a', Buffer.alloc(10));
  client.call('link', 'a', 'b');
  t.strictSame(home.quota.used, { bytes: 10, files: 1 });
  client.call('unlink', 'a');
  t.strictSame(home.quota.used, { bytes: 10, files: 1 });
  client.call('unlink', 'b');
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

homeTest(
  'an open unlinked file is charged until its last close in any session',
  { bytes: 100 },
  async (t, home) => {
    const one = new TestClient(home);
    const two = new TestClient(home);
    one.put('f', Buffer.alloc(60));
    const first = one.open('f', READ_WRITE);
    const second = two.open('f', READ_WRITE);
    one.call('unlink', 'f');
    t.strictSame(home.quota.used, { bytes: 60, files: 1 });
    const { ledger, tree } = await home.check(false);
    t.strictSame(ledger, tree, 'a check knows of it');
    two.call('write', second, 60, Buffer.alloc(40));
    t.equal(await kindOf(() => two.call('write', second, 100, Buffer.alloc(1))), 'EDQUOT');
    two.call('fsetattr', second, [null, 30, null, null]);
    t.equal(home.quota.used.bytes, 30);
    one.call('close', first);
    t.strictSame(home.quota.used, { bytes: 30, files: 1 });
    t.equal((two.call('read', second, 0, 100) as Buffer).length, 30, 'and still readable');
    two.call('close', second);
    t.strictSame(home.quota.used, { bytes: 0, files: 0 });
  },
);

homeTest('renaming over a file gives back what it held, unless something keeps it', {}, (t, home) => {
  const client = new TestClient(home);
  client.put('a', Buffer.alloc(1));
  client.put('b', Buffer.alloc(10));
  client.call('rename', 'a', 'b', 0);
  t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  client.put('open', Buffer.alloc(100));
  const handle = client.open('open', READ_WRITE);
  client.call('rename', 'b', 'open', 0);
  t.strictSame(home.quota.used, { bytes: 101, files: 2 });
  client.call('close', handle);
  t.strictSame(home.quota.used, { bytes: 1, files: 1 });
  client.call('link', 'open', 'again');
  client.call('rename', 'open', 'again', 0);
  t.strictSame(home.quota.used, { bytes: 1, files: 1 }, 'two names of one file: nothing happens');
  client.call('mkdir', 'd1', 0o755);
  client.call('mkdir', 'd2', 0o755);
  client.call('rename', 'd1', 'd2', 0);
  t.equal(home.quota.used.files, 2, 'an empty directory was replaced');
  client.put('x', Buffer.alloc(5));
  client.call('rename', 'x', 'd2', 2);
  t.strictSame(home.quota.used, { bytes: 6, files: 3 }, 'an exchange removes nothing');
});

homeTest(
  'a limit lowered below the use refuses growth and loses nothing',
  { bytes: 1000 },
  async (t, home) => {
    const client = new TestClient(home);
    client.put('f', Buffer.alloc(500));
    const handle = client.open('f', READ_WRITE);
    home.setLimits({ bytes: 100, files: 1 });
    t.equal(await kindOf(() => client.call('write', handle, 500, Buffer.alloc(1))), 'EDQUOT');
    t.equal(await kindOf(() => client.call('mkdir', 'd', 0o755)), 'EDQUOT');
    client.call('write', handle, 0, Buffer.alloc(500, 1));
    client.call('setattr', 'f', [null, 400, null, null]);
    t.equal(await kindOf(() => client.call('write', handle, 400, Buffer.alloc(1))), 'EDQUOT');
    t.strictSame((client.call('statfs') as number[]).slice(1, 3), [100, 400]);
    client.call('setattr', 'f', [null, 50, null, null]);
    client.call('write', handle, 50, Buffer.alloc(50));
    home.setLimits({ bytes: 0, files: 0 });
    client.call('write', handle, 100, Buffer.alloc(5000));
    t.equal(home.quota.used.bytes, 5100, '0 is no limit');
  },
);

homeTest('statfs tells limits and use', { bytes: 10_000, files: 7 }, (t, home) => {
  const client = new TestClient(home);
  client.put('f', Buffer.alloc(123));
  const [blockSize, bytes, used, free, files, usedFiles, freeFiles] = client.call('statfs') as number[];
  t.ok((blockSize ?? 0) >= 512);
  t.strictSame([bytes, used, files, usedFiles], [10_000, 123, 7, 1]);
  t.ok((free ?? 0) > 0 && (freeFiles ?? 0) > 0);
});

homeTest(
  '8 sessions hammering at the limit never pass it by a byte',
  { bytes: 64 * KiB, files: 40 },
  async (t, home) => {
    const clients = Array.from({ length: 8 }, () => new TestClient(home));
    let seed = 12345;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    let refused = 0;
    let most = 0;
    const step = (client: TestClient): void => {
      const name = `f${random(30)}`;
      switch (random(7)) {
        case 0:
        case 1:
        case 2: {
          const handle = client.open(name, READ_WRITE | (random(3) === 0 ? APPEND : 0));
          try {
            client.call('write', handle, random(8 * KiB), Buffer.alloc(1 + random(6 * KiB)));
          } finally {
            if (random(4) > 0) client.call('close', handle);
          }
          break;
        }
        case 3:
          client.call('setattr', name, [null, random(8 * KiB), null, null]);
          break;
        case 4:
          client.call('unlink', name);
          break;
        case 5:
          client.call('rename', name, `f${random(30)}`, random(3) === 0 ? 2 : 0);
          break;
        case 6:
          client.call('link', name, `l${random(30)}`);
          break;
      }
    };
    for (let round = 0; round < 600; round++) {
      for (const client of clients) {
        if ((await kindOf(() => step(client))) === 'EDQUOT') refused += 1;
        most = Math.max(most, home.quota.used.bytes);
      }
      if (round % 100 === 0) {
        const { ledger, tree } = await home.check(false);
        t.strictSame(ledger, tree);
      }
    }
    t.ok(refused > 100, `the limit was met ${refused} times`);
    t.ok(most <= 64 * KiB && most > 60 * KiB, `at most ${most} bytes were held`);
    for (const client of clients) client.leave();
  },
);

void t.test('the ledger: dirty before the first change, clean when nothing is open', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const read = () => place.state.ledger.read(place.user);
  t.strictSame(read(), { bytes: 0, files: 0, clean: true }, 'a new home is counted');
  const client = new TestClient(home);
  client.call('getattr', '');
  t.equal(read()?.clean, true);
  const handle = client.open('f', READ_WRITE);
  t.equal(read()?.clean, false);
  client.call('write', handle, 0, Buffer.alloc(9));
  client.leave();
  t.strictSame(
    read(),
    { bytes: 9, files: 1, clean: false },
    'a file is still open for a client that may return',
  );
  await home.close();
  t.strictSame(read(), { bytes: 9, files: 1, clean: true });
});

void t.test('an unclean stop is recounted, a clean one is believed', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home);
  client.put('f', Buffer.alloc(10));
  client.call('link', 'f', 'g');
  client.call('mkdir', 'd', 0o755);
  client.call('symlink', 'd/l', 'f');
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

void t.test('changes behind the daemon never make a charge negative', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home);
  client.put('f', Buffer.alloc(10));
  truncateSync(join(place.directory, 'f'), 1000);
  client.call('unlink', 'f');
  t.strictSame(home.quota.used, { bytes: 0, files: 0 });
});

void t.test('a tree deeper than a path can tell is counted', async (t) => {
  const place = new Place(t);
  const home = await place.open();
  const client = new TestClient(home);
  const name = 'n'.repeat(200);
  const path = (depth: number) => Array.from({ length: depth }, () => name).join('/');
  for (const top of ['a', 'b', 'c']) {
    client.call('mkdir', top, 0o755);
    for (let depth = 1; depth <= 18; depth++) client.call('mkdir', `${top}/${path(depth)}`, 0o755);
  }
  client.call('rename', 'b', `c/${path(18)}/b`, 0);
  client.call('rename', 'a', `c/${path(18)}/a`, 0);
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
  t.equal(tree.files, 57);
});

void t.test('a tree of few but deep directories is counted in pieces, too', async (t) => {
  const home = await new Place(t).open();
  const client = new TestClient(home);
  const path = Array.from({ length: 18 }, () => 'n'.repeat(200)).join('/');
  for (let chain = 0; chain < 30; chain++) {
    for (let depth = 1; depth <= 18; depth++) {
      client.call('mkdir', `${chain}/${path}`.slice(0, `${chain}`.length + 201 * (depth - 1)), 0o755);
    }
    // Each chain hangs below the next one: deeper than a path can tell.
    if (chain > 0) client.call('rename', `${chain - 1}`, `${chain}/${path.slice(0, 201 * 17 - 1)}/below`, 0);
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
  t.ok(turns > 100, `others had ${turns} turns meanwhile`);
});

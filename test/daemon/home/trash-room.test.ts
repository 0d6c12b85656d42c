/*
 * What is in the trash makes room: the oldest first, as much as is needed, and before anything is refused.
 */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { LEASE_WRITE, type Result } from '../../../protocol/methods.js';
import { CREATE, packOperation, UNLINK, WRITE } from '../../../protocol/operations.js';
import { Failure } from '../../../protocol/failure.js';
import { Unfinished } from '../../../daemon/home/calls/unfinished.js';
import { PERIOD_MS } from '../../../daemon/home/trash/trash-layout.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { place, ref } from '../../lib/path-client.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';

const TRASH = { trashMs: 30 * 86_400_000 };
const LIMITS = { bytes: 1000, files: 40, ...TRASH };

async function itemsOf(client: TestClient): Promise<Result<'trash'>[0]> {
  const all: Result<'trash'>[0] = [];
  for (let from: Buffer | null = null; ;) {
    const [page, next]: Result<'trash'> = await client.call('trash', [from]);
    all.push(...page);
    if (next === null) return all;
    from = next;
  }
}

async function inTrash(client: TestClient): Promise<string[]> {
  return (await itemsOf(client)).map(([, path]) => String(path)).toSorted();
}

/** Three files of 300 bytes, removed one period after the other. */
async function threeRemoved(client: TestClient, clock: ManualClock): Promise<void> {
  for (const name of ['first', 'second', 'third']) {
    await client.paths.put(name, Buffer.alloc(300));
    await client.paths.unlink(name);
    clock.pass(PERIOD_MS);
  }
}

function roomTest(name: string, body: (t: Test, home: UserHome, clock: ManualClock) => Promise<void>): void {
  void t.test(name, async (t) => {
    const clock = new ManualClock();
    const home = await new Place(t, LIMITS).open({ clock });
    await body(t, home, clock);
    const { ledger, tree, trash } = await home.check(false);
    t.strictSame([ledger, trash.ledger], [tree, trash.tree]);
  });
}

roomTest('a write, a new file and an upload take what they need of it', async (t, home, clock) => {
  const client = new TestClient(home);
  await threeRemoved(client, clock);
  await client.paths.put('f', Buffer.alloc(100));
  t.strictSame(await inTrash(client), ['first', 'second', 'third'], 'there is room');
  await client.paths.put('g', Buffer.alloc(1));
  t.strictSame(await inTrash(client), ['second', 'third']);
  const bytes = Buffer.alloc(400);
  const md5 = createHash('md5').update(bytes).digest();
  await client.call('uploadFiles', [[[Buffer.from('u'), 400, 0o644, 0, 0, md5, []]], bytes]);
  t.strictSame(await inTrash(client), ['third']);
  t.equal(
    await kindOf(() => client.call('uploadBegin', ['large', 800, 0o644, 0, 0, Buffer.alloc(32)])),
    'EDQUOT',
  );
  t.strictSame(await inTrash(client), ['third'], 'nothing goes where it would not be enough');
  await client.call('uploadBegin', ['large', 450, 0o644, 0, 0, Buffer.alloc(32)]);
  t.strictSame(await inTrash(client), []);
});

roomTest(
  'what a write has no room for is written as far as it fits, as without it',
  async (t, home, clock) => {
    const client = new TestClient(home);
    await threeRemoved(client, clock);
    await client.paths.put('f', Buffer.alloc(50));
    const written = await client.call('change', [
      100,
      packOperation({ kind: WRITE, file: ref('f'), offset: 0, data: Buffer.alloc(2000), time: null }),
      null,
    ]);
    t.equal(written[0]?.size, 1000);
    t.strictSame(await inTrash(client), []);
  },
);

roomTest('again and again within a period', async (t, home) => {
  const client = new TestClient(home);
  for (let i = 0; i < 20; i++) {
    await client.paths.put('f', Buffer.alloc(600));
    await client.paths.unlink('f');
  }
  t.strictSame(await inTrash(client), ['f'], 'there is room for one');
});

roomTest('the number of files is made room for, too', async (t, home, clock) => {
  const client = new TestClient(home);
  await threeRemoved(client, clock);
  const { files } = home.quota.used;
  for (let i = files; i < 40; i++) await client.paths.put(`f${i}`, '');
  t.strictSame(await inTrash(client), ['first', 'second', 'third']);
  await client.paths.put('one', '');
  t.strictSame(await inTrash(client), ['second', 'third']);
  for (let i = 0; i < 11; i++) await client.paths.put(`more${i}`, '');
  t.strictSame([await inTrash(client), home.quota.used.files], [[], 40]);
  t.equal(await kindOf(() => client.paths.put('beyond', '')), 'EDQUOT');
  await client.paths.unlink('one');
  t.strictSame([await inTrash(client), home.quota.used.files], [[], 39], 'a removal makes room itself');
});

roomTest('a mount is granted what it needs of it, and no more', async (t, home, clock) => {
  const client = new TestClient(home);
  await threeRemoved(client, clock);
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  t.strictSame(await mount.call('grant', [500, 0, 0, 0]), [100, 0, [], []]);
  t.strictSame(await inTrash(client), ['first', 'second', 'third']);
  t.strictSame(await mount.call('grant', [500, 0, 0, 0, 200, 0]), [300, 0, [], []]);
  t.strictSame(await inTrash(client), ['second', 'third']);
});

roomTest('what clients would give back is asked for before it', async (t, home, clock) => {
  const client = new TestClient(home);
  await threeRemoved(client, clock);
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  await mount.call('grant', [100, 0, 0, 0]);
  const putting = client.paths.put('f', Buffer.alloc(100));
  t.ok(await isPending(putting));
  await mount.call('grant', [-100, 0, 0, 0]);
  await putting;
  t.strictSame(await inTrash(client), ['first', 'second', 'third']);
});

roomTest(
  'what is open makes no room: nothing goes for it in vain, and it stays itself',
  async (t, home, clock) => {
    const client = new TestClient(home);
    const other = new TestClient(home);
    await client.paths.put('open', Buffer.alloc(500));
    const { ino, birth } = await client.paths.stat('open');
    await other.call('hold', [[ino, birth, null]]);
    await client.paths.unlink('open');
    clock.pass(PERIOD_MS);
    await client.paths.put('closed', Buffer.alloc(300));
    await client.paths.unlink('closed');
    const freeOf = async (): Promise<unknown> => {
      const [, limit, used] = await client.call('statfs', []);
      return limit - used;
    };
    t.equal(await freeOf(), 500, 'as much as can be written');
    const begin = ['large', 501, 0o644, 0, 0, Buffer.alloc(32)];
    t.equal(await kindOf(() => client.call('uploadBegin', begin)), 'EDQUOT');
    t.strictSame(await inTrash(client), ['closed', 'open']);
    await client.paths.put('f', Buffer.alloc(500));
    t.strictSame(await inTrash(client), ['open'], 'though it was removed first');
    other.leave();
    home.logout(other.client);
    t.equal(await freeOf(), 500);
    await client.paths.put('g', Buffer.alloc(500));
    t.strictSame(await inTrash(client), []);
  },
);

roomTest('a log may write into what it removed before', async (t, home, clock) => {
  const plain = new TestClient(home);
  await threeRemoved(plain, clock);
  plain.leave();
  home.logout(plain.client);
  const mount = new TestClient(home, { wants: LEASE_WRITE });
  await mount.paths.stat('');
  const log = (first: number, data: Buffer | null, ...operations: unknown[]): Promise<unknown> =>
    mount.call('apply', [first, operations, data]);
  const file = packOperation({
    ...{ kind: CREATE, ...place('f'), time: null, mode: 0o644, id: null, rdev: 0, owner: null },
  });
  const write = (offset: number, length: number): unknown =>
    packOperation({ kind: WRITE, file: ref('f'), offset, data: Buffer.alloc(length), time: null });
  t.match(await log(1, null, file, write(0, 100), write(100, 800)), [3, 0, Number, Number, Array]);
  t.equal((await mount.paths.stat('f')).size, 900);
  const removed = packOperation({ kind: UNLINK, ...place('f'), time: null, id: null, hold: false });
  await log(4, null, removed, file, write(0, 950));
  t.equal((await mount.paths.stat('f')).size, 950);
});

void t.test('a little more goes than is needed, so that not each write asks', async (t) => {
  const home = await new Place(t, { ...TRASH, bytes: 6400 }).open();
  const client = new TestClient(home);
  for (let i = 0; i < 10; i++) {
    await client.paths.put(`f${i}`, Buffer.alloc(60));
    await client.paths.unlink(`f${i}`);
  }
  await client.paths.put('f', Buffer.alloc(5801));
  t.equal((await inTrash(client)).length, 8);
});

void t.test('what is restored or removed meanwhile is not in its way', async (t) => {
  const home = await new Place(t, TRASH).open({ sliceMs: 0 });
  const client = new TestClient(home);
  for (let i = 0; i < 20; i++) {
    await client.paths.put(`f${i % 2}`, '');
    await client.paths.unlink(`f${i % 2}`);
  }
  const items = await itemsOf(client);
  const emptying = client.call('trashEmpty', []);
  for (const [id] of items) {
    await new Promise((resolve) => setImmediate(resolve));
    await kindOf(() => client.call('trashRemove', [id]));
  }
  await emptying;
  t.strictSame([await inTrash(client), home.quota.used], [[], { bytes: 0, files: 0 }]);
});

void t.test('a home that is closed meanwhile does not say that it is empty', async (t) => {
  const place = new Place(t, TRASH);
  const home = await place.open({ sliceMs: 0 });
  const client = new TestClient(home);
  for (let i = 0; i < 20; i++) {
    await client.paths.put(`f${i}`, '');
    await client.paths.unlink(`f${i}`);
  }
  client.leave();
  home.logout(client.client);
  const emptying = kindOf(() => home.trash.empty());
  await home.close();
  t.equal(await emptying, 'ECANCELED');
  const again = await place.open();
  t.not((await inTrash(new TestClient(again))).length, 0);
  t.same((await again.trash.empty()).files > 0, true);
  t.strictSame(again.quota.used, { bytes: 0, files: 0 });
});

void t.test('a great many go in turns of their own', async (t) => {
  const home = await new Place(t, { ...LIMITS, files: 0 }).open({ sliceMs: 0 });
  const client = new TestClient(home);
  const other = new TestClient(home);
  for (let i = 0; i < 400; i++) {
    await client.paths.put(`f${i}`, Buffer.alloc(2));
    await client.paths.unlink(`f${i}`);
  }
  let order = '';
  const putting = client.paths.put('f', Buffer.alloc(1000)).then(() => (order += 'all'));
  for (let i = 0; i < 5; i++) await other.call('statfs', []).then(() => (order += '.'));
  await putting;
  t.equal(order, '.....all');
  t.strictSame([await inTrash(client), home.quota.used], [[], { bytes: 1000, files: 1 + 3 }]);
});

homeTest('a full disk is made room on as well', TRASH, async (t, home) => {
  const client = new TestClient(home);
  for (const name of ['a', 'b', 'c']) {
    await client.paths.put(name, Buffer.alloc(3 * 1024 * 1024));
    await client.paths.unlink(name);
  }
  const full = new Failure('ENOSPC', 'the disk is full');
  const left: number[] = [];
  for (;;) {
    let failure: unknown;
    try {
      home.held.freeing.whenFull(() => {
        throw full;
      });
    } catch (error) {
      failure = error;
    }
    if (!(failure instanceof Unfinished)) {
      t.equal(failure, full, 'nothing is left to be given back');
      break;
    }
    left.push((await inTrash(client)).length);
    await failure.until;
  }
  t.equal(left[0], 1, 'some of it at once');
  t.strictSame([left.at(-1), home.quota.used], [0, { bytes: 0, files: 0 }]);
});

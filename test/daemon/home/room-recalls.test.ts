/*
 * Room of the quota that one session was granted and another needs: it is asked for, given back, or taken in the end.
 */
import { createHash } from 'node:crypto';
import t from 'tap';
import { LEASE_TERM_MS } from '../../../protocol/limits.js';
import { LEASE_WRITE } from '../../../protocol/methods.js';
import { packOperation, UNLINK, WRITE } from '../../../protocol/operations.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { ManualClock } from '../../lib/manual-clock.js';
import { ref } from '../../lib/path-client.js';
import { homeTest, isPending, kindOf, Place, TestClient } from './fixture.js';

const LIMITS = { bytes: 1000, files: 10 };
const GRANTED_NOTHING = [0, 0, [], []];

/** A mount that was granted the whole quota, and one that comes after it. */
async function oneHasAll(home: UserHome): Promise<{ one: TestClient; two: TestClient }> {
  const one = new TestClient(home, { wants: LEASE_WRITE });
  t.strictSame(await one.call('grant', [4000, 256, 0, 0]), [1000, 10, [], []]);
  return { one, two: new TestClient(home, { wants: LEASE_WRITE }) };
}

/** How often it was asked to give room back. */
function asked(client: TestClient): number {
  return client.told.filter(([name]) => name === 'ungrant').length;
}

homeTest('what is needed is got back from who was granted it', LIMITS, async (t, home) => {
  const { one, two } = await oneHasAll(home);
  t.strictSame(await two.call('grant', [600, 5, 0, 0]), GRANTED_NOTHING, 'nobody waits for this');
  t.equal(asked(one), 0);
  const granted = two.call('grant', [600, 5, 0, 0, 400, 1]);
  t.ok(await isPending(granted));
  t.equal(asked(one), 1);
  await one.call('grant', [-300, 0, 0, 0]);
  t.ok(await isPending(granted));
  t.equal(asked(one), 2, 'it may have more');
  await one.call('grant', [-700, -4, 0, 0]);
  t.strictSame(await granted, [600, 4, [], []], 'what is needed, and what there is of the rest');
  t.strictSame(home.quota.granted, { bytes: 600, files: 10 });
});

homeTest('a session without leases gets it as well', LIMITS, async (t, home) => {
  const { one } = await oneHasAll(home);
  const plain = new TestClient(home);
  const making = plain.paths.put('f', Buffer.alloc(900));
  t.ok(await isPending(making));
  await one.call('grant', [-1000, -10, 0, 0]);
  await making;
  t.equal(home.quota.used.bytes, 900);
});

homeTest('who opens what was just replaced gets room for it', LIMITS, async (t, home) => {
  const plain = new TestClient(home);
  const other = new TestClient(home);
  await plain.paths.put('f', Buffer.alloc(300));
  await plain.paths.put('g', Buffer.alloc(100));
  const { ino, birth } = await plain.paths.stat('f');
  const one = new TestClient(home, { wants: LEASE_WRITE });
  await plain.paths.rename('g', 'f');
  t.strictSame(await one.call('grant', [4000, 0, 0, 0]), [900, 0, [], []], 'what was replaced is free');
  const held = other.call('hold', [[ino, birth]]);
  t.ok(await isPending(held));
  t.equal(asked(one), 1);
  await one.call('grant', [-900, 0, 0, 0]);
  t.match(await held, { nlink: 0, size: 300 });
  t.equal(home.quota.used.bytes, 400);
});

homeTest('an awaited change asks its own client for what it does not need, too', LIMITS, async (t, home) => {
  const { one } = await oneHasAll(home);
  const making = one.paths.put('f', Buffer.alloc(300));
  t.ok(await isPending(making));
  t.equal(asked(one), 1);
  await one.call('grant', [-1000, -10, 0, 0]);
  await making;
  t.strictSame(home.quota.used, { bytes: 300, files: 1 });
});

homeTest('of an awaited write what fits is written, and told', LIMITS, async (t, home) => {
  const client = new TestClient(home);
  await client.paths.create('f');
  await client.paths.write('f', 0, Buffer.alloc(700));
  await client.paths.write('f', 600, Buffer.alloc(900));
  t.equal((await client.paths.stat('f')).size, 1000, 'the size tells how much');
  t.equal(await kindOf(() => client.paths.write('f', 1000, Buffer.alloc(1))), 'EDQUOT');
  await client.paths.setattr('f', { size: 900 });
  const append = { kind: WRITE, file: ref('f'), offset: null, data: Buffer.alloc(101), time: null } as const;
  const [after, began] = await client.paths.change(append);
  t.strictSame([after?.size, began?.size], [1000, 900], 'of an append with the size where it began');
});

homeTest('what others need themselves is not there; what fits is written', LIMITS, async (t, home) => {
  const { one, two } = await oneHasAll(home);
  await one.call('grant', [-500, -5, 0, 0]);
  await two.paths.create('f');
  const kind = kindOf(() => two.paths.write('f', 0, Buffer.alloc(800)));
  t.ok(await isPending(kind));
  await one.call('grant', [-100, 0, 0, 0]);
  t.ok(await isPending(kind));
  await one.call('grant', [0, 0, 0, 0]);
  t.equal(await kind, 'no failure');
  t.equal((await two.paths.stat('f')).size, 600);
  const times = asked(one);
  t.equal(await kindOf(() => two.paths.write('f', 600, Buffer.alloc(1))), 'EDQUOT');
  t.strictSame(await two.call('grant', [1, 0, 0, 0, 1, 0]), GRANTED_NOTHING);
  t.equal(asked(one), times, 'it is not asked again at once');
});

homeTest('what its log has freed since is asked for again', LIMITS, async (t, home) => {
  const { one } = await oneHasAll(home);
  await one.call('grant', [-1000, -10, 0, 0]);
  await one.paths.put('full', Buffer.alloc(900));
  await one.call('grant', [100, 0, 0, 0]);
  const refused = kindOf(() => one.paths.put('f', Buffer.alloc(200)));
  t.ok(await isPending(refused));
  await one.call('grant', [0, 0, 0, 0]);
  t.equal(await refused, 'EDQUOT');
  const times = asked(one);
  const removal = { kind: UNLINK, directory: ref(''), name: Buffer.from('full') } as const;
  const operation = packOperation({ ...removal, id: null, time: null, hold: false });
  await one.call('apply', [1, [operation], null]);
  const making = one.paths.put('g', Buffer.alloc(900));
  t.ok(await isPending(making));
  t.equal(asked(one), times + 1);
  await one.call('grant', [-1000, 0, 0, 0]);
  await making;
  t.equal((await one.paths.stat('g')).size, 900);
});

homeTest('appending waits, and is done once', LIMITS, async (t, home) => {
  const { one, two } = await oneHasAll(home);
  await one.call('grant', [-500, -5, 0, 0]);
  await two.paths.put('log', 'first ');
  const appending = two.paths.write('log', null, Buffer.alloc(600, 'x'));
  t.ok(await isPending(appending));
  await one.call('grant', [-500, 0, 0, 0]);
  await appending;
  t.equal((await two.paths.stat('log')).size, 606);
});

homeTest('where the quota itself is used up nobody is asked', LIMITS, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE });
  const two = new TestClient(home, { wants: LEASE_WRITE });
  await two.paths.put('f', Buffer.alloc(1000));
  await one.call('grant', [0, 5, 0, 0]);
  t.equal(await kindOf(() => two.paths.write('f', 1000, Buffer.alloc(1))), 'EDQUOT');
  t.strictSame(await two.call('grant', [5, 0, 0, 0, 5, 0]), GRANTED_NOTHING);
  t.equal(await kindOf(() => two.paths.put('g', 'x')), 'EDQUOT');
  t.equal(asked(one), 0);
});

homeTest('an upload gets it when it begins, and piece by piece', LIMITS, async (t, home) => {
  const { one } = await oneHasAll(home);
  const plain = new TestClient(home);
  const content = Buffer.alloc(900, 'u');
  const beginning = plain.call('uploadBegin', ['u', 900, 0o644, 0, 0, Buffer.alloc(32)]);
  t.ok(await isPending(beginning));
  await one.call('grant', [-1000, -10, 0, 0]);
  const [handle] = await beginning;
  t.equal((await one.call('grant', [4000, 0, 0, 0]))[0], 1000);
  const pieces = [0, 300, 600].map((at) =>
    plain.call('uploadWrite', [handle, at, content.subarray(at, at + 300)]),
  );
  const finished = plain.call('uploadFinish', [handle, createHash('md5').update(content).digest()]);
  t.ok(await isPending(Promise.race(pieces)));
  await one.call('grant', [-1000, 0, 0, 0]);
  await Promise.all(pieces);
  t.equal((await finished).size, 900);
});

homeTest('a piece that still finds no room fails, and may be sent again', LIMITS, async (t, home) => {
  const plain = new TestClient(home);
  const [handle] = await plain.call('uploadBegin', ['u', 900, 0o644, 0, 0, Buffer.alloc(32)]);
  const one = new TestClient(home, { wants: LEASE_WRITE });
  t.equal((await one.call('grant', [4000, 0, 0, 0]))[0], 1000);
  const piece = (): Promise<unknown> => plain.call('uploadWrite', [handle, 0, Buffer.alloc(900)]);
  const refused = kindOf(piece);
  t.ok(await isPending(refused));
  await one.call('grant', [0, 0, 0, 0]);
  t.equal(await refused, 'EDQUOT');
  await one.call('grant', [-1000, 0, 0, 0]);
  await piece();
  await plain.call('uploadAbort', [handle]);
});

void t.test('who does not answer loses what it was granted when the term is over', async (t) => {
  const clock = new ManualClock();
  const home = await new Place(t, LIMITS).open({ clock });
  const { one, two } = await oneHasAll(home);
  const granted = two.call('grant', [100, 1, 0, 0, 100, 1]);
  clock.pass(LEASE_TERM_MS - 1);
  t.ok(await isPending(granted));
  clock.pass(1);
  t.strictSame(await granted, [100, 1, [], []]);
  t.strictSame(one.client.grant.left, { bytes: 0, files: 0 });
});

void t.test(
  'who is away keeps it for the term after its last word, and is told when it comes back',
  async (t) => {
    const clock = new ManualClock();
    const home = await new Place(t, LIMITS).open({ clock });
    const { one, two } = await oneHasAll(home);
    one.leave();
    clock.pass(LEASE_TERM_MS - 10);
    const granted = two.call('grant', [100, 1, 0, 0, 100, 1]);
    t.ok(await isPending(granted));
    const back = new TestClient(home, { id: one.id, wants: LEASE_WRITE });
    t.equal(asked(back), 1);
    clock.pass(100);
    t.ok(await isPending(granted));
    await back.call('grant', [-200, -1, 0, 0]);
    t.strictSame(await granted, [100, 1, [], []]);
    back.leave();
    const more = two.call('grant', [800, 0, 0, 0, 800, 0]);
    clock.pass(LEASE_TERM_MS);
    t.equal((await more)[0], 800);
  },
);

void t.test('a client that ends gives back what others wait for', async (t) => {
  const home = await new Place(t, LIMITS).open();
  const { one, two } = await oneHasAll(home);
  const granted = two.call('grant', [100, 1, 0, 0, 100, 1]);
  t.ok(await isPending(granted));
  home.logout(one.client);
  t.strictSame(await granted, [100, 1, [], []]);
});

void t.test('raised limits are room for who waits', async (t) => {
  const home = await new Place(t, LIMITS).open();
  const { two } = await oneHasAll(home);
  const granted = two.call('grant', [100, 0, 0, 0, 100, 0]);
  t.ok(await isPending(granted));
  home.setLimits({ bytes: 1100, files: 10 });
  t.equal((await granted)[0], 100);
});

homeTest('without limits nothing is set aside', {}, async (t, home) => {
  const one = new TestClient(home, { wants: LEASE_WRITE });
  const most = 2 ** 53 - 1;
  const [bytes, files] = await one.call('grant', [most, most, 0, 0]);
  t.ok(bytes > 2 ** 40 && files > 2 ** 30);
  t.strictSame((await one.call('grant', [most, most, 0, 0])).slice(0, 2), [0, 0]);
  const two = new TestClient(home, { wants: LEASE_WRITE });
  t.strictSame((await two.call('grant', [most, most, 0, 0])).slice(0, 2), [bytes, files]);
  await two.paths.put('f', 'x');
  t.equal(asked(one), 0);
  t.strictSame((await two.call('statfs', [])).slice(1, 3), [0, 1]);
});

homeTest('what others were granted and have not used is free', LIMITS, async (t, home) => {
  const { one, two } = await oneHasAll(home);
  for (const client of [one, two]) {
    const [, limit, used, , maxFiles, usedFiles] = await client.call('statfs', []);
    t.strictSame([limit, used, maxFiles, usedFiles], [1000, 0, 10, 0]);
  }
});

void t.test('after a restart room is granted when the logs of before are there', async (t) => {
  const place = new Place(t, LIMITS);
  const first = await place.open();
  const clients = [1, 2].map(() => new TestClient(first, { wants: LEASE_WRITE }));
  const [one, two] = clients.map(({ id }) => id);
  await Promise.all(clients.map((client, at) => client.paths.mkdir(`leased ${at}`)));
  for (const client of clients) client.leave();
  await first.close();
  const home = await place.open();
  const back = new TestClient(home, { id: one ?? Buffer.alloc(16), wants: LEASE_WRITE });
  const granted = back.call('grant', [1000, 1, 0, 0]);
  t.ok(await isPending(granted), 'the log of the other may need it');
  const other = new TestClient(home, { id: two ?? Buffer.alloc(16), wants: LEASE_WRITE });
  await other.call('statfs', []);
  t.equal((await granted)[0], 1000);
});

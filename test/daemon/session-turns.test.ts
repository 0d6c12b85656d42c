/*
 * Sessions that send much, or go in the middle of it: others have their turn, and the order stays.
 */
import t from 'tap';
import { encodeNotification } from '../../protocol/codec.js';
import { LEASE_NONE, LEASE_WRITE, METHODS, WHOLE_HOME } from '../../protocol/methods.js';
import { packOperation } from '../../protocol/operations.js';
import { Backlog, REQUESTS_BUDGET } from '../../daemon/home/calls/backlog.js';
import { listMarks } from '../../daemon/home/operations/marks.js';
import { isPending, Place } from './home/fixture.js';
import { counting, create, mkdir, rename, sessionTest, write } from './session-parts.js';
import { Peer } from './session-peer.js';

sessionTest('what no window counts is bounded in bytes, too', async (t, home, disk) => {
  const holder = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const peer = await Peer.connect(t, home, disk);
  const path = Array.from({ length: 200 }, () => 'n'.repeat(255)).join('/');
  for (let i = 0; i < 400; i++) void peer.send('hold', [path]);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  t.equal(home.waits.size, 0);
  await holder.cut();
});

function isSettled(promise: Promise<unknown>): () => boolean {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  return () => settled;
}

sessionTest('who sends more than can be carried out now is heard again later', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk, { keepaliveMs: 100 });
  const elsewhere = new Place(t);
  const other = await Peer.connect(t, await elsewhere.open(), elsewhere);
  const done = counting(home);
  const full = new Backlog();
  full.addUnderway(REQUESTS_BUDGET);
  const many = Array.from({ length: 1024 }, (_, i) => [i + 1, LEASE_NONE]);
  const answers = Array.from({ length: 40 }, () => peer.send('returned', [many]));
  const heard = (): number => peer.session.activity.requests;
  for (let before = -1; before < heard(); await other.send('statfs', [])) before = heard();
  t.ok(heard() < 40, `${heard()} of 40 wait`);
  const dropped = isSettled(peer.session.closed);
  while (peer.told.length < 2 && !dropped()) await other.send('statfs', []);
  t.strictSame(
    [...peer.told],
    [
      ['busy', []],
      ['busy', []],
    ],
    'it is told why nothing is answered',
  );
  t.notOk(dropped(), 'what is not read is no silence');
  full.addUnderway(-REQUESTS_BUDGET);
  done();
  t.ok((await Promise.all(answers)).every(({ kind }) => kind === 'ok'));
  await peer.cut();
  await other.cut();
});

void t.test('a long log gives others their turn, and is seen whole by what is sent behind it', async (t) => {
  const disk = new Place(t);
  const home = await disk.open({ sliceMs: 0 });
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const other = await Peer.connect(t, home, disk);
  const names = Array.from({ length: 500 }, (_, i) => `f${i}`);
  const data = Buffer.from('of the last one');
  let answered = false;
  const applied = peer.call('apply', [
    1,
    [...names.map(create).map(packOperation), packOperation(write('f499', 0))],
    data,
  ]);
  void applied.then(() => {
    answered = true;
  });
  const behind = [
    peer.paths.read('f499'),
    peer.call('apply', [502, [rename('f0', 'g')].map(packOperation)]),
    peer.paths.exists('g'),
    peer.call('sync', [502]),
  ];
  await other.call('statfs', []);
  await other.call('statfs', []);
  t.equal(answered, false, 'another is answered meanwhile');
  const checked = home.check(false);
  t.equal((await applied)[0], 501);
  const [read, renamed, exists, durable] = await Promise.all(behind);
  t.ok(data.equals(read as Buffer));
  t.match(renamed, [502]);
  t.equal(exists, true);
  t.equal(durable, 502);
  const { ledger, tree } = await checked;
  t.strictSame(ledger, tree, 'a count is not disturbed');
  await peer.cut();
  await other.cut();
});

/** Makes what takes some 0.1 ms to walk to. */
async function deepDirectory(peer: Peer): Promise<string> {
  const path = Array.from({ length: 100 }, () => 'd');
  for (let depth = 1; depth <= path.length; depth++) await peer.paths.mkdir(path.slice(0, depth).join('/'));
  return path.join('/');
}

/** Asks a hundred times at once. */
function askOften(peer: Peer, path: string): { kinds: Promise<string>[]; answered: number } {
  const asked = { kinds: [] as Promise<string>[], answered: 0 };
  asked.kinds = Array.from({ length: 100 }, async () => {
    const { kind } = await peer.send('getattr', [path]);
    asked.answered += 1;
    return kind;
  });
  return asked;
}

sessionTest('who asks for much at once does not hold up others', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk);
  const path = await deepDirectory(peer);
  const other = await Peer.connect(t, home, disk);
  const asked = askOften(peer, path);
  await other.send('statfs', []);
  t.ok(asked.answered < 100, `${asked.answered} of 100 were answered first`);
  t.ok((await Promise.all(asked.kinds)).every((kind) => kind === 'ok'));
  await peer.cut();
  await other.cut();
});

sessionTest('who has waited for the home does not hold up others either', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk);
  const path = await deepDirectory(peer);
  const elsewhere = new Place(t);
  const other = await Peer.connect(t, await elsewhere.open(), elsewhere);
  const done = counting(home);
  const asked = askOften(peer, path);
  await peer.send('ping', []);
  t.equal(asked.answered, 0);
  done();
  await other.send('statfs', []);
  t.ok(asked.answered < 100, `${asked.answered} of 100 were answered first`);
  t.ok((await Promise.all(asked.kinds)).every((kind) => kind === 'ok'));
  await peer.cut();
  await other.cut();
});

void t.test('a log whose connection breaks is gone on with over the next one', async (t) => {
  const disk = new Place(t);
  const home = await disk.open({ sliceMs: 0 });
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const names = Array.from({ length: 300 }, (_, i) => `f${i}`);
  void peer.send('apply', [1, names.map(create).map(packOperation)]);
  await peer.send('ping', []);
  await peer.cut();
  const next = await Peer.connect(t, home, disk, { id: peer.id, wants: LEASE_WRITE });
  const from = METHODS.login.result(next.login.result)[4] + 1;
  t.ok(from < 300, `it was cut at ${from}`);
  const answer = await next.call('apply', [
    from,
    names
      .slice(from - 1)
      .map(create)
      .map(packOperation),
  ]);
  t.strictSame([answer[0], answer[4].filter(([, error]) => error !== null)], [300, []]);
  t.equal((await next.paths.list('')).length, 300);
  await next.cut();
});

sessionTest('what waits when its client logs out is not done', async (t, home, disk) => {
  const holder = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const peer = await Peer.connect(t, home, disk);
  void peer.change(mkdir('d'));
  await peer.send('ping', []);
  t.equal(home.waits.size, 1);
  t.equal((await peer.send('logout', [])).kind, 'ok');
  t.equal(home.waits.size, 0);
  await holder.send('returned', [[[WHOLE_HOME, LEASE_NONE]]]);
  t.equal(await holder.paths.exists('d'), false);
  await holder.cut();
});

sessionTest(
  'a logout is behind what was sent before it, also while the home is counted',
  async (t, home, disk) => {
    const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
    const done = counting(home);
    const applied = peer.send('apply', [1, [packOperation(mkdir('d'))]]);
    const ended = peer.send('logout', []);
    void peer.send('apply', [2, [packOperation(mkdir('e'))]]);
    t.equal((await peer.send('ping', [])).kind, 'ok');
    t.equal(home.status().clients, 1);
    done();
    t.equal((await applied).kind, 'ok');
    t.equal((await ended).kind, 'ok');
    await peer.session.closed;
    const other = await Peer.connect(t, home, disk);
    t.strictSame([await other.paths.exists('d'), await other.paths.exists('e')], [true, false]);
    t.strictSame(listMarks(home.tree), []);
    await other.cut();
  },
);

void t.test('pings and cancels say nothing of a log that may still come after a restart', async (t) => {
  const disk = new Place(t);
  const before = await disk.open();
  const first = await Peer.connect(t, before, disk, { wants: LEASE_WRITE });
  const log = [mkdir('d')].map(packOperation);
  await first.call('apply', [1, log]);
  await first.cut();
  await before.close();
  const home = await disk.open();
  const other = await Peer.connect(t, home, disk);
  const looking = other.paths.exists('d/x');
  await other.send('ping', []);
  const again = await Peer.connect(t, home, disk, { id: first.id });
  again.channel.send(encodeNotification('cancel', [99]));
  await again.send('ping', []);
  await other.send('ping', []);
  t.ok(await isPending(looking), 'it may be in the log');
  await again.call('apply', [2, [mkdir('d/x')].map(packOperation)]);
  await again.send('statfs', []);
  t.equal(await looking, true);
  await again.cut();
  await other.cut();
});

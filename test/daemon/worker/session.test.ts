/*
 * Sessions over real connections: what a client of any make meets.
 */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { Channel } from '../../../protocol/transport/channel.js';
import { encodeNotification, encodeResponse } from '../../../protocol/codec.js';
import { Failure } from '../../../protocol/failure.js';
import {
  LEASE_TERM_MS,
  MAX_BYTES_IN_FLIGHT,
  MAX_CALLS,
  MAX_DATA,
  MAX_OPERATIONS,
} from '../../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, METHODS, WHOLE_HOME } from '../../../protocol/methods.js';
import { packOperation } from '../../../protocol/operations.js';
import type { UserHome } from '../../../daemon/home/user-home.js';
import { Place } from '../home/fixture.js';
import { Session } from '../../../daemon/worker/session.js';
import { counting, create, mkdir, rename, sessionTest, write } from '../session-parts.js';
import { Peer, unlimitedPace, VERIFIER } from '../session-peer.js';

sessionTest('login, requests, data, and what is not understood', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk);
  const [version, verifier, resumed, root, applied, leased, covered, term, limits] = METHODS.login.result(
    peer.login.result,
  );
  t.strictSame(
    [version, verifier, resumed, applied, leased, covered, term],
    ['test/1', VERIFIER, false, 0, false, false, LEASE_TERM_MS],
  );
  t.same(limits, home.disk);
  t.equal(root.mode & 0o170000, 0o040000);
  await peer.paths.create('f');
  const content = randomBytes(MAX_DATA);
  t.equal((await peer.change(write('f', 0), content)).kind, 'ok');
  t.ok((await peer.paths.read('f')).equals(content));
  await t.rejects(peer.paths.stat('missing'), { kind: 'ENOENT', message: 'no such file or directory' });
  t.equal((await peer.send('ping', [])).kind, 'ok');
  t.equal((await peer.send('ping', null)).kind, 'EINVAL', 'nil is no list');
  t.equal((await peer.send('nonsense', [])).kind, 'ENOSYS');
  t.equal((await peer.send('__proto__', [])).kind, 'ENOSYS');
  t.equal((await peer.send('login', ['alice', null, peer.id, 0, ''])).kind, 'EINVAL');
  for (const params of [[], [null], [7], [[]], [[1]], [[1, 2, 'a//b']]]) {
    t.equal((await peer.send('lookup', params)).kind, 'EINVAL');
  }
  t.equal((await peer.send('read', ['f', 0, MAX_DATA + 1])).kind, 'EINVAL');
  t.equal((await peer.send('read', ['f', -1, 1])).kind, 'EINVAL');
  t.equal((await peer.send('read', ['f', 2 ** 53, 1])).kind, 'EINVAL');
  t.equal((await peer.send('change', [1, [99]])).kind, 'EINVAL');
  const many = Array.from({ length: MAX_OPERATIONS + 1 }, () => packOperation(mkdir('d')));
  t.equal((await peer.send('apply', [1, many])).kind, 'EINVAL');
  peer.channel.send(encodeNotification('nonsense' as 'cancel', []));
  peer.channel.send(encodeNotification('cancel', [12345]));
  t.equal((await peer.send('ping', [])).kind, 'ok', 'unknown notifications are ignored');
  const { requests, bytesReceived, bytesSent } = peer.session.activity;
  t.ok(requests > 10 && bytesReceived > MAX_DATA && bytesSent > MAX_DATA);
  await peer.cut();
});

sessionTest('answers to nothing, bad cancels and reused ids close the connection', async (t, home, disk) => {
  const hostile: ((peer: Peer) => void)[] = [
    (peer) => peer.channel.send(encodeResponse(1, undefined, null)),
    (peer) => peer.channel.send(encodeNotification('cancel', ['x'])),
    (peer) => {
      void peer.send('getattr', [''], undefined, 5);
      void peer.send('getattr', [''], undefined, 5);
    },
  ];
  // Until the holder gives back nothing is answered.
  const holder = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  for (const send of hostile) {
    const peer = await Peer.connect(t, home, disk);
    send(peer);
    t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  }
  await holder.cut();
});

sessionTest('more calls than the window close the connection', async (t, home, disk) => {
  const holder = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const peer = await Peer.connect(t, home, disk);
  for (let i = 0; i < MAX_CALLS; i++) void peer.send('getattr', ['']);
  t.equal((await peer.send('ping', [])).kind, 'ok', 'so many may wait');
  t.equal(home.waits.size, MAX_CALLS);
  void peer.send('getattr', ['']);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  t.equal(home.waits.size, 0, 'and nothing is left of them');
  await holder.cut();
});

/** A home whose disk takes its time, until the returned function is called. */
async function withSlowDisk(disk: Place): Promise<{ home: UserHome; done: () => void }> {
  const gate: { open?: () => void } = {};
  const opened = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  return { home: await disk.open({ sync: () => opened }), done: () => gate.open?.() };
}

void t.test('what no window counts is bounded, too', async (t) => {
  const disk = new Place(t);
  const { home, done } = await withSlowDisk(disk);
  const peer = await Peer.connect(t, home, disk);
  await peer.paths.create('f');
  for (let i = 0; i < 80 * MAX_CALLS; i++) void peer.send('sync', [0]);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  done();
});

sessionTest('a change that is sent again over a new connection is made once', async (t, home, disk) => {
  const first = await Peer.connect(t, home, disk);
  const params = () => [7, packOperation(mkdir('d'))];
  const made = await first.send('change', params());
  t.equal(made.kind, 'ok');
  await first.cut();
  const second = await Peer.connect(t, home, disk, { id: first.id });
  t.equal(METHODS.login.result(second.login.result)[2], true);
  t.strictSame(await second.send('change', params()), made, 'the same answer, not EEXIST');
  t.equal((await second.change(mkdir('d'))).kind, 'EEXIST');
  await second.cut();
});

sessionTest('a change that waited when the connection broke was not made', async (t, home, disk) => {
  const holder = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const first = await Peer.connect(t, home, disk);
  void first.change(mkdir('d'));
  await first.send('ping', []);
  t.equal(home.waits.size, 1);
  await first.cut();
  t.equal(home.waits.size, 0);
  await holder.send('returned', [[[WHOLE_HOME, LEASE_NONE]]]);
  t.equal(await holder.paths.exists('d'), false);
  await holder.cut();
});

sessionTest('a log is told where it stands when its client comes back', async (t, home, disk) => {
  const first = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  await first.call('apply', [1, [packOperation(mkdir('d')), packOperation(create('d/f'))]]);
  await first.cut();
  const second = await Peer.connect(t, home, disk, { id: first.id, wants: LEASE_WRITE });
  const [, , resumed, , applied, leased] = METHODS.login.result(second.login.result);
  t.strictSame([resumed, applied, leased], [true, 2, true]);
  await second.cut();
});

sessionTest('a new connection of the same client replaces the old one', async (t, home, disk) => {
  const old = await Peer.connect(t, home, disk);
  await old.paths.put('f', 'x');
  const [handle] = await old.call('download', [Buffer.from('f')]);
  const next = await Peer.connect(t, home, disk, { id: old.id });
  t.equal((await old.session.closed)?.kind, 'ECONNABORTED');
  t.equal((await next.send('downloadRead', [handle, 0, 1])).kind, 'ok');
  await next.cut();
});

sessionTest('who logs out is forgotten, and the connection ends', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  await peer.paths.put('f', 'x');
  await peer.call('download', [Buffer.from('f')]);
  await peer.call('hold', [Buffer.from('f')]);
  const ended = peer.send('logout', []);
  void peer.send('ping', []);
  t.equal((await ended).kind, 'ok');
  t.equal(await peer.closed, undefined);
  await peer.session.closed;
  t.strictSame([home.status().clients, home.status().handles, home.held.empty], [0, 0, true]);
  const back = await Peer.connect(t, home, disk, { id: peer.id });
  t.equal(METHODS.login.result(back.login.result)[2], false);
  await back.cut();
});

sessionTest('leases are told before the answer, and recalled', async (t, home, disk) => {
  const one = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  t.strictSame(one.told, [['lease', [[[0, LEASE_WRITE]]]]], 'right behind the answer of the login');
  const two = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const reading = two.paths.stat('');
  while (one.told.length < 2) await one.send('ping', []);
  const root = Number((await one.paths.stat('')).ino);
  t.strictSame(one.told[1], ['recall', [[[root, LEASE_READ]]]]);
  await one.send('returned', [[[root, LEASE_READ]]]);
  await reading;
  t.strictSame(two.told, [['lease', [[[root, LEASE_READ]]]]]);
  await one.cut();
  await two.cut();
});

sessionTest('a call that waits for a lease can be cancelled', async (t, home, disk) => {
  const one = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const two = await Peer.connect(t, home, disk);
  const waiting = two.send('change', [1, packOperation(mkdir('d'))], undefined, 500);
  two.channel.send(encodeNotification('cancel', [500]));
  t.equal((await waiting).kind, 'ECANCELED');
  await one.cut();
  await two.cut();
});

sessionTest(
  'while the home is counted calls wait in order, can be cancelled, and pings are answered',
  async (t, home, disk) => {
    const peer = await Peer.connect(t, home, disk);
    await peer.paths.create('f');
    const done = counting(home);
    // Larger than one read of the socket: they are put together in a buffer that each of them uses again.
    const writes = Array.from({ length: 10 }, (_, i) =>
      peer.change(write('f', i * 100_000), Buffer.alloc(100_000, i + 1)),
    );
    const cancelled = peer.send('change', [1, packOperation(mkdir('d'))], undefined, 500);
    peer.channel.send(encodeNotification('cancel', [500]));
    t.equal((await peer.send('ping', [])).kind, 'ok');
    t.equal(home.quota.used.bytes, 0);
    done();
    t.strictSame(new Set((await Promise.all(writes)).map(({ kind }) => kind)), new Set(['ok']));
    t.equal((await cancelled).kind, 'ECANCELED');
    t.equal(await peer.paths.exists('d'), false);
    const read = await peer.paths.read('f');
    t.equal(read.length, 1_000_000);
    t.ok(
      read.every((byte, at) => byte === Math.floor(at / 100_000) + 1),
      'data that waited is intact',
    );
    await peer.cut();
  },
);

sessionTest('two full windows with long paths may wait for the count of the home', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  await peer.paths.create('f');
  await peer.paths.create('g');
  const done = counting(home);
  const full = MAX_BYTES_IN_FLIGHT / MAX_DATA;
  const answers = Array.from({ length: full }, (_, i) =>
    peer.change(write('f', i * MAX_DATA), Buffer.alloc(MAX_DATA)),
  );
  for (let i = 0; i < full; i++) {
    const operation = packOperation(write('g', i * MAX_DATA));
    answers.push(peer.send('apply', [i + 1, [operation]], Buffer.alloc(MAX_DATA)));
  }
  const path = Array.from({ length: 16 }, () => 'n'.repeat(255)).join('/');
  while (answers.length < MAX_CALLS) answers.push(peer.change(rename(path, path)));
  t.equal((await peer.send('getattr', ['..'])).kind, 'EINVAL', 'what is malformed need not wait');
  done();
  const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
  t.strictSame(new Set(kinds), new Set(['ok', 'ENOENT']));
  t.equal((await peer.paths.stat('g')).size, MAX_BYTES_IN_FLIGHT);
  await peer.cut();
});

sessionTest('more data than the window allows closes the connection', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk);
  await peer.paths.create('f');
  const done = counting(home);
  const data = Buffer.alloc(MAX_DATA);
  for (let i = 0; i < 18; i++) void peer.change(write('f', 0), data);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  done();
});

sessionTest('a client that does not read is not read from, and dropped in the end', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk, { keepaliveMs: 200 });
  await peer.paths.put('f', Buffer.alloc(MAX_DATA));
  const before = peer.session.activity.requests;
  const other = await Peer.connect(t, home, disk);
  peer.channel.pause();
  for (let i = 0; i < 200; i++) void peer.send('read', ['f', 0, MAX_DATA]);
  while (peer.session.activity.requests < before + 5) await new Promise((resolve) => setImmediate(resolve));
  t.equal((await peer.session.closed)?.kind, 'ETIMEDOUT');
  const { requests, bytesSent } = peer.session.activity;
  t.ok(requests < 50, `${requests} of 200 requests were read`);
  t.ok(bytesSent < 40 * MAX_DATA);
  t.equal((await other.send('ping', [])).kind, 'ok', 'others notice nothing');
  await other.cut();
});

sessionTest('who reads again after a pause gets everything', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk);
  await peer.paths.put('f', Buffer.alloc(MAX_DATA, 7));
  const other = await Peer.connect(t, home, disk);
  peer.channel.pause();
  const reads = Array.from({ length: 40 }, () => peer.send('read', ['f', 0, MAX_DATA]));
  let requests = -1;
  while (requests !== peer.session.activity.requests) {
    ({ requests } = peer.session.activity);
    await other.send('sync', [0]);
  }
  peer.channel.resume();
  const answers = await Promise.all(reads);
  t.ok(answers.every(({ result }) => (result as Buffer).length === MAX_DATA && (result as Buffer)[5] === 7));
  await peer.cut();
  await other.cut();
});

sessionTest('a silent client is dropped', async (t, home, disk) => {
  const peer = await Peer.connect(t, home, disk, { keepaliveMs: 20 });
  t.equal((await peer.session.closed)?.kind, 'ETIMEDOUT');
  t.equal(home.status().sessions, 0);
});

void t.test('shutdown tells, finishes what is running, and closes', async (t) => {
  const disk = new Place(t);
  const { home, done } = await withSlowDisk(disk);
  const peer = await Peer.connect(t, home, disk);
  await peer.paths.create('f');
  const running = peer.send('sync', [0]);
  await peer.send('ping', []);
  const ended = peer.session.shutdown('maintenance', true);
  done();
  t.equal((await running).kind, 'ok');
  await ended;
  t.equal(await peer.closed, undefined, 'a clean end');
  t.strictSame(peer.told, [['shutdown', ['maintenance', true]]]);
});

void t.test('a shutdown within another is the same one, and the client of the second is over', async (t) => {
  const disk = new Place(t);
  const { home, done } = await withSlowDisk(disk);
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  await peer.paths.create('f');
  const running = peer.send('sync', [0]);
  await peer.send('ping', []);
  const ended = [
    peer.session.shutdown('maintenance', true),
    peer.session.shutdown('the account is gone', false, true),
  ];
  done();
  t.equal((await running).kind, 'ok');
  await Promise.all(ended);
  t.strictSame(
    peer.told.filter(([method]) => method === 'shutdown'),
    [['shutdown', ['maintenance', true]]],
  );
  t.equal(home.status().clients, 0);
});

void t.test('nobody waits for what a client was leased whose session ends for good', async (t) => {
  const disk = new Place(t);
  const home = await disk.open();
  const comesBack = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  await comesBack.session.shutdown('a pause', true);
  t.equal(home.status().clients, 1, 'it keeps what it was leased');
  const again = await Peer.connect(t, home, disk, { id: comesBack.id, wants: LEASE_WRITE });
  await again.call('apply', [1, [mkdir('d')].map(packOperation)]);
  await again.session.shutdown('what it may do has changed', true, true);
  t.equal(home.status().clients, 0);
  t.ok(
    again.told.some(([method, params]) => method === 'durable' && String(params) === '1'),
    'it need not make again what it did',
  );
});

void t.test('who waits for a sync that fails is told so, and then to connect again', async (t) => {
  const disk = new Place(t);
  let broken = true;
  const sync = () => (broken ? Promise.reject(new Failure('EIO', 'broken')) : Promise.resolve());
  const home = await disk.open({ sync });
  const peer = await Peer.connect(t, home, disk, { wants: LEASE_WRITE });
  const log = [mkdir('d')].map(packOperation);
  await peer.call('apply', [1, log]);
  t.equal((await peer.send('sync', [1])).kind, 'EIO');
  t.equal(await peer.closed, undefined, 'a clean end');
  t.equal(peer.told.at(-1)?.[0], 'shutdown');
  broken = false;
  const again = await Peer.connect(t, home, disk, { id: peer.id, wants: LEASE_WRITE });
  t.strictSame(METHODS.login.result(again.login.result).slice(4, 7), [0, true, true], 'nothing is applied');
  t.equal((await again.call('apply', [1, log]))[0], 1);
  t.equal(await again.call('sync', [1]), 1);
  await again.cut();
});

sessionTest('a connection is not taken over by a session that cannot begin', (t, home, disk) => {
  home.attach = () => {
    throw new Failure('EROFS', 'read-only');
  };
  let opened = 0;
  const open = (): Channel => {
    opened += 1;
    throw new Error('opened');
  };
  const login = { requestId: 1, clientId: randomBytes(16), leaseWanted: LEASE_NONE } as const;
  const said = {
    peer: 'peer',
    serverVersion: 'test/1',
    bootVerifier: VERIFIER,
    shares: [],
    isReadOnly: false,
    log: disk.log(),
  };
  t.throws(
    () => new Session({ open, user: disk.user, home, pace: unlimitedPace(), login, ...said }),
    new Failure('EROFS', 'read-only'),
  );
  t.equal(opened, 0, 'who has it answers the login');
  return Promise.resolve();
});

void t.test('8 connections writing at once never pass the limit by a byte', async (t) => {
  const limit = 1_000_003;
  const disk = new Place(t, { bytes: limit });
  const home = await disk.open();
  const peers = await Promise.all(Array.from({ length: 8 }, () => Peer.connect(t, home, disk)));
  let most = 0;
  const kinds = new Map<string, number>();
  await Promise.all(
    peers.map(async (peer, index) => {
      const path = index % 2 === 0 ? 'shared' : `own${index}`;
      await peer.paths.create(path).catch(() => undefined);
      const writes = Array.from({ length: 100 }, (_, i) =>
        peer
          .change(write(path, i * 3001 + index), Buffer.alloc(1 + ((i * 977 + index * 131) % 5000)))
          .then(({ kind }) => {
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
            most = Math.max(most, home.quota.used.bytes);
          }),
      );
      await Promise.all(writes);
    }),
  );
  t.ok(most <= limit && most > limit - 10_000, `at most ${most} of ${limit} were held`);
  t.strictSame([...kinds.keys()].toSorted(), ['EDQUOT', 'ok']);
  const { ledger, tree } = await home.check(false);
  t.strictSame(ledger, tree);
  for (const peer of peers) await peer.cut();
});

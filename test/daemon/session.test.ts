/*
 * Sessions over real connections: what a client of any make meets.
 */
import { createHash, randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { nodeAead } from '../../protocol/aead.js';
import { attributes } from '../../protocol/attributes.js';
import { Channel } from '../../protocol/channel.js';
import { encodeNotification, encodeRequest, encodeResponse } from '../../protocol/codec.js';
import type { Failure } from '../../protocol/failure.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS, MAX_DATA, MAX_RECORD } from '../../protocol/limits.js';
import { CHANGED_ALL, CHANGED_NAME, CHANGED_NODE, type MethodName } from '../../protocol/methods.js';
import type { UserHome } from '../../daemon/home/user-home.js';
import { Session } from '../../daemon/session.js';
import { pairedKeys, socketPair } from '../lib/loopback.js';
import { Place } from './home/fixture.js';

const READ_WRITE = 3;
const EXCLUSIVE = 16;
const VERIFIER = Buffer.from('verifier');

interface Answer {
  readonly kind: string;
  readonly result: unknown;
}

interface Options {
  readonly id?: Buffer;
  readonly wantsNotifications?: boolean;
  readonly lowestUnanswered?: number;
  readonly keepaliveMs?: number;
}

/** A client at the other end of a session. */
class Peer {
  readonly channel: Channel;
  readonly session: Session;
  readonly closed: Promise<Failure | undefined>;
  readonly told: [method: string, params: unknown][] = [];
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #lastId: number;

  static async connect(t: Test, home: UserHome, place: Place, options: Options = {}): Promise<Peer> {
    const { near, far } = await socketPair(t);
    const keys = pairedKeys();
    const { id = randomBytes(16), wantsNotifications = false, lowestUnanswered = 0, keepaliveMs } = options;
    const ended: { resolve?: (failure: Failure | undefined) => void } = {};
    const closed = new Promise<Failure | undefined>((resolve) => {
      ended.resolve = resolve;
    });
    const channel = new Channel(near, {
      keys: keys.near,
      aead: nodeAead,
      maxRecord: MAX_RECORD,
      events: {
        onMessage: (message) => {
          if (message.kind === 'response') {
            const { id, error, result } = message;
            const kept = Buffer.isBuffer(result) ? Buffer.from(result) : copy(result);
            peer.#answers.get(id)?.({ kind: error?.kind ?? 'ok', result: kept });
            peer.#answers.delete(id);
          } else if (message.kind === 'notification') {
            peer.told.push([message.method, copy(message.params)]);
          }
        },
        onClose: (failure) => ended.resolve?.(failure),
      },
    });
    const session = new Session({
      open: (events) => new Channel(far, { keys: keys.far, aead: nodeAead, maxRecord: MAX_RECORD, events }),
      home,
      login: { requestId: 0, clientId: id, wantsNotifications, lowestUnanswered },
      peer: '127.0.0.1:1',
      serverVersion: 'test/1',
      bootVerifier: VERIFIER,
      log: place.log(),
      ...(keepaliveMs === undefined ? {} : { keepaliveMs }),
    });
    const peer = new Peer(channel, session, closed, id);
    peer.login = await peer.#answer(0);
    return peer;
  }

  readonly id: Buffer;
  login: Answer = { kind: 'none', result: null };

  private constructor(channel: Channel, session: Session, closed: Promise<Failure | undefined>, id: Buffer) {
    this.channel = channel;
    this.session = session;
    this.closed = closed;
    this.id = id;
    this.#lastId = 0;
  }

  get resumed(): unknown {
    return (this.login.result as unknown[])[2];
  }

  /** Sends a request; texts are paths and names; a Buffer as `data` comes last. */
  send(method: string, params: unknown[], data?: Buffer, id: number = ++this.#lastId): Promise<Answer> {
    this.#lastId = Math.max(this.#lastId, id);
    const wire = params.map((param) => (typeof param === 'string' ? Buffer.from(param) : param));
    this.channel.send(encodeRequest(id, method as MethodName, wire, data));
    return this.#answer(id);
  }

  #answer(id: number): Promise<Answer> {
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
    });
  }

  /** The handle of a file that is opened or made. */
  async open(path: string): Promise<number> {
    const { result } = await this.send('create', [path, READ_WRITE, 0o644]);
    return (result as [number])[0];
  }

  /** Breaks the connection without a word; resolves when the server knows. */
  async cut(): Promise<void> {
    this.channel.destroy();
    await this.session.closed;
  }
}

function copy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copy) : value;
}

function sessionTest(name: string, body: (t: Test, home: UserHome, place: Place) => Promise<void>): void {
  void t.test(name, async (t) => {
    const place = new Place(t);
    const home = await place.open();
    await body(t, home, place);
    const { ledger, tree } = await home.check(false);
    t.strictSame(ledger, tree, 'the charge is what the tree holds');
  });
}

sessionTest('login, requests, data, and what is not understood', async (t, home, place) => {
  const peer = await Peer.connect(t, home, place);
  const [version, verifier, resumed, root] = peer.login.result as [string, Buffer, boolean, unknown[]];
  t.strictSame([version, verifier, resumed], ['test/1', VERIFIER, false]);
  t.equal(attributes(root).mode & 0o170000, 0o040000);
  const handle = await peer.open('f');
  const content = randomBytes(MAX_DATA);
  t.equal((await peer.send('write', [handle, 0], content)).kind, 'ok');
  t.ok(((await peer.send('read', [handle, 0, MAX_DATA])).result as Buffer).equals(content));
  t.equal((await peer.send('getattr', ['missing'])).kind, 'ENOENT');
  t.equal((await peer.send('ping', [])).kind, 'ok');
  t.equal((await peer.send('nonsense', [])).kind, 'ENOSYS');
  t.equal((await peer.send('__proto__', [])).kind, 'ENOSYS');
  t.equal((await peer.send('login', ['alice', null, peer.id, false, '', 0])).kind, 'EINVAL');
  for (const params of [[], ['f', 'f'], [null], [7], [[]], [Buffer.from('f'), 99], [Buffer.from('f'), -1]]) {
    t.equal((await peer.send('open', params)).kind, 'EINVAL');
  }
  t.equal((await peer.send('read', [handle, 0, MAX_DATA + 1])).kind, 'EINVAL');
  t.equal((await peer.send('read', [handle, -1, 1])).kind, 'EINVAL');
  t.equal((await peer.send('read', [handle, 2 ** 53, 1])).kind, 'EINVAL');
  peer.channel.send(encodeNotification('nonsense' as 'cancel', []));
  peer.channel.send(encodeNotification('cancel', [12345]));
  t.equal((await peer.send('ping', [])).kind, 'ok', 'unknown notifications are ignored');
  const { requests, bytesReceived, bytesSent } = peer.session.activity;
  t.ok(requests > 10 && bytesReceived > MAX_DATA && bytesSent > MAX_DATA);
  await peer.cut();
});

sessionTest('answers to nothing, bad cancels and reused ids close the connection', async (t, home, place) => {
  const hostile: ((peer: Peer) => void)[] = [
    (peer) => peer.channel.send(encodeResponse(1, undefined, null)),
    (peer) => peer.channel.send(encodeNotification('cancel', ['x'])),
    (peer) => {
      void peer.send('fsyncdir', [''], undefined, 5);
      void peer.send('fsyncdir', [''], undefined, 5);
    },
  ];
  for (const send of hostile) {
    const peer = await Peer.connect(t, home, place);
    send(peer);
    t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  }
});

sessionTest('more calls than the window close the connection', async (t, home, place) => {
  const peer = await Peer.connect(t, home, place);
  const handle = await peer.open('f');
  for (let i = 0; i < MAX_CALLS; i++) void peer.send('fsync', [handle, false]);
  await peer.send('ping', []);
  for (let i = 0; i < 4 * MAX_CALLS; i++) void peer.send('fsync', [handle, false]);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
});

sessionTest('a call that is sent again over a new connection is applied once', async (t, home, place) => {
  const first = await Peer.connect(t, home, place);
  const id = first.id;
  const create = ['new', READ_WRITE | EXCLUSIVE, 0o644];
  const made = await first.send('create', create, undefined, 10);
  t.equal(made.kind, 'ok');
  const [handle] = made.result as [number];
  await first.send('mkdir', ['d', 0o755], undefined, 11);
  t.equal((await first.send('mkdir', ['d', 0o755], undefined, 12)).kind, 'EEXIST');
  await first.send('close', [handle], undefined, 13);
  const opened = await first.send('open', ['new', 1], undefined, 14);
  await first.send('create', ['other', READ_WRITE, 0o644], undefined, 15);
  await first.cut();

  const second = await Peer.connect(t, home, place, { id, lowestUnanswered: 10 });
  t.equal(second.resumed, true);
  t.strictSame(await second.send('create', create, undefined, 10), made, 'the same answer, not EEXIST');
  t.equal((await second.send('mkdir', ['d', 0o755], undefined, 11)).kind, 'ok');
  t.equal((await second.send('mkdir', ['d', 0o755], undefined, 12)).kind, 'EEXIST');
  t.equal((await second.send('close', [handle], undefined, 13)).kind, 'ok', 'not EBADF');
  t.strictSame(await second.send('open', ['new', 1], undefined, 14), opened, 'not another handle');
  t.equal((await second.send('create', create, undefined, 16)).kind, 'EEXIST', 'a new call is a new call');
  await second.cut();

  const third = await Peer.connect(t, home, place, { id, lowestUnanswered: 12 });
  t.equal(
    (await third.send('mkdir', ['d', 0o755], undefined, 11)).kind,
    'EEXIST',
    'answers it had are forgotten',
  );
  const stranger = await Peer.connect(t, home, place);
  t.equal(
    (await stranger.send('create', create, undefined, 10)).kind,
    'EEXIST',
    "another client's ids are its own",
  );
  await third.cut();
  await stranger.cut();
});

sessionTest(
  'a call that was still running when the connection broke is answered on the next',
  async (t, home, place) => {
    const first = await Peer.connect(t, home, place);
    const content = randomBytes(3 * MAX_DATA);
    const begun = await first.send('uploadBegin', ['f', content.length, 0o644, 1, 0, Buffer.alloc(32)]);
    const [handle] = begun.result as [number];
    for (let at = 0; at < content.length; at += MAX_DATA) {
      void first.send('uploadWrite', [handle, at], content.subarray(at, at + MAX_DATA));
    }
    const md5 = createHash('md5').update(content).digest();
    void first.send('uploadFinish', [handle, md5], undefined, 100);
    await first.send('ping', []);
    await first.cut();
    const second = await Peer.connect(t, home, place, { id: first.id, lowestUnanswered: 100 });
    const finished = await second.send('uploadFinish', [handle, md5], undefined, 100);
    t.equal(finished.kind, 'ok');
    t.equal(attributes(finished.result).size, content.length);
    t.equal((await second.send('uploadFinish', [handle, md5], undefined, 101)).kind, 'EBADF');
    await second.cut();
  },
);

sessionTest('a page of a listing that is asked for again is the same page', async (t, home, place) => {
  const first = await Peer.connect(t, home, place);
  await first.send('mkdir', ['d', 0o755]);
  const made = Array.from({ length: 2500 }, (_, i) => first.send('mknod', [`d/${i}`, 0o100644]));
  await Promise.all(made);
  const names = (answer: Answer) => (answer.result as [[Buffer, unknown][]])[0].map(([name]) => String(name));
  const start = (await first.send('readdir', ['d'])).result as [unknown, [Buffer, unknown][], number];
  const cursor = start[2];
  const middle = await first.send('readdirNext', [cursor], undefined, 3001);
  const last = await first.send('readdirNext', [cursor], undefined, 3002);
  t.equal((last.result as unknown[])[1], null);
  await first.cut();
  const second = await Peer.connect(t, home, place, { id: first.id, lowestUnanswered: 3001 });
  t.strictSame(names(await second.send('readdirNext', [cursor], undefined, 3001)), names(middle));
  t.strictSame(names(await second.send('readdirNext', [cursor], undefined, 3002)), names(last));
  t.equal((await second.send('readdirNext', [cursor], undefined, 3003)).kind, 'EBADF');
  await second.cut();
});

sessionTest('a new connection of the same client replaces the old one', async (t, home, place) => {
  const old = await Peer.connect(t, home, place);
  const handle = await old.open('f');
  const next = await Peer.connect(t, home, place, { id: old.id });
  t.equal((await old.session.closed)?.kind, 'ECONNABORTED');
  t.equal((await next.send('fgetattr', [handle])).kind, 'ok');
  await next.cut();
});

sessionTest('changes of one session reach the others', async (t, home, place) => {
  const one = await Peer.connect(t, home, place);
  const two = await Peer.connect(t, home, place, { wantsNotifications: true });
  const handle = await one.open('f');
  const { result } = await one.send('write', [handle, 0], Buffer.from('x'));
  await two.send('ping', []);
  const items = two.told.flatMap(([, params]) => (params as [unknown[]])[0]);
  t.strictSame(items, [
    [CHANGED_NAME, Buffer.alloc(0), Buffer.from('f')],
    [CHANGED_NODE, attributes(result).ino, null],
  ]);
  await one.cut();
  await two.cut();
});

/** Keeps a home as if it were being counted, until the returned function is called. */
function counting(home: UserHome): () => void {
  const gate: { open?: () => void } = {};
  const opened = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  let counts = true;
  Object.defineProperty(home, 'counting', { get: () => counts, configurable: true });
  const former = home.whenChangeable.bind(home);
  home.whenChangeable = () => opened;
  return () => {
    counts = false;
    home.whenChangeable = former;
    gate.open?.();
  };
}

sessionTest(
  'while the home is counted calls wait in order, can be cancelled, and pings are answered',
  async (t, home, place) => {
    const peer = await Peer.connect(t, home, place);
    const handle = await peer.open('f');
    const done = counting(home);
    // Larger than one read of the socket: they are put together in a buffer that each of them uses again.
    const writes = Array.from({ length: 10 }, (_, i) =>
      peer.send('write', [handle, i * 100_000], Buffer.alloc(100_000, i + 1)),
    );
    const cancelled = peer.send('mkdir', ['d', 0o755], undefined, 500);
    peer.channel.send(encodeNotification('cancel', [500]));
    t.equal((await peer.send('ping', [])).kind, 'ok');
    t.equal(home.quota.used.bytes, 0);
    done();
    t.strictSame(new Set((await Promise.all(writes)).map(({ kind }) => kind)), new Set(['ok']));
    t.equal((await cancelled).kind, 'ECANCELED');
    t.equal((await peer.send('getattr', ['d'])).kind, 'ENOENT');
    const read = (await peer.send('read', [handle, 0, MAX_DATA])).result as Buffer;
    t.equal(read.length, 1_000_000);
    t.ok(
      read.every((byte, at) => byte === Math.floor(at / 100_000) + 1),
      'data that waited is intact',
    );
    await peer.cut();
  },
);

sessionTest(
  'a full window of data with long paths beside it may wait for the count of the home',
  async (t, home, place) => {
    const peer = await Peer.connect(t, home, place);
    const handle = await peer.open('f');
    const done = counting(home);
    const answers = Array.from({ length: MAX_BYTES_IN_FLIGHT / MAX_DATA }, (_, i) =>
      peer.send('write', [handle, i * MAX_DATA], Buffer.alloc(MAX_DATA)),
    );
    const path = Array.from({ length: 16 }, () => 'n'.repeat(255)).join('/');
    while (answers.length < MAX_CALLS - 1) answers.push(peer.send('rename', [path, path, 0]));
    t.equal((await peer.send('getattr', ['..'])).kind, 'EINVAL', 'what is malformed need not wait');
    done();
    const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
    t.strictSame(new Set(kinds), new Set(['ok', 'ENOENT']));
    await peer.cut();
  },
);

sessionTest(
  'changes of one turn that fill more than a record are told in several',
  async (t, home, place) => {
    const peer = await Peer.connect(t, home, place);
    const name = 'n'.repeat(255);
    const directory = Array.from({ length: 15 }, () => name).join('/');
    for (let depth = 1; depth <= 15; depth++)
      await peer.send('mkdir', [directory.slice(0, depth * 256 - 1), 0o755]);
    const from = `${directory}/${'a'.repeat(200)}`;
    const to = `${directory}/${'b'.repeat(200)}`;
    await peer.send('mkdir', [from, 0o755]);
    const other = await Peer.connect(t, home, place, { wantsNotifications: true });
    const done = counting(home);
    const pairs = MAX_CALLS / 2;
    const answers = Array.from({ length: pairs }, () => [
      peer.send('rename', [from, to, 0]),
      peer.send('rename', [to, from, 0]),
    ]).flat();
    t.equal((await peer.send('ping', [])).kind, 'ok', 'all of them wait');
    done();
    t.strictSame(new Set((await Promise.all(answers)).map(({ kind }) => kind)), new Set(['ok']));
    t.equal((await other.send('ping', [])).kind, 'ok', 'after all that was sent before');
    const renames = other.told.flatMap(([, params]) => (params as [unknown[]])[0]);
    t.equal(renames.length, 2 * pairs);
    t.ok(other.told.length > 1, `${other.told.length} notifications`);
    for (const each of [peer, other]) await each.cut();
  },
);

sessionTest('more data than the window allows closes the connection', async (t, home, place) => {
  const peer = await Peer.connect(t, home, place);
  const handle = await peer.open('f');
  const done = counting(home);
  const data = Buffer.alloc(MAX_DATA);
  for (let i = 0; i < 18; i++) void peer.send('write', [handle, 0], data);
  t.equal((await peer.session.closed)?.kind, 'PROTOCOL');
  done();
});

sessionTest(
  'a client that does not read is not read from, and dropped in the end',
  async (t, home, place) => {
    const peer = await Peer.connect(t, home, place, { keepaliveMs: 200, wantsNotifications: true });
    const handle = await peer.open('f');
    await peer.send('write', [handle, 0], Buffer.alloc(MAX_DATA));
    const other = await Peer.connect(t, home, place);
    peer.channel.pause();
    for (let i = 0; i < 200; i++) void peer.send('read', [handle, 0, MAX_DATA]);
    while (peer.session.activity.requests < 5) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i++) await other.send('mkdir', [`d${i}`, 0o755]);
    t.equal((await peer.session.closed)?.kind, 'ETIMEDOUT');
    const { requests, bytesSent } = peer.session.activity;
    t.ok(requests < 50, `${requests} of 200 requests were read`);
    t.ok(bytesSent < 40 * MAX_DATA);
    t.equal((await other.send('ping', [])).kind, 'ok', 'others notice nothing');
    await other.cut();
  },
);

sessionTest(
  'who reads again after a pause gets everything, and is told that changes were lost',
  async (t, home, place) => {
    const peer = await Peer.connect(t, home, place, { wantsNotifications: true });
    const handle = await peer.open('f');
    await peer.send('write', [handle, 0], Buffer.alloc(MAX_DATA, 7));
    const other = await Peer.connect(t, home, place);
    peer.channel.pause();
    const reads = Array.from({ length: 40 }, () => peer.send('read', [handle, 0, MAX_DATA]));
    let requests = -1;
    while (requests !== peer.session.activity.requests) {
      ({ requests } = peer.session.activity);
      await other.send('fsyncdir', ['']);
    }
    for (let i = 0; i < 20; i++) await other.send('mkdir', [`d${i}`, 0o755]);
    peer.channel.resume();
    const answers = await Promise.all(reads);
    t.ok(
      answers.every(({ result }) => (result as Buffer).length === MAX_DATA && (result as Buffer)[5] === 7),
    );
    await peer.send('ping', []);
    t.ok(peer.told.some(([, params]) => JSON.stringify(params) === JSON.stringify([[[CHANGED_ALL]]])));
    t.ok(peer.told.length < 20);
    await peer.cut();
    await other.cut();
  },
);

sessionTest('a silent client is dropped', async (t, home, place) => {
  const peer = await Peer.connect(t, home, place, { keepaliveMs: 20 });
  t.equal((await peer.session.closed)?.kind, 'ETIMEDOUT');
  t.equal(home.status().sessions, 0);
});

sessionTest('shutdown tells, finishes what is running, and closes', async (t, home, place) => {
  const peer = await Peer.connect(t, home, place);
  const handle = await peer.open('f');
  const running = peer.send('fsync', [handle, false]);
  while (peer.session.activity.requests < 2) await new Promise((resolve) => setImmediate(resolve));
  const ended = peer.session.shutdown('maintenance', true);
  t.equal((await running).kind, 'ok');
  await ended;
  t.equal(await peer.closed, undefined, 'a clean end');
  t.strictSame(peer.told, [['shutdown', ['maintenance', true]]]);
});

void t.test('8 connections writing at once never pass the limit by a byte', async (t) => {
  const limit = 1_000_003;
  const place = new Place(t, { bytes: limit });
  const home = await place.open();
  const peers = await Promise.all(Array.from({ length: 8 }, () => Peer.connect(t, home, place)));
  let most = 0;
  const kinds = new Map<string, number>();
  await Promise.all(
    peers.map(async (peer, index) => {
      const handle = await peer.open(index % 2 === 0 ? 'shared' : `own${index}`);
      const writes = Array.from({ length: 100 }, (_, i) =>
        peer
          .send('write', [handle, i * 3001 + index], Buffer.alloc(1 + ((i * 977 + index * 131) % 5000)))
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

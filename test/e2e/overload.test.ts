/*
 * A real daemon and clients that take more than is theirs: connections, requests, answers that are never read, handles,
 * tries of passwords. Each meets a bound, and who keeps the rules is served meanwhile and after.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import t from 'tap';
import { encodeNotification, encodeRequest } from '../../protocol/codec.js';
import { MAX_CALLS, MAX_DATA, MAX_HANDLES, MAX_PAGE_ENTRIES } from '../../protocol/limits.js';
import { LEASE_READ } from '../../protocol/methods.js';
import { Attacker, loginOf, rawConnection } from '../lib/attacker.js';
import { raw } from '../lib/raw-operations.js';
import { PASSWORD, Target } from '../lib/target.js';

/** Kilobytes that the daemon may have grown by after an attack: pools of buffers, and the collector's slack. */
const BOUND = 160 * 1024;
/** Kilobytes that it may have grown by during an attack of one session that does not read. */
const DURING = 192 * 1024;
const MAX_PER_ADDRESS = 16;
const MAX_UNAUTHENTICATED = 24;
const MAX_SESSIONS = 12;

/** Seconds: who is kept waiting for a lease waits for the whole term of one. */
const LEASE_TERM = 5;

const target = await Target.start(t, {
  quotaBytes: 64 * MAX_DATA,
  args: [
    ...['--max-per-address', String(MAX_PER_ADDRESS), '--max-unauthenticated', String(MAX_UNAUTHENTICATED)],
    ...['--max-sessions', String(MAX_SESSIONS), '--max-queue', '4', '--lockout-failures', '3'],
    ...['--lease-term', String(LEASE_TERM)],
  ],
});
const { port } = target;

/** Resolves when the socket has nothing to send any more, or is closed. */
function drained(socket: Socket): Promise<void> {
  if (socket.destroyed || socket.writableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}

/** Writes the bytes again and again until the server closes, or takes no more. Returns how many times it took them. */
async function pour(attacker: Attacker, times: number, make: () => Buffer): Promise<number> {
  let poured = 0;
  for (; poured < times && !attacker.socket.destroyed; poured++) {
    attacker.raw(make());
    if (attacker.socket.writableLength > 4 * MAX_DATA) break;
    await Promise.race([drained(attacker.socket), new Promise((resolve) => setImmediate(resolve))]);
  }
  return poured;
}

await t.test('connections that do not shake hands', async (t) => {
  const slow = Array.from({ length: 3 * MAX_PER_ADDRESS }, () => rawConnection(t, port, '127.0.0.9'));
  await Promise.allSettled(slow.map(({ connected }) => connected));
  let refused = 0;
  for (const { closed } of slow) void closed.then(() => (refused += 1));
  // Letter by letter, as one who wants to stay for long.
  for (const byte of Buffer.from('ftpmnt')) {
    for (const { socket } of slow) if (!socket.destroyed) socket.write(Buffer.of(byte));
  }
  await target.serves();
  t.equal(refused, 2 * MAX_PER_ADDRESS, 'one address has no more than its share');
  const others = Array.from({ length: MAX_PER_ADDRESS }, () => rawConnection(t, port, '127.0.0.10'));
  await Promise.all(others.slice(MAX_UNAUTHENTICATED - MAX_PER_ADDRESS).map(({ closed }) => closed));
  t.pass('all addresses together have no more than theirs');
  for (const { socket } of [...slow, ...others]) socket.destroy();
  await target.unharmed(t, 'slow connections', BOUND);
});

await t.test('a stranger who asks and does not read', async (t) => {
  const stranger = await target.stranger();
  stranger.stopReading();
  const pings = (): Buffer =>
    Buffer.concat(
      Array.from({ length: 2000 }, (_, i) =>
        stranger.sealed(Buffer.concat(encodeRequest(1000 + i, 'ping', []))),
      ),
    );
  // Without a bound all of it would be answered: 40 MB that wait in the daemon.
  for (let i = 0; i < 1000 && !stranger.socket.destroyed; i++) {
    stranger.raw(pings());
    await drained(stranger.socket);
  }
  await stranger.closed;
  t.ok(target.growth < BOUND, `${target.growth} kB more while it did not read`);
  await target.unharmed(t, 'pings of a stranger', BOUND);
});

await t.test('thousands of requests at once', async (t) => {
  const mallory = await target.mallory();
  await create(mallory, 'f');
  // Hashing it takes a while, so that those calls are under way together.
  t.equal((await mallory.change(raw.write('f', 48 * MAX_DATA, Buffer.alloc(1)))).kind, 'ok');
  const handle = await download(mallory, 'f');
  const burst = Buffer.concat(
    Array.from({ length: 20_000 }, (_, i) =>
      mallory.sealed(Buffer.concat(encodeRequest(1000 + i, 'getattr', [Buffer.from('f')]))),
    ),
  );
  mallory.raw(burst);
  t.equal((await mallory.answer(20_999)).kind, 'ok', 'what is answered at once is no window');
  const digests = Array.from({ length: MAX_CALLS + 200 }, () =>
    mallory.sealed(Buffer.concat(encodeRequest(mallory.nextId(), 'digest', [handle]))),
  );
  mallory.raw(Buffer.concat(digests));
  await mallory.closed;
  t.pass('more calls under way than the window close the connection');
  const second = await target.mallory();
  const again = await download(second, 'f');
  const twice = Buffer.concat(encodeRequest(500, 'digest', [again]));
  second.raw(Buffer.concat([second.sealed(twice), second.sealed(twice)]));
  await second.closed;
  t.pass('an id that is under way closes the connection');
  await target.unharmed(t, 'requests', BOUND);
});

await t.test('a client that asks for data and does not read', async (t) => {
  const mallory = await target.mallory();
  for (const name of ['f', 'small']) await create(mallory, name);
  for (let i = 0; i < 16; i++)
    t.equal((await mallory.change(raw.write('f', i * MAX_DATA, Buffer.alloc(MAX_DATA, i)))).kind, 'ok');
  await mallory.change(raw.write('small', 0, Buffer.alloc(131_072, 1)));
  mallory.stopReading();
  const ask = (): Buffer => {
    const reads = Array.from({ length: 64 }, (_, i) =>
      encodeRequest(mallory.nextId(), 'read', [Buffer.from('f'), (i % 16) * MAX_DATA, MAX_DATA]),
    );
    const fetches = Array.from({ length: 64 }, () =>
      encodeRequest(mallory.nextId(), 'fetch', [[Buffer.from('small')], 131_072]),
    );
    return Buffer.concat([...reads, ...fetches].map((message) => mallory.sealed(Buffer.concat(message))));
  };
  await pour(mallory, 300, ask);
  await target.serves();
  t.ok(target.growth < DURING, `${target.growth} kB more while it did not read`);
  await mallory.close();
  await target.unharmed(t, 'answers nobody reads', BOUND);
});

await t.test('a session that gives nothing back', async (t) => {
  const deaf = await target.mallory({ leaseWanted: LEASE_READ });
  const busy = await target.mallory();
  const names = Array.from({ length: MAX_CALLS }, (_, i) => `${i}-${'n'.repeat(200)}`);
  await Promise.all(names.map((name) => busy.change(raw.mkdir(name))));
  await Promise.all(names.map((name) => deaf.call('list', [name, 1])));
  deaf.stopReading();
  // All of them wait: deaf may believe what it was told of each of these directories.
  const made = await Promise.all(names.map((name) => busy.change(raw.create(`${name}/file`))));
  t.ok(made.every(({ kind }) => kind === 'ok'));
  t.ok(target.growth < DURING, `${target.growth} kB more while it did not read`);
  deaf.goOnReading();
  await deaf.closed;
  t.pass('who keeps others waiting for the term has lost its session');
  for (let round = 0; round < 30; round++) {
    const answers = names.flatMap((name) => [
      busy.change(raw.rename(`${name}/file`, `${name}/renamed`)),
      busy.change(raw.rename(`${name}/renamed`, `${name}/file`)),
    ]);
    t.ok((await Promise.all(answers)).every(({ kind }) => kind === 'ok'));
  }
  await busy.close();
  await target.unharmed(t, 'recalls nobody reads', BOUND);
});

await t.test('handles, cursors, held files and uploads without end', async (t) => {
  const { pid } = target.daemon.service;
  const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
  const mallory = await target.mallory();
  await create(mallory, 'f');
  await mallory.change(raw.mkdir('many'));
  const many = Array.from({ length: MAX_PAGE_ENTRIES + 1 }, (_, i) => `many/${i}`);
  for (const name of many) mallory.requestChange(raw.create(name));
  const before = descriptors();
  const kinds = new Set<string>();
  let opened = 0;
  for (let asked = 0; asked < MAX_HANDLES && !kinds.has('EMFILE'); asked += MAX_CALLS) {
    const calls = Array.from({ length: MAX_CALLS }, (_, i) =>
      i % 16 === 0 ? mallory.call('list', ['many', 1]) : mallory.call('download', ['f']),
    );
    for (const { kind } of await Promise.all(calls)) {
      kinds.add(kind);
      if (kind === 'ok') opened += 1;
    }
  }
  t.strictSame([...kinds].toSorted(), ['EMFILE', 'ok']);
  t.ok(opened > 1000, `${opened} handles are open`);
  t.equal((await begin(mallory, 'upload')).kind, 'EMFILE');
  t.equal((await mallory.call('list', ['many', 1])).kind, 'EMFILE');
  await target.serves();
  t.pass('there are descriptors left for others');
  await closeAll(mallory, opened);
  t.ok(descriptors() < before + 50, 'all were closed');
  for (let i = 0; i < MAX_CALLS + 60; i++) {
    const { result } = await mallory.call('list', ['many', 1]);
    let [[, , cursor]] = result as [[unknown, unknown, number | null]];
    while (cursor !== null)
      [, cursor] = (await mallory.call('listNext', [cursor])).result as [unknown, number | null];
  }
  t.ok(descriptors() < before + 50, 'a listing that was read to its end is closed');
  for (const name of many) mallory.request('hold', [Buffer.from(name)]);
  t.equal((await mallory.call('ping', [])).kind, 'ok');
  t.ok(descriptors() > before + MAX_PAGE_ENTRIES / 2, 'files are held');
  await mallory.logOut();
  await target.serves();
  t.ok(descriptors() < before + 50, 'and are not when their client has logged out');
  await target.unharmed(t, 'handles', BOUND);
});

await t.test('uploads that are forsaken while they are being finished are closed', async (t) => {
  const { pid } = target.daemon.service;
  const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
  const mallory = await target.mallory();
  const md5 = createHash('md5').update('abc').digest();
  const before = descriptors();
  for (let i = 0; i < 50; i++) {
    const [handle] = (await begin(mallory, `up${i}`)).result as [number];
    await mallory.call('uploadWrite', [handle, 0, Buffer.from('abc')]);
    await mallory.change(raw.mkdir(`up${i}`));
    const answers = [mallory.call('uploadFinish', [handle, md5]), mallory.call('close', [handle])];
    t.strictSame(
      (await Promise.all(answers)).map(({ kind }) => kind),
      ['EISDIR', 'ok'],
    );
  }
  t.ok(descriptors() < before + 10, 'nothing of them is open');
  await mallory.close();
  await target.unharmed(t, 'forsaken uploads', BOUND);
});

await t.test('a storm of cancels', async (t) => {
  const mallory = await target.mallory();
  await create(mallory, 'f');
  const storm = [encodeRequest(700, 'digest', [await download(mallory, 'f')])];
  for (let i = 0; i < 50_000; i++) storm.push(encodeNotification('cancel', [i % 1000]));
  mallory.raw(Buffer.concat(storm.map((message) => mallory.sealed(Buffer.concat(message)))));
  t.match((await mallory.answer(700)).kind, /^(?:ok|ECANCELED)$/);
  t.equal((await mallory.call('ping', [])).kind, 'ok');
  await mallory.close();
  await target.unharmed(t, 'cancels', BOUND);
});

await t.test('connections that end in the middle of what they asked for', async (t) => {
  for (let round = 0; round < 20; round++) {
    const mallory = await target.mallory();
    await create(mallory, 'f');
    const handle = await download(mallory, 'f');
    for (let i = 0; i < 50; i++) {
      mallory.requestChange(raw.write('f', i, Buffer.alloc(1000)));
      mallory.request('sync', [0]);
      mallory.request('read', [Buffer.from('f'), 0, MAX_DATA]);
      mallory.request('digest', [handle]);
    }
    if (round % 2 === 0) mallory.socket.end();
    else mallory.socket.resetAndDestroy();
    await mallory.closed;
  }
  await target.unharmed(t, 'broken connections', BOUND);
});

await t.test('a client that connects again and again has one session and one place', async (t) => {
  const clientId = randomBytes(16);
  let mallory = await target.mallory({ clientId });
  for (let round = 0; round < 3 * MAX_SESSIONS; round++) {
    const former = mallory;
    if (round % 3 === 0) {
      // It is gone before it could be served: the session before goes on, or not, but keeps its place.
      const hasty = await Attacker.connect(t, { port, user: 'mallory', clientId, keyPair: target.keyPair });
      hasty.socket.resetAndDestroy();
      await hasty.closed;
    }
    mallory = await target.mallory({ clientId });
    await former.closed;
  }
  const others = await Promise.all(Array.from({ length: MAX_SESSIONS - 1 }, () => target.mallory()));
  const waiting = await Attacker.connect(t, { port, user: 'mallory', keyPair: target.keyPair });
  await waiting.until(() => waiting.notifications.length > 0);
  t.strictSame(
    waiting.notifications,
    [{ method: 'queued', params: [1] }],
    'the server is full, and no fuller',
  );
  await others[0]?.close();
  t.equal((await waiting.answer(1)).kind, 'ok', 'a place that becomes free goes to who waits');
  for (const session of [mallory, waiting, ...others]) await session.close();
  await target.unharmed(t, 'connecting again', BOUND);
});

await t.test('passwords tried on many connections at once', async (t) => {
  const tries = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const attacker = await Attacker.connect(t, { port, user: 'mallory', password: `guess ${i}` });
      const kinds: string[] = [];
      for (let id = 1; id <= 4; id++) {
        if (id > 1) attacker.request('login', loginOf({ port, user: 'mallory', password: 'guess' }), id);
        const answer = await attacker.answer(id).catch(() => undefined);
        if (answer === undefined) break;
        kinds.push(answer.kind);
      }
      return kinds;
    }),
  );
  for (const kinds of tries) t.equal(kinds.length, 3, 'three tries, no more');
  const looked = tries.flat().filter((kind) => kind !== 'EAGAIN');
  t.strictSame(new Set(looked), new Set(['EKEYREJECTED']));
  t.ok(looked.length <= 3, 'no more passwords were looked at');
  const right = await Attacker.connect(t, { port, user: 'mallory', password: PASSWORD });
  t.equal((await right.answer(1)).kind, 'EAGAIN', 'locked out, also with the right one');
  await right.close();
  // Whoever has a key is not locked out by others who guess: serves() logs in by key.
  await target.unharmed(t, 'guesses', BOUND);
});

/** Makes an empty file, or finds one there. */
async function create(attacker: Attacker, name: string): Promise<void> {
  await attacker.change(raw.create(name));
}

/** Opens a download; returns its handle. */
async function download(attacker: Attacker, name: string): Promise<number> {
  const { result } = await attacker.call('download', [name]);
  return (result as [number])[0];
}

function begin(attacker: Attacker, name: string): ReturnType<Attacker['call']> {
  return attacker.call('uploadBegin', [name, 3, 0o644, 0, 0, Buffer.alloc(32, 9)]);
}

/** Closes all handles of a client, which count up from 1, until so many were closed. */
async function closeAll(attacker: Attacker, opened: number): Promise<void> {
  for (let number = 1, closed = 0; closed < opened && number < 2 * MAX_HANDLES; number += MAX_CALLS) {
    const calls = Array.from({ length: MAX_CALLS }, (_, i) => attacker.call('close', [number + i]));
    for (const { kind } of await Promise.all(calls)) if (kind === 'ok') closed += 1;
  }
}

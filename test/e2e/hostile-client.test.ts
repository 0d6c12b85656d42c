/*
 * A real daemon and clients that keep no rule: before the handshake, before login and after it. Whatever they send is
 * answered with an error or ends their own connection, and nothing else. Each attack ends with Target.unharmed().
 */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { encodeNotification, encodeRequest, encodeResponse } from '../../protocol/codec.js';
import { MAX_DATA, MAX_ELEMENTS, MAX_HANDSHAKE_MESSAGE, MAX_RECORD } from '../../protocol/limits.js';
import type { MethodName } from '../../protocol/methods.js';
import { logIn } from '../lib/accounts.js';
import { Attacker, loginOf, rawConnection } from '../lib/attacker.js';
import { Target } from '../lib/target.js';

/** What the daemon may have grown by after an attack (kilobytes): pools of buffers that fill once, and the collector's slack. */
const BOUND = 112 * 1024;
const TAG = 16;

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

function request(id: number, method: string, params: unknown): Buffer {
  return Buffer.concat(encodeRequest(id, method as MethodName, params as unknown[]));
}

const PING = request(9, 'ping', []);

/** Plaintexts that break the rules of messages. Each has to end the connection, before login and after. */
const BROKEN: Readonly<Record<string, Buffer>> = {
  'random bytes': randomBytes(200),
  text: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  nil: hex('c0'),
  'an array of nothing': hex('90'),
  'the type that is never used': hex('c1'),
  'a map': hex('94 00 05 a0 80'),
  'a map of 2^32-1': hex('94 00 05 a0 df ffffffff'),
  'an extension': hex('94 00 05 a0 d4 0000'),
  'an extension of 4 GiB': hex('94 00 05 a0 c9 ffffffff 01'),
  'arrays in arrays': Buffer.concat([hex('94 00 05 a470696e67'), Buffer.alloc(3900, 0x91), hex('c0')]),
  'an array that promises 2^32-1': hex('94 00 05 a470696e67 dd ffffffff'),
  'an array that promises 65535': hex('94 00 05 a470696e67 dc ffff'),
  'a text that promises 4 GiB': hex('94 00 05 db ffffffff 70'),
  'bytes that promise 4 GiB': hex('94 00 05 a470696e67 91 c6 ffffffff 00'),
  'arrays of arrays that promise much': hex('dd 7fffffff dd 7fffffff dd 7fffffff'),
  'something after the message': Buffer.concat([PING, hex('c0')]),
  'two messages': Buffer.concat([PING, PING]),
  'a message that ends early': PING.subarray(0, -1),
  'a request without parameters': hex('93 00 05 a470696e67'),
  'a fourth kind of message': hex('94 03 05 a470696e67 90'),
  'a negative id': hex('94 00 ff a470696e67 90'),
  'an id past 32 bits': hex('94 00 cf0000000100000000 a470696e67 90'),
  'half an id': hex('94 00 cb3fe0000000000000 a470696e67 90'),
  'an id that is no number': hex('94 00 cb7ff8000000000000 a470696e67 90'),
  'a text for an id': hex('94 00 a135 a470696e67 90'),
  'a number for a method': hex('94 00 05 05 90'),
  'bytes for a method': hex('94 00 05 c40470696e67 90'),
  'an answer to nothing': Buffer.concat(encodeResponse(7, undefined, null)),
  'an answer to a call of its own': Buffer.concat(encodeResponse(1, undefined, null)),
  'a failure nobody asked for': hex('94 01 05 92 a3 455045 a0 c0'),
};

/** Changes of records on the wire. `a` is past the handshake. Each has to end the connection. */
const FRAMES: Readonly<Record<string, (a: Attacker) => void>> = {
  'no length at all': (a) => a.raw(Buffer.alloc(4)),
  'a length without a plaintext': (a) => a.raw(Buffer.concat([hex('00000010'), randomBytes(16)])),
  'a length of 4 GiB': (a) => a.raw(hex('ffffffff')),
  'a length past the limit': (a) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(MAX_RECORD + 1 + TAG);
    a.raw(length);
  },
  'a record of random bytes': (a) => a.raw(Buffer.concat([hex('00000020'), randomBytes(32)])),
  'a changed length': (a) => {
    const record = a.sealed(PING);
    record.writeUInt32BE(record.readUInt32BE(0) - 1, 0);
    a.raw(record);
  },
  'a changed byte': (a) => a.raw(flipped(a.sealed(PING), 6)),
  'a changed tag': (a) => a.raw(flipped(a.sealed(PING), -1)),
  'a record sent twice': (a) => {
    const record = a.sealed(PING);
    a.raw(Buffer.concat([record, record]));
  },
  'records out of order': (a) => {
    const [first, second] = [a.sealed(PING), a.sealed(PING)];
    a.raw(Buffer.concat([second, first]));
  },
  'a record left out': (a) => {
    a.sealed(PING);
    a.send(PING);
  },
  'a record that was cut': (a) => {
    a.socket.end(a.sealed(PING).subarray(0, -3));
  },
};

function flipped(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes;
}

/** One daemon for all: what an attack leaves behind would harm those after it. */
const target = await Target.start(t);

await t.test('before the handshake', async (t) => {
  const preamble = hex('66746d6e7401 01');
  const good = Buffer.concat([Buffer.from('ftpmnt'), hex('01 01')]);
  const openings: Record<string, Buffer> = {
    'random bytes': randomBytes(64 * 1024),
    'another protocol': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    'a wrong magic': Buffer.concat([preamble, Buffer.alloc(8)]),
    'an unknown version': Buffer.concat([Buffer.from('ftpmnt'), hex('02 01')]),
    'an unknown suite': Buffer.concat([Buffer.from('ftpmnt'), hex('01 03')]),
    'a handshake message past the limit': Buffer.concat([good, length16(MAX_HANDSHAKE_MESSAGE + 1)]),
    'a handshake message that is too short': Buffer.concat([good, length16(31), randomBytes(31)]),
    'an empty handshake message': Buffer.concat([good, length16(0)]),
    'a key of zeros': Buffer.concat([good, length16(32), Buffer.alloc(32)]),
    'a key of low order': Buffer.concat([good, length16(32), hex('01'), Buffer.alloc(31)]),
    'a payload in clear': Buffer.concat([good, length16(36), randomBytes(36)]),
    'a third message of random bytes': Buffer.concat([
      good,
      length16(32),
      randomBytes(32),
      length16(96),
      randomBytes(96),
    ]),
  };
  for (const [name, bytes] of Object.entries(openings)) {
    const { socket, closed } = rawConnection(t, target.port);
    socket.write(bytes);
    await closed;
    t.pass(`${name} ends the connection`);
  }
  for (const cut of [0, 3, 8, 9, 20]) {
    const { socket, closed } = rawConnection(t, target.port);
    socket.end(Buffer.concat([good, length16(32), randomBytes(32)]).subarray(0, cut));
    await closed;
    t.pass(`giving up after ${cut} bytes ends the connection`);
  }
  const thirds: Record<string, Buffer> = {
    ...BROKEN,
    'a ping': PING,
    'another method': request(1, 'getattr', [Buffer.alloc(0)]),
    'a notification': Buffer.concat(encodeNotification('cancel', [1])),
    nothing: Buffer.alloc(0),
  };
  for (const [name, firstRequest] of Object.entries(thirds)) {
    const attacker = await Attacker.connect(t, { port: target.port, user: 'mallory', firstRequest });
    await attacker.closed;
    t.pass(`${name} for a login ends the connection`);
  }
  await target.unharmed(t, 'handshakes', BOUND);
});

function length16(length: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(length);
  return bytes;
}

await t.test('before login', async (t) => {
  const requests: Record<string, Buffer> = {
    ...BROKEN,
    'a method of the home': request(3, 'getattr', [Buffer.alloc(0)]),
    'an unknown method': request(3, 'nonsense', []),
    __proto__: request(3, '__proto__', []),
    'a record past the limit before login': request(3, 'ping', [Buffer.alloc(5000)]),
  };
  for (const [name, plaintext] of Object.entries(requests)) {
    const stranger = await target.stranger();
    stranger.send(plaintext);
    await stranger.closed;
    t.pass(`${name} ends the connection`);
  }
  for (const [name, attack] of Object.entries(FRAMES)) {
    const stranger = await target.stranger();
    attack(stranger);
    await stranger.closed;
    t.pass(`${name} ends the connection`);
  }
  for (const params of [
    [],
    [null],
    Array.from({ length: 1000 }, () => 1),
    loginOf({ port: 0, user: 'x'.repeat(33) }),
    loginOf({ port: 0, user: 'mallory', password: 'p'.repeat(1025) }),
  ]) {
    const stranger = await target.stranger();
    t.equal(
      (await stranger.answer(stranger.request('login', params))).kind,
      'EINVAL',
      'parameters of a wrong shape',
    );
    await stranger.closed;
  }
  const stranger = await target.stranger();
  t.equal((await stranger.call('ping', [])).kind, 'ok', 'a ping is answered');
  stranger.send(Buffer.concat(encodeNotification('durable', [1])));
  t.equal((await stranger.call('ping', [])).kind, 'ok', 'notifications are ignored');
  const login = { port: target.port, user: 'mallory', password: 'wrong' };
  for (const id of [50, 51]) stranger.request('login', loginOf(login), id);
  await stranger.closed;
  t.pass('two logins at a time end the connection');
  await target.unharmed(t, 'strangers', BOUND);
});

await t.test('messages after login', async (t) => {
  const requests: Record<string, Buffer> = {
    ...BROKEN,
    'more values than are allowed': Buffer.concat([
      hex('94 00 05 a470696e67 dd'),
      hex('00010001'),
      Buffer.alloc(MAX_ELEMENTS + 1, 0xc0),
    ]),
    'a cancel without an id': Buffer.concat(encodeNotification('cancel', [])),
    'a cancel of a text': Buffer.concat(encodeNotification('cancel', ['1'])),
    'a cancel of a negative id': Buffer.concat(encodeNotification('cancel', [-1])),
  };
  for (const [name, plaintext] of Object.entries(requests)) {
    const mallory = await target.mallory();
    mallory.send(plaintext);
    await mallory.closed;
    t.pass(`${name} ends the connection`);
  }
  for (const [name, attack] of Object.entries(FRAMES)) {
    const mallory = await target.mallory();
    attack(mallory);
    await mallory.closed;
    t.pass(`${name} ends the connection`);
  }
  const mallory = await target.mallory();
  for (const name of [
    'nonsense',
    '',
    '__proto__',
    'constructor',
    'toString',
    'cancel',
    'lease',
    'x'.repeat(MAX_DATA),
  ]) {
    t.equal((await mallory.call(name, [])).kind, 'ENOSYS', `${name.slice(0, 20)} is no method`);
  }
  t.equal(
    (await mallory.call('login', loginOf({ port: 0, user: 'alice' }))).kind,
    'EINVAL',
    'one login is enough',
  );
  for (const name of ['lease', 'recall', 'queued', 'shutdown', 'nonsense'])
    mallory.send(Buffer.concat(encodeNotification(name as 'lease', [[[3]]])));
  t.equal((await mallory.call('ping', [])).kind, 'ok', "notifications of a server's are ignored");
  await target.unharmed(t, 'messages', BOUND);
});

await t.test('a stranger and a user at once, and a client that keeps the rules meanwhile', async (t) => {
  const { port } = target;
  const attacks = Object.values(BROKEN).flatMap((plaintext) => [
    target.stranger().then(async (attacker) => (attacker.send(plaintext), attacker.closed)),
    target.mallory().then(async (attacker) => (attacker.send(plaintext), attacker.closed)),
  ]);
  const { keyPair } = target;
  const alice = await logIn(t, { port, user: 'alice', password: null, keyPair });
  for (let i = 0; i < 100; i++) t.equal((await alice.call('getattr', [Buffer.alloc(0)])).nlink > 0, true);
  await Promise.all(attacks);
  await alice.close();
  await target.unharmed(t, 'all at once', BOUND);
});

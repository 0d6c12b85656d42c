import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { accept, type Accepted } from '../../../protocol/transport/acceptor.js';
import { encodeNotification, encodeRequest } from '../../../protocol/codec.js';
import { Failure } from '../../../protocol/failure.js';
import { MAX_HANDSHAKE_MESSAGE } from '../../../protocol/limits.js';
import { HandshakeState } from '../../../protocol/transport/noise.js';
import { generateKeyPair } from '../../../protocol/transport/x25519.js';
import { encodePreamble } from '../../../protocol/transport/preamble.js';
import { listen } from '../../lib/loopback.js';

const serverKeys = generateKeyPair();
const clientKeys = generateKeyPair();
const LOGIN = Buffer.concat(encodeRequest(1, 'login', ['alice', null, Buffer.alloc(16), 0, 'test']));

/** A raw connection to one accept(), and how that ends. */
async function rawClient(
  t: Test,
  timeoutMs?: number,
): Promise<{ socket: Socket; accepted: Promise<Accepted | Failure> }> {
  const result: { resolve?: (value: Accepted | Failure) => void } = {};
  const accepted = new Promise<Accepted | Failure>((resolve) => {
    result.resolve = resolve;
  });
  const { port } = await listen(t, (socket) => {
    accept(socket, {
      staticKeyPair: serverKeys,
      serverVersion: 'test/1',
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }).then(
      (value) => result.resolve?.(value),
      (failure: Failure) => result.resolve?.(failure),
    );
  });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return { socket, accepted };
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function newHandshake(preamble: Buffer): HandshakeState {
  return new HandshakeState({
    suite: 'AESGCM',
    initiator: true,
    prologue: preamble,
    staticKeyPair: clientKeys,
  });
}

/** Sends the preamble and message 1, reads message 2, and returns the handshake before message 3. */
async function halfShaken(socket: Socket, sentPreamble = encodePreamble('AESGCM')): Promise<HandshakeState> {
  const handshake = newHandshake(encodePreamble('AESGCM'));
  socket.write(Buffer.concat([sentPreamble, framed(handshake.writeMessage(Buffer.alloc(0)))]));
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  handshake.readMessage(bytes.subarray(2));
  return handshake;
}

t.test('gives keys, the client key, the first request and what followed', async (t) => {
  const { socket, accepted } = await rawClient(t);
  const handshake = await halfShaken(socket);
  t.same(handshake.remoteStatic, Buffer.from(serverKeys.publicKey));
  socket.write(Buffer.concat([framed(handshake.writeMessage(LOGIN)), Buffer.from('records')]));
  const result = await accepted;
  if (result instanceof Failure) throw result;
  t.match(result.firstRequest, { kind: 'request', id: 1, method: 'login', params: ['alice', null] });
  t.same(result.remoteStatic, Buffer.from(clientKeys.publicKey));
  t.equal(result.leftover.toString(), 'records');
  const { sendKey, receiveKey } = handshake.finish();
  t.same(result.keys, {
    suite: 'AESGCM',
    sendKey: receiveKey,
    sendCount: 0,
    receiveKey: sendKey,
    receiveCount: 0,
  });
});

t.test('takes the handshake byte by byte', async (t) => {
  const { socket, accepted } = await rawClient(t);
  socket.setNoDelay(true);
  const preamble = encodePreamble('AESGCM');
  const handshake = newHandshake(preamble);
  const writeBytewise = async (bytes: Buffer): Promise<void> => {
    for (const byte of bytes) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
  };
  const answer = once(socket, 'data') as Promise<[Buffer]>;
  await writeBytewise(Buffer.concat([preamble, framed(handshake.writeMessage(Buffer.alloc(0)))]));
  handshake.readMessage((await answer)[0].subarray(2));
  await writeBytewise(framed(handshake.writeMessage(LOGIN)));
  t.match(await accepted, { firstRequest: { method: 'login' } });
});

t.test('refuses what is no handshake, and closes', async (t) => {
  const preamble = encodePreamble('AESGCM');
  const cases: Record<string, Buffer> = {
    'another protocol': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'a message past the limit': Buffer.concat([preamble, Buffer.of(0xff, 0xff)]),
    'a message just past the limit': Buffer.concat([
      preamble,
      framed(Buffer.alloc(MAX_HANDSHAKE_MESSAGE + 1)),
    ]),
    'an empty message': Buffer.concat([preamble, Buffer.of(0, 0)]),
    'a short message': Buffer.concat([preamble, framed(Buffer.alloc(31))]),
    'a key of low order': Buffer.concat([preamble, framed(Buffer.alloc(32))]),
    'a payload in clear': Buffer.concat([preamble, framed(newHandshake(preamble).writeMessage(LOGIN))]),
    garbage: Buffer.alloc(300_000, 0x5a),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const { socket, accepted } = await rawClient(t);
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(bytes);
    t.match(await accepted, { kind: 'PROTOCOL' }, name);
    await closed;
  }
});

t.test('tells a client of another version or suite what it speaks, and closes', async (t) => {
  for (const [version, suite] of [
    [1, 1],
    [3, 1],
    [2, 9],
  ] as const) {
    const { socket, accepted } = await rawClient(t);
    const answer: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => answer.push(bytes));
    const closed = once(socket, 'close');
    // Message 1 of that version, as long as it may be, comes along: it is not read as one.
    const message = framed(Buffer.alloc(MAX_HANDSHAKE_MESSAGE, 1));
    socket.write(Buffer.concat([Buffer.from('ftpmnt'), Buffer.of(version, suite), message]));
    t.match(await accepted, { kind: 'PROTOCOL' });
    await closed;
    t.equal(Buffer.concat(answer).toString('hex'), '6674706d6e740203', 'version 2, suites 1 and 2');
  }
});

t.test('a refusal does not wait for a client that stays', async (t) => {
  const { socket, accepted } = await rawClient(t, 30);
  socket.allowHalfOpen = true;
  socket.resume();
  socket.write(Buffer.concat([Buffer.from('ftpmnt'), Buffer.of(3, 1)]));
  t.match(await accepted, { kind: 'PROTOCOL' });
});

t.test('refuses a false third message', async (t) => {
  const cases: Record<string, (handshake: HandshakeState) => Buffer> = {
    garbage: () => Buffer.alloc(200, 1),
    'a changed one': (handshake) => {
      const message = handshake.writeMessage(LOGIN);
      message[60] = (message[60] ?? 0) ^ 1;
      return message;
    },
    'another request': (handshake) =>
      handshake.writeMessage(Buffer.concat(encodeRequest(1, 'getattr', ['']))),
    'a notification': (handshake) => handshake.writeMessage(Buffer.concat(encodeNotification('cancel', [1]))),
    'an empty payload': (handshake) => handshake.writeMessage(Buffer.alloc(0)),
    'no message in it': (handshake) => handshake.writeMessage(Buffer.alloc(500, 0x91)),
  };
  for (const [name, third] of Object.entries(cases)) {
    const { socket, accepted } = await rawClient(t);
    socket.write(framed(third(await halfShaken(socket))));
    t.match(await accepted, { kind: 'PROTOCOL' }, name);
  }
});

t.test('a preamble that was changed on the way fails the handshake', async (t) => {
  const { socket, accepted } = await rawClient(t);
  const handshake = newHandshake(encodePreamble('AESGCM'));
  socket.write(
    Buffer.concat([encodePreamble('ChaChaPoly'), framed(handshake.writeMessage(Buffer.alloc(0)))]),
  );
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  t.throws(() => handshake.readMessage(bytes.subarray(2)), { name: 'Failure' });
  socket.end();
  t.match(await accepted, { kind: 'ECONNRESET' });
});

t.test('a client that leaves in the middle', async (t) => {
  const preamble = encodePreamble('AESGCM');
  const first = Buffer.concat([preamble, framed(newHandshake(preamble).writeMessage(Buffer.alloc(0)))]);
  for (const length of [0, 1, 7, 8, 9, 10, 41, first.length]) {
    const { socket, accepted } = await rawClient(t);
    socket.resume();
    socket.end(first.subarray(0, length));
    t.match(await accepted, { kind: 'ECONNRESET' }, `after ${length} bytes`);
  }
  const { socket, accepted } = await rawClient(t);
  await halfShaken(socket);
  socket.resetAndDestroy();
  t.match(await accepted, { kind: 'ECONNRESET' }, 'a reset');
});

t.test('a client that is too slow', async (t) => {
  const preamble = encodePreamble('AESGCM');
  for (const bytes of [Buffer.alloc(0), preamble.subarray(0, 3), preamble]) {
    const { socket, accepted } = await rawClient(t, 30);
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(bytes);
    t.match(await accepted, { kind: 'ETIMEDOUT' });
    await closed;
  }
});

t.test('a trickle does not stop the clock', async (t) => {
  const { socket, accepted } = await rawClient(t, 60);
  // A whole message could be sent so, but not in time.
  const trickle = setInterval(() => socket.write(Buffer.of(0x66)), 20);
  t.teardown(() => clearInterval(trickle));
  const result = await accepted;
  t.ok(result instanceof Failure && (result.kind === 'ETIMEDOUT' || result.kind === 'PROTOCOL'));
});

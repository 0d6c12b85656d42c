import { once } from 'node:events';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { nodeAead } from '../../../protocol/transport/aead.js';
import { openSocket } from '../../../protocol/transport/byte-source.js';
import { Channel, type CipherKeys } from '../../../protocol/transport/channel.js';
import { encodeRequest, type IncomingMessage } from '../../../protocol/codec.js';
import { Failure } from '../../../protocol/failure.js';
import { Keepalive } from '../../../protocol/session/keepalive.js';
import { MAX_DATA, MAX_RECORD } from '../../../protocol/limits.js';
import { RecordSealer } from '../../../protocol/transport/records.js';
import { fd } from '../../../posix/fd.js';
import { dup } from '../../../posix/files.js';
import { failing } from '../../lib/failing.js';
import { pairedKeys, socketPair } from '../../lib/loopback.js';

/** A channel whose messages can be awaited by their number. */
class Endpoint {
  readonly channel: Channel;
  /** Copies: ids and the last parameter's bytes. */
  readonly ids: number[] = [];
  readonly data: Buffer[] = [];
  readonly closed: Promise<Failure | undefined>;
  onMessage: ((message: IncomingMessage) => void) | undefined;
  drains = 0;
  #waiting: { count: number; resolve: () => void } | undefined;

  constructor(t: Test, socket: Socket, keys: CipherKeys, leftover: Buffer = Buffer.alloc(0)) {
    const ended: { resolve?: (failure: Failure | undefined) => void } = {};
    this.closed = new Promise((resolve) => {
      ended.resolve = resolve;
    });
    this.channel = new Channel(socket, {
      keys,
      leftover,
      aead: nodeAead,
      maxRecord: MAX_RECORD,
      events: {
        onMessage: (message) => {
          if (message.kind === 'request') {
            this.ids.push(message.id);
            for (const value of message.params as unknown[]) {
              if (value instanceof Uint8Array) this.data.push(Buffer.from(value));
            }
          }
          this.onMessage?.(message);
          if (this.#waiting !== undefined && this.ids.length >= this.#waiting.count) this.#waiting.resolve();
        },
        onDrain: () => {
          this.drains += 1;
        },
        onClose: (failure) => ended.resolve?.(failure),
      },
    });
    t.teardown(() => this.channel.destroy());
  }

  /** Resolves when `count` messages have come. */
  async received(count: number): Promise<void> {
    if (this.ids.length >= count) return;
    await new Promise<void>((resolve) => {
      this.#waiting = { count, resolve };
    });
  }
}

async function endpoints(
  t: Test,
): Promise<{ near: Endpoint; far: Endpoint; nearSocket: Socket; farSocket: Socket }> {
  const sockets = await socketPair(t);
  const keys = pairedKeys();
  return {
    near: new Endpoint(t, sockets.near, keys.near),
    far: new Endpoint(t, sockets.far, keys.far),
    nearSocket: sockets.near,
    farSocket: sockets.far,
  };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

t.test('messages of all sizes arrive in order', async (t) => {
  const { near, far } = await endpoints(t);
  const sizes = [0, 1, 100, 5000, 32 * 1024, 64 * 1024 - 1, 64 * 1024, 200_000, MAX_DATA, 10, MAX_DATA, 0];
  for (const [i, size] of sizes.entries()) {
    const data = Buffer.alloc(size, i + 1);
    near.channel.send(encodeRequest(i, 'uploadWrite', [1, 0], data));
    data.fill(0xff);
  }
  await far.received(sizes.length);
  t.same(far.ids, upTo(sizes.length));
  for (const [i, size] of sizes.entries()) {
    const data = far.data[i] ?? Buffer.alloc(0);
    t.ok(data.length === size && data.every((byte) => byte === i + 1), `${size} bytes as they were at send`);
  }
});

t.test('the small messages of one tick are one write', async (t) => {
  const { near, far, nearSocket } = await endpoints(t);
  const writes = t.capture(nearSocket, 'write', nearSocket.write.bind(nearSocket));
  for (const id of upTo(200)) near.channel.send(encodeRequest(id, 'ping', []));
  await far.received(200);
  t.same(far.ids, upTo(200));
  t.equal(writes().length, 1);
});

t.test('pause holds messages back, also those that came already', async (t) => {
  const { near, far } = await endpoints(t);
  far.onMessage = () => {
    if (far.ids.length === 3) far.channel.pause();
  };
  for (const id of upTo(100)) near.channel.send(encodeRequest(id, 'ping', []));
  near.channel.send(encodeRequest(100, 'uploadWrite', [1, 0], Buffer.alloc(MAX_DATA)));
  await far.received(3);
  near.channel.send(encodeRequest(101, 'ping', []));
  // The other direction still works, and shows that the messages had time to come.
  far.channel.send(encodeRequest(0, 'ping', []));
  await near.received(1);
  t.same(far.ids, [0, 1, 2]);
  far.channel.resume();
  await far.received(102);
  t.same(far.ids, upTo(102));
});

t.test('what a peer does not read is counted, and its reading announced', async (t) => {
  const { near, far } = await endpoints(t);
  far.channel.pause();
  const data = Buffer.alloc(MAX_DATA);
  let sent = 0;
  // Past what the kernel takes on both ends.
  while (near.channel.bufferedBytes < 4 * MAX_DATA) {
    near.channel.send(encodeRequest(sent, 'uploadWrite', [1, 0], data));
    sent += 1;
    if (sent > 200) throw new Error('bufferedBytes does not grow');
  }
  t.equal(near.drains, 0);
  t.throws(() => near.channel.detach(), failing('EAGAIN'), 'nor can it be detached then');
  far.channel.resume();
  await far.received(sent);
  near.channel.send(encodeRequest(sent, 'ping', []));
  await far.received(sent + 1);
  t.equal(near.channel.bufferedBytes, 0);
  t.ok(near.drains > 0);
});

t.test('a detached channel goes on elsewhere and loses nothing', async (t) => {
  const { near, far, farSocket } = await endpoints(t);
  // Messages are under way all the time, cut anywhere by the kernel and by the handover.
  for (const id of upTo(300))
    near.channel.send(encodeRequest(id, 'uploadWrite', [1, 0], Buffer.alloc(id * 7)));
  far.channel.send(encodeRequest(0, 'ping', []));
  const moved = new Promise<Endpoint>((resolve) => {
    far.onMessage = () => {
      if (far.ids.length !== 5) return;
      // Both in one tick: the old socket must read no more.
      const { keys, leftover } = far.channel.detach();
      const descriptor = dup(fd(descriptorOf(farSocket)));
      farSocket.destroy();
      resolve(new Endpoint(t, openSocket(descriptor), keys, leftover));
    };
  });
  const next = await moved;
  await next.received(295);
  t.same([...far.ids, ...next.ids], upTo(300));
  next.channel.send(encodeRequest(1, 'ping', []));
  await near.received(2);
  t.same(near.ids, [0, 1], 'the other direction goes on as well');
  far.channel.send(encodeRequest(2, 'ping', []));
  t.throws(() => far.channel.detach(), failing('ENOTCONN'));
});

/** The descriptor of a socket: node keeps it on the handle. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } };
  return handle.fd;
}

t.test('a message can be detached at before the receiver was attached', async (t) => {
  const sockets = await socketPair(t);
  const keys = pairedKeys();
  const sealer = new RecordSealer(nodeAead, { suite: 'AESGCM', key: keys.near.sendKey, count: 0 });
  const [message = Buffer.alloc(0)] = encodeRequest(9, 'ping', []);
  const leftover = Buffer.alloc(message.length + 20);
  sealer.seal([message], message.length, leftover, 0);
  const first = new Endpoint(t, sockets.far, keys.far, leftover);
  const state = first.channel.detach();
  t.same(state.leftover, leftover);
  const second = new Endpoint(t, sockets.far, state.keys, state.leftover);
  await second.received(1);
  t.same(second.ids, [9], 'leftover bytes are messages too');
  t.same(first.ids, []);
});

t.test('end sends what is buffered, then closes', async (t) => {
  const { near, far } = await endpoints(t);
  for (const id of upTo(20))
    near.channel.send(encodeRequest(id, 'uploadWrite', [1, 0], Buffer.alloc(MAX_DATA)));
  await near.channel.end();
  near.channel.send(encodeRequest(99, 'ping', []));
  t.equal(await near.closed, undefined);
  t.equal(await far.closed, undefined);
  t.same(far.ids, upTo(20));
  await near.channel.end();
});

t.test('destroy closes with its failure, once', async (t) => {
  const { near, far } = await endpoints(t);
  near.channel.send(encodeRequest(1, 'ping', []));
  await far.received(1);
  near.channel.destroy(new Failure('ETIMEDOUT', 'first'));
  near.channel.destroy(new Failure('EIO', 'second'));
  t.match(await near.closed, { kind: 'ETIMEDOUT', message: 'first' });
  await far.closed;
});

t.test('a handler that throws closes the channel and nothing else', async (t) => {
  const { near, far } = await endpoints(t);
  far.onMessage = () => {
    throw new TypeError('a bug');
  };
  near.channel.send(encodeRequest(1, 'ping', []));
  near.channel.send(encodeRequest(2, 'ping', []));
  const failure = await far.closed;
  t.match(failure, { kind: 'EIO', cause: { message: 'a bug' } });
  t.same(far.ids, [1], 'nothing is delivered after it');
  await near.closed;
});

t.test('hostile bytes close the channel', async (t) => {
  const sealed = (plaintext: Buffer): Buffer => {
    const out = Buffer.alloc(plaintext.length + 20);
    const key = pairedKeys().near.sendKey;
    new RecordSealer(nodeAead, { suite: 'AESGCM', key, count: 0 }).seal(
      [plaintext],
      plaintext.length,
      out,
      0,
    );
    return out;
  };
  const cases: Record<string, Buffer> = {
    garbage: Buffer.alloc(1000, 0x5a),
    'a length of 4 GiB': Buffer.alloc(4, 0xff),
    'a length past the limit': Buffer.from([0, 0x20, 0, 0]),
    'a length of nothing': Buffer.alloc(4),
    'a false tag': Buffer.concat([Buffer.from([0, 0, 0, 17]), Buffer.alloc(17)]),
    'no message inside': sealed(Buffer.from('hello')),
    'a nesting bomb': sealed(Buffer.alloc(100_000, 0x91)),
    'a request and something': sealed(Buffer.concat([...encodeRequest(1, 'ping', []), Buffer.of(0xc0)])),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    const { near, far } = await socketPair(t);
    const endpoint = new Endpoint(t, far, pairedKeys().far);
    near.write(bytes);
    t.match(await endpoint.closed, { kind: 'PROTOCOL' }, name);
    t.same(endpoint.ids, [], 'nothing was delivered');
    if (!near.closed) await once(near, 'close');
  }
});

t.test('an end within a record is told from one between two', async (t) => {
  const { near, far } = await socketPair(t);
  const endpoint = new Endpoint(t, far, pairedKeys().far);
  near.end(Buffer.from([0, 0, 1]));
  t.match(await endpoint.closed, { kind: 'ECONNRESET' });
});

t.test('a socket that closed before the channel was made', async (t) => {
  const { far } = await socketPair(t);
  far.destroy();
  await once(far, 'close');
  const endpoint = new Endpoint(t, far, pairedKeys().far);
  t.equal(await endpoint.closed, undefined);
  await endpoint.channel.end();
});

t.test('a message longer than the limit is not sent', async (t) => {
  const { near } = await endpoints(t);
  near.channel.maxRecord = 100;
  t.throws(
    () => near.channel.send(encodeRequest(1, 'uploadWrite', [1, 0], Buffer.alloc(100))),
    failing('EOVERFLOW'),
  );
});

t.test('keepalive', async (t) => {
  t.test('probes while idle, and keeps a peer that answers', async (t) => {
    const { near, far } = await endpoints(t);
    far.onMessage = () => far.channel.send(encodeRequest(far.ids.length, 'ping', []));
    let probes = 0;
    const keepalive = new Keepalive(near.channel, {
      intervalMs: 40,
      probe: () => {
        probes += 1;
        near.channel.send(encodeRequest(probes, 'ping', []));
      },
    });
    // More probes than a silent peer would live.
    await near.received(8);
    keepalive.stop();
    t.ok(probes >= 8);
  });

  t.test('drops a peer that never answers', async (t) => {
    const { near, far } = await socketPair(t);
    const endpoint = new Endpoint(t, near, pairedKeys().near);
    far.resume();
    const keepalive = new Keepalive(endpoint.channel, {
      intervalMs: 20,
      probe: () => endpoint.channel.send(encodeRequest(1, 'ping', [])),
    });
    t.match(await endpoint.closed, { kind: 'ETIMEDOUT' });
    keepalive.stop();
  });

  t.test('sees what a slow peer takes of one long write', async (t) => {
    const { near, far } = await socketPair(t);
    const { channel } = new Endpoint(t, near, pairedKeys().near);
    far.pause();
    const before = { taken: channel.takenBytes, buffered: channel.bufferedBytes };
    do {
      channel.send(encodeRequest(1, 'uploadWrite', [1, 0], Buffer.alloc(MAX_DATA)));
      // What waits goes to the kernel in one write, once the first is done.
      await new Promise((resolve) => setImmediate(resolve));
      before.taken = channel.takenBytes;
      before.buffered = channel.bufferedBytes;
    } while (before.buffered < 16 * MAX_DATA);
    // Ends only if it is seen: the write as a whole cannot end, as the peer never reads it to its end.
    let read = 0;
    far.on('data', (bytes: Buffer) => {
      read += bytes.length;
      if (read > 12 * MAX_DATA) far.pause();
    });
    far.resume();
    let seen = false;
    while (!seen) {
      await new Promise((resolve) => setImmediate(resolve));
      seen ||= channel.takenBytes > before.taken && channel.bufferedBytes === before.buffered;
      before.taken = channel.takenBytes;
      before.buffered = channel.bufferedBytes;
    }
    t.equal(seen, true);
    channel.destroy();
  });

  t.test('drops a peer that never reads', async (t) => {
    const { near } = await socketPair(t);
    const endpoint = new Endpoint(t, near, pairedKeys().near);
    while (endpoint.channel.bufferedBytes < 2 * MAX_DATA) {
      endpoint.channel.send(encodeRequest(1, 'uploadWrite', [1, 0], Buffer.alloc(MAX_DATA)));
    }
    const keepalive = new Keepalive(endpoint.channel, { intervalMs: 20 });
    t.match(await endpoint.closed, { kind: 'ETIMEDOUT' });
    keepalive.stop();
  });
});

t.test('a write after the reset of the peer is told as that: the kernel says EPIPE', async (t) => {
  const { near, far, nearSocket } = await endpoints(t);
  far.channel.send(encodeRequest(0, 'ping', []));
  await near.received(1);
  nearSocket.destroy(
    Object.assign(new Error('write EPIPE'), { code: 'EPIPE', errno: -32, syscall: 'write' }),
  );
  t.match(await near.closed, { kind: 'ECONNRESET' });
});

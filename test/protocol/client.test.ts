import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { nodeAead, SUITE_NAMES } from '../../protocol/aead.js';
import { Client, type ConnectOptions } from '../../protocol/client.js';
import {
  encodeNotification,
  encodeRequest,
  encodeResponse,
  type IncomingMessage,
} from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import { HANDSHAKE_MS, MAX_CALLS, MAX_DATA } from '../../protocol/limits.js';
import { CHANGED_ALL, CHANGED_NAME, type Change } from '../../protocol/methods.js';
import { generateKeyPair, noiseReady } from '../../protocol/noise.js';
import { failing } from '../lib/failing.js';
import { listen, scriptedServer, WIRE_ATTRIBUTES, type Script, type ServerSession } from '../lib/loopback.js';

await noiseReady();

const PATH = Buffer.from('file');

function optionsFor(port: number, more: Partial<ConnectOptions> = {}): ConnectOptions {
  return {
    host: '127.0.0.1',
    port,
    aead: nodeAead,
    staticKeyPair: generateKeyPair(),
    verifyHost: async () => {},
    login: {
      user: 'alice',
      password: 'secret',
      clientId: Buffer.alloc(16, 3),
      wantsNotifications: true,
      program: 'test/1',
      lowestUnanswered: 1,
    },
    ...more,
  };
}

async function connected(t: Test, script: Script, more: Partial<ConnectOptions> = {}): Promise<Client> {
  const { port } = await scriptedServer(t, script);
  const client = await Client.connect(optionsFor(port, more));
  t.teardown(() => client.close());
  return client;
}

/** A script that hands every request to `handle`. */
function onRequest(
  handle: (request: IncomingMessage & { kind: 'request' }, session: ServerSession) => void,
): Script {
  return {
    onMessage(message, session) {
      if (message.kind === 'request') handle(message, session);
    },
  };
}

t.test('connects, verifies the server, logs in', async (t) => {
  for (const suite of SUITE_NAMES) {
    let login: unknown;
    const server = await scriptedServer(t, {
      onAccept(session) {
        login = session.accepted.firstRequest.params;
        session.logIn(session.accepted.firstRequest.id);
      },
    });
    let verified: Buffer | undefined;
    const client = await Client.connect(
      optionsFor(server.port, {
        suite,
        verifyHost: async (key) => {
          verified = key;
        },
      }),
    );
    t.same(verified, Buffer.from(server.staticKeyPair.publicKey));
    t.same(login, ['alice', 'secret', Buffer.alloc(16, 3), true, 'test/1', 1]);
    t.equal(client.loginFailure, undefined);
    t.match(client.session, { serverVersion: 'test/1', bootVerifier: Buffer.alloc(8, 9), resumed: false });
    t.match(client.session.root, { ino: 7n, mode: 0o40755 });
    t.equal(client.nextId, 2);
    await client.close();
    t.equal(await client.closed, undefined);
  }
});

t.test('a refused login can be tried again on the same connection', async (t) => {
  const client = await connected(t, {
    onAccept({ channel }) {
      channel.send(encodeResponse(1, new Failure('ENOKEY', 'no key'), null));
    },
    onMessage(message, session) {
      if (message.kind !== 'request') return;
      const [, password] = message.params as unknown[];
      if (password === 'right') session.logIn(message.id);
      else session.channel.send(encodeResponse(message.id, new Failure('EKEYREJECTED', 'wrong'), null));
    },
  });
  t.match(client.loginFailure, { kind: 'ENOKEY' });
  t.throws(() => client.session, failing('ENOTCONN'));
  const { login } = optionsFor(0);
  await t.rejects(client.login({ ...login, password: 'wrong' }), failing('EKEYREJECTED'));
  await client.login({ ...login, password: 'right' });
  t.equal(client.loginFailure, undefined);
  t.equal(client.session.serverVersion, 'test/1');
});

t.test('the place in the queue is told while waiting; giving up frees it', async (t) => {
  const places: number[] = [];
  const abort = new AbortController();
  const ended: { resolve?: (failure: Failure | undefined) => void } = {};
  const serverClosed = new Promise((resolve) => {
    ended.resolve = resolve;
  });
  const { port } = await scriptedServer(t, {
    onAccept({ channel, closed }) {
      channel.send(encodeNotification('queued', [3]));
      channel.send(encodeNotification('queued', [2]));
      void closed.then(ended.resolve);
    },
  });
  const notifications = {
    queued: (place: number): void => {
      places.push(place);
      if (place === 2) abort.abort();
    },
  };
  await t.rejects(
    Client.connect(optionsFor(port, { notifications, signal: abort.signal })),
    failing('ECANCELED'),
  );
  t.same(places, [3, 2]);
  await serverClosed;
});

t.test('other refusals are thrown', async (t) => {
  const { port } = await scriptedServer(t, {
    onAccept({ channel }) {
      channel.send(encodeResponse(1, new Failure('EUSERS', 'the queue is full'), null));
    },
  });
  await t.rejects(Client.connect(optionsFor(port)), failing('EUSERS'));
});

t.test('a server whose key is refused learns nothing', async (t) => {
  const ended: { resolve?: (failure: Failure) => void } = {};
  const failure = new Promise<Failure>((resolve) => {
    ended.resolve = resolve;
  });
  const { port } = await scriptedServer(t, {
    onAccept: () => t.fail('the login was sent'),
    onHandshakeFailure: (reason) => ended.resolve?.(reason),
  });
  const verifyHost = async (): Promise<void> => {
    throw new Failure('HOSTKEY', 'changed');
  };
  await t.rejects(Client.connect(optionsFor(port, { verifyHost })), failing('HOSTKEY'));
  t.match(await failure, { kind: 'ECONNRESET' });
});

t.test('the server may hang up while a person compares fingerprints', async (t) => {
  const ended: { resolve?: () => void } = {};
  const hungUp = new Promise<void>((resolve) => {
    ended.resolve = resolve;
  });
  const script = {
    timeoutMs: 300,
    onHandshakeFailure() {
      script.timeoutMs = HANDSHAKE_MS;
      ended.resolve?.();
    },
  };
  const { port } = await scriptedServer(t, script);
  const another = await listen(t, (socket) => socket.destroy());
  let asked = 0;
  const client = await Client.connect(
    optionsFor(port, {
      verifyHost: async () => {
        asked += 1;
        if (asked > 1) return;
        await hungUp;
        // A connection that opens and closes after it: by then this end was told as well.
        await once(connect(another.port, '127.0.0.1'), 'close');
      },
    }),
  );
  t.equal(asked, 2);
  await client.close();
});

t.test('what cannot be connected to is told apart', async (t) => {
  const { server, port } = await listen(t, () => {});
  server.close();
  await once(server, 'close');
  await t.rejects(Client.connect(optionsFor(port)), {
    ...failing('ECONNREFUSED'),
    message: `127.0.0.1:${port} refused the connection: is ftpmountd running there?`,
  });
  for (const greeting of [
    'SSH-2.0-OpenSSH_9.6\r\n',
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    '\0\x10garbage that is!',
  ]) {
    const other = await listen(t, (socket) => socket.write(greeting));
    await t.rejects(Client.connect(optionsFor(other.port)), {
      ...failing('PROTOCOL'),
      message: `127.0.0.1:${other.port} is not an ftpmount server: check host and port`,
    });
  }
  const hangsUp = await listen(t, (socket) => socket.destroy());
  await t.rejects(Client.connect(optionsFor(hangsUp.port)), failing('ECONNRESET'));
  const silent = await listen(t, () => {});
  await t.rejects(Client.connect(optionsFor(silent.port, { timeoutMs: 30 })), failing('ETIMEDOUT'));
  const abort = new AbortController();
  const cancelled = Client.connect(optionsFor(silent.port, { signal: abort.signal }));
  abort.abort();
  await t.rejects(cancelled, failing('ECANCELED'));
  await t.rejects(Client.connect(optionsFor(silent.port, { signal: abort.signal })), failing('ECANCELED'));
});

t.test('a host that does not exist', async (t) => {
  // A label of more than 63 characters cannot be looked up: no resolver is asked.
  await t.rejects(
    Client.connect(optionsFor(1, { host: `${'x'.repeat(64)}.invalid` })),
    failing('EHOSTUNREACH'),
  );
});

t.test('calls and their answers, in any order', async (t) => {
  const held: number[] = [];
  const client = await connected(
    t,
    onRequest(({ id, method, params }, { channel }) => {
      if (method === 'unlink') {
        held.push(id);
        if (held.length === 3)
          for (const one of held.toReversed()) channel.send(encodeResponse(one, undefined, null));
      } else if (method === 'read') {
        channel.send(encodeResponse(id, undefined, null, Buffer.alloc((params as number[])[2] ?? 0, 5)));
      } else if (method === 'write') {
        channel.send(encodeResponse(id, undefined, WIRE_ATTRIBUTES));
      } else {
        channel.send(encodeResponse(id, new Failure('ENOENT', 'no such file'), null));
      }
    }),
  );
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((n) => client.call('unlink', [PATH]).then(() => order.push(n))));
  t.same(order, [3, 2, 1]);
  await t.rejects(client.call('getattr', [PATH]), { ...failing('ENOENT'), message: 'no such file' });
  const first = await client.call('read', [1, 0, MAX_DATA]);
  await client.call('read', [1, 0, 100]);
  t.ok(first.equals(Buffer.alloc(MAX_DATA, 5)), 'the bytes of a call are its own');
  t.match(await client.call('write', [1, 0], { data: Buffer.alloc(MAX_DATA) }), { size: 4096 });
});

t.test('clients of one thread read into the same buffer and get their own bytes', async (t) => {
  const script = onRequest(({ id, params }, { channel }) => {
    const [byte = 0, , length = 0] = params as number[];
    channel.send(encodeResponse(id, undefined, null, Buffer.alloc(length, byte)));
  });
  const clients = await Promise.all([1, 2, 3].map(() => connected(t, script)));
  const lengths = [MAX_DATA, 10, 70_000, 1, MAX_DATA - 1, 4096];
  const reads = clients.flatMap((client, i) =>
    lengths.map(async (length) => {
      const data = await client.call('read', [i + 1, 0, length]);
      return data.equals(Buffer.alloc(length, i + 1));
    }),
  );
  t.ok((await Promise.all(reads)).every(Boolean));
});

t.test('ids go on from where they are told to, wrap, and are never used twice at once', async (t) => {
  const ids: number[] = [];
  const client = await connected(
    t,
    onRequest(({ id, method }, { channel }) => {
      ids.push(id);
      if (method === 'ping') channel.send(encodeResponse(id, undefined, null));
    }),
    { firstId: 0xffff_fffd },
  );
  client.request('unlink', [PATH], undefined, () => {}, { id: 1 });
  t.throws(() => client.request('unlink', [PATH], undefined, () => {}, { id: 1 }), RangeError);
  for (let i = 0; i < 4; i++) await client.call('ping', []);
  t.same(ids, [1, 0xffff_fffe, 0xffff_ffff, 2, 3]);
});

t.test('what exceeds the window waits, and keeps the data it was given', async (t) => {
  const held: number[] = [];
  const written: Buffer[] = [];
  let holding = true;
  const answer = (id: number): void => session?.channel.send(encodeResponse(id, undefined, WIRE_ATTRIBUTES));
  let session: ServerSession | undefined;
  const client = await connected(
    t,
    onRequest(({ id, method, params }, from) => {
      session = from;
      if (method === 'ping') from.channel.send(encodeResponse(id, undefined, null));
      else {
        written.push(Buffer.from((params as Buffer[])[2] ?? []));
        if (holding) held.push(id);
        else answer(id);
      }
    }),
  );
  const first = client.nextId;
  const done: number[] = [];
  const count = MAX_CALLS + 10;
  const withdrawn = MAX_CALLS + 5;
  const data = Buffer.alloc(2);
  const all = new Promise<void>((resolve) => {
    for (let i = 0; i < count; i++) {
      data.writeUInt16BE(i);
      client.request('write', [1, 0], data, (failure) => {
        done.push(i);
        t.equal(failure?.kind, i === withdrawn ? 'ECANCELED' : undefined);
        if (done.length === count) resolve();
      });
    }
  });
  // A ping passes a full window, and is sent after all that fitted.
  await client.call('ping', []);
  t.equal(held.length, MAX_CALLS);
  client.cancel(first + withdrawn);
  client.cancel(first);
  await client.call('ping', []);
  t.same(done, [withdrawn], 'one that waits is cancelled here, one that was sent by its answer');
  holding = false;
  for (const id of held) answer(id);
  await all;
  const others = Array.from({ length: count }, (_, i) => i).filter((i) => i !== withdrawn);
  t.same(done.slice(1), others, 'in order');
  t.same(
    written.map((bytes) => bytes.readUInt16BE()),
    others,
  );
});

t.test('notifications', async (t) => {
  const got: unknown[] = [];
  const client = await connected(
    t,
    onRequest(({ id }, { channel }) => {
      channel.send(
        encodeNotification('changed', [[[0, Buffer.from('dir'), Buffer.from('name')], [CHANGED_ALL]]]),
      );
      channel.send([Buffer.from([0x93, 2, 0xa5, ...Buffer.from('later'), 0x91, 1])]);
      channel.send(encodeNotification('shutdown', ['upgrade', true]));
      channel.send(encodeResponse(id, undefined, null));
    }),
    {
      notifications: {
        changed: (changes: Change[]) => got.push(structuredClone(changes)),
        shutdown: (reason: string, again: boolean) => got.push(reason, again),
      },
    },
  );
  await client.call('ping', []);
  t.match(got, [[[0, Buffer.from('dir'), Buffer.from('name')], [CHANGED_ALL]], 'upgrade', true]);
});

t.test('a hostile server closes the connection, and every call fails once', async (t) => {
  const cases: Record<string, (id: number) => readonly Uint8Array[]> = {
    'an answer to nothing': (id) => encodeResponse(id + 1000, undefined, null),
    'an answer of another type': (id) => encodeResponse(id, undefined, 'text'),
    'an answer out of range': (id) => encodeResponse(id, undefined, [1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    'bytes for attributes': (id) => encodeResponse(id, undefined, null, Buffer.alloc(100)),
    'a request': (id) => encodeRequest(id, 'ping', []),
    'a cancel': (id) => encodeNotification('cancel', [id]),
    'a change of the wrong shape': () => encodeNotification('changed', [[[9]]]),
    'a change of a name that is none': () =>
      encodeNotification('changed', [[[CHANGED_NAME, Buffer.alloc(0), Buffer.from('..')]]]),
    'a change with a path out of the home': () =>
      encodeNotification('changed', [[[0, Buffer.from('../..'), Buffer.from('x')]]]),
    'a place that is no number': () => encodeNotification('queued', ['first']),
    'a map': () => [Buffer.from([0x94, 1, 5, 0xc0, 0x80])],
  };
  for (const [name, answer] of Object.entries(cases)) {
    const client = await connected(
      t,
      onRequest(({ id }, { channel }) => channel.send(answer(id))),
      { notifications: { changed: () => {}, queued: () => {} } },
    );
    const failures: (Failure | undefined)[] = [];
    client.request('getattr', [PATH], undefined, (failure) => failures.push(failure));
    t.match(await client.closed, { kind: 'PROTOCOL' }, name);
    t.equal(failures.length, 1);
    t.match(failures[0], { kind: 'PROTOCOL' });
    await t.rejects(client.call('ping', []), failing('PROTOCOL'), 'later calls too');
  }
});

t.test('an answer given twice', async (t) => {
  const client = await connected(
    t,
    onRequest(({ id }, { channel }) => {
      channel.send(encodeResponse(id, undefined, null));
      channel.send(encodeResponse(id, undefined, null));
    }),
  );
  let count = 0;
  client.request('unlink', [PATH], undefined, () => {
    count += 1;
  });
  t.match(await client.closed, { kind: 'PROTOCOL' });
  t.equal(count, 1);
});

t.test('calls fail when the connection ends, from either side', async (t) => {
  const hangsUp = await connected(
    t,
    onRequest((_request, { channel }) => channel.destroy()),
  );
  await t.rejects(hangsUp.call('getattr', [PATH]), failing('ECONNRESET'));
  t.match(await hangsUp.closed, { kind: 'ECONNRESET' });

  const quiet = await connected(
    t,
    onRequest(() => {}),
  );
  const call = quiet.call('getattr', [PATH]);
  void quiet.close();
  await t.rejects(call, failing('ENOTCONN'));
  t.equal(await quiet.closed, undefined);
  await t.rejects(quiet.call('getattr', [PATH]), failing('ENOTCONN'));
});

t.test('a signal cancels a call at the server', async (t) => {
  const client = await connected(t, {
    onMessage(message, { channel }) {
      if (message.kind === 'notification' && message.method === 'cancel') {
        const [id] = message.params as [number];
        channel.send(encodeResponse(id, new Failure('ECANCELED', 'stopped'), null));
      }
    },
  });
  const abort = new AbortController();
  const call = client.call('unlink', [PATH], { signal: abort.signal });
  abort.abort();
  await t.rejects(call, { ...failing('ECANCELED'), message: 'stopped' });
  await t.rejects(client.call('unlink', [PATH], { signal: abort.signal }), failing('ECANCELED'));
});

t.test('an idle client pings; a server that went silent is dropped', async (t) => {
  let pings = 0;
  const alive: { resolve?: () => void } = {};
  const kept = new Promise<void>((resolve) => {
    alive.resolve = resolve;
  });
  await connected(
    t,
    onRequest(({ id, method }, { channel }) => {
      if (method === 'ping') pings += 1;
      channel.send(encodeResponse(id, undefined, null));
      if (pings === 8) alive.resolve?.();
    }),
    { keepaliveMs: 40 },
  );
  await kept;

  const silent = await connected(
    t,
    onRequest(() => {}),
    { keepaliveMs: 20 },
  );
  t.match(await silent.closed, { kind: 'ETIMEDOUT' });
});

import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { SUITE_NAMES } from '../../../protocol/transport/aead.js';
import { Client } from '../../../protocol/session/client.js';
import { encodeNotification, encodeResponse } from '../../../protocol/codec.js';
import { Failure } from '../../../protocol/failure.js';
import {
  HANDSHAKE_MS,
  MAX_BYTES_IN_FLIGHT,
  MAX_CALLS,
  MAX_DATA,
  MAX_RECORD,
} from '../../../protocol/limits.js';
import { LEASE_READ, LEASE_WRITE, WHOLE_HOME, type LeaseItem } from '../../../protocol/methods.js';
import { WRITE } from '../../../protocol/operations.js';
import { RequestIds } from '../../../protocol/session/request-ids.js';
import { failing } from '../../lib/failing.js';
import { listen, scriptedServer, type Script, type ServerSession } from '../../lib/loopback.js';

import { connected, onRequest, optionsFor, PATH } from '../../lib/scripted-client.js';

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
    t.same(login, ['alice', 'secret', Buffer.alloc(16, 3), LEASE_WRITE, 'test/1', null]);
    t.equal(client.loginFailure, undefined);
    t.match(client.session, {
      serverVersion: 'test/1',
      bootVerifier: Buffer.alloc(8, 9),
      resumed: false,
      applied: 0,
      leased: false,
    });
    t.match(client.session.root, { ino: 7n, mode: 0o40755 });
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
    'ftp server ready\r\n',
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
      if (method === 'close') {
        held.push(id);
        if (held.length === 3)
          for (const one of held.toReversed()) channel.send(encodeResponse(one, undefined, null));
      } else if (method === 'read') {
        channel.send(encodeResponse(id, undefined, null, Buffer.alloc((params as number[])[2] ?? 0, 5)));
      } else if (method === 'uploadWrite') {
        channel.send(encodeResponse(id, undefined, null));
      } else {
        channel.send(encodeResponse(id, new Failure('ENOENT', 'no such file'), null));
      }
    }),
  );
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((n) => client.call('close', [n]).then(() => order.push(n))));
  t.same(order, [3, 2, 1]);
  await t.rejects(client.call('getattr', [PATH]), { ...failing('ENOENT'), message: 'no such file' });
  const first = await client.call('read', [PATH, 0, MAX_DATA]);
  await client.call('read', [PATH, 0, 100]);
  t.ok(first.equals(Buffer.alloc(MAX_DATA, 5)), 'the bytes of a call are its own');
  t.equal(await client.call('uploadWrite', [1, 0], { data: Buffer.alloc(MAX_DATA) }), null);
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
      const data = await client.call('downloadRead', [i + 1, 0, length]);
      return data.equals(Buffer.alloc(length, i + 1));
    }),
  );
  t.ok((await Promise.all(reads)).every(Boolean));
});

t.test('ids count from 1, the login, wrap, and are never used twice at once', async (t) => {
  const ids: number[] = [];
  const client = await connected(
    t,
    onRequest(({ id, method }, { channel }) => {
      ids.push(id);
      if (method === 'ping') channel.send(encodeResponse(id, undefined, null));
    }),
  );
  t.equal(
    client.request('close', [1], undefined, () => {}),
    2,
  );
  for (let i = 0; i < 2; i++) await client.call('ping', []);
  t.same(ids, [2, 3, 4]);

  const wrapping = new RequestIds(0xffff_fffd);
  const underWay = new Map([
    [1, 'a call'],
    [2, 'another'],
  ]);
  const given = Array.from({ length: 4 }, () => wrapping.take(underWay));
  t.same(given, [0xffff_fffe, 0xffff_ffff, 3, 4]);
});

t.test('what exceeds the window waits, and keeps the data it was given', async (t) => {
  const held: number[] = [];
  const written: Buffer[] = [];
  let holding = true;
  const answer = (id: number): void => session?.channel.send(encodeResponse(id, undefined, null));
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
  /** The login was the first. */
  const first = 2;
  const done: number[] = [];
  const count = MAX_CALLS + 10;
  const withdrawn = MAX_CALLS + 5;
  const data = Buffer.alloc(2);
  const all = new Promise<void>((resolve) => {
    for (let i = 0; i < count; i++) {
      data.writeUInt16BE(i);
      client.request('uploadWrite', [1, 0], data, (failure) => {
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

t.test('a request that is too long fails, and takes nothing of the window', async (t) => {
  const client = await connected(
    t,
    onRequest(({ id }, session) =>
      session.channel.send(encodeResponse(id, undefined, Buffer.from('target'))),
    ),
  );
  const tooLong = [Buffer.alloc(MAX_RECORD)];
  for (let i = 0; i < 2 * MAX_CALLS; i++) {
    t.throws(() => client.request('readlink', tooLong, undefined, () => {}), failing('EOVERFLOW'));
  }
  t.same(await client.call('readlink', [PATH]), Buffer.from('target'));
});

t.test('the log and what follows it pass calls that wait, and nothing passes the log', async (t) => {
  const seen: string[] = [];
  const held: number[] = [];
  let session: ServerSession | undefined;
  const client = await connected(
    t,
    onRequest(({ id, method, params }, from) => {
      session = from;
      if (method !== 'ping') seen.push(`${method} ${String((params as unknown[])[0])}`);
      if (method === 'read' || method === 'apply') held.push(id);
      else from.channel.send(encodeResponse(id, undefined, null));
    }),
  );
  const ignore = (): void => {};
  for (let i = 0; i < MAX_CALLS; i++) client.request('read', [PATH, 0, 0], undefined, ignore);
  client.request('getattr', [Buffer.from('late')], undefined, ignore);
  const write = [WRITE, Buffer.from('a'), null, 0, null];
  const applies = MAX_BYTES_IN_FLIGHT / MAX_DATA;
  for (let i = 1; i <= applies; i++) client.request('apply', [i, [write]], Buffer.alloc(MAX_DATA), ignore);
  client.request('apply', [applies + 1, [write]], Buffer.of(1), ignore);
  const returned = client.call('returned', [[[7, 0]]]);
  await client.call('ping', []);
  t.equal(
    seen.length,
    MAX_CALLS + applies,
    'as many calls as are allowed, and besides as many bytes of the log',
  );
  t.match(seen.at(-1), `apply ${applies}`);
  session?.channel.send(encodeResponse(held[MAX_CALLS] ?? 0, undefined, [1, 0, 0, 0, []]));
  await returned;
  t.same(seen.slice(MAX_CALLS + applies), [`apply ${applies + 1}`, 'returned 7,0'], 'in order');
});

t.test('notifications', async (t) => {
  const got: unknown[] = [];
  const client = await connected(
    t,
    onRequest(({ id }, { channel }) => {
      channel.send(encodeNotification('lease', [[[0, 2]]]));
      channel.send(encodeNotification('recall', [[[2n ** 40n, 1]]]));
      channel.send(encodeNotification('durable', [5]));
      channel.send([Buffer.from([0x93, 2, 0xa5, ...Buffer.from('later'), 0x91, 1])]);
      channel.send(encodeNotification('ungrant', []));
      channel.send(encodeNotification('softLimit', [7, 5, null]));
      channel.send(encodeNotification('shares', [[['team', false]]]));
      channel.send(encodeNotification('shutdown', ['upgrade', true]));
      channel.send(encodeResponse(id, undefined, null));
    }),
    {
      notifications: {
        lease: (items: LeaseItem[]) => got.push(items),
        recall: (items: LeaseItem[]) => got.push(items),
        durable: (number: number) => got.push(number),
        ungrant: () => got.push('ungrant'),
        softLimit: (...told) => got.push(told),
        shares: (...told) => got.push(told),
        shutdown: (reason: string, again: boolean) => got.push(reason, again),
      },
    },
  );
  await client.call('ping', []);
  t.same(got, [
    [[WHOLE_HOME, LEASE_WRITE]],
    [[2n ** 40n, LEASE_READ]],
    5,
    'ungrant',
    [7, 5, null],
    [[{ name: 'team', isWritable: false }]],
    'upgrade',
    true,
  ]);
  t.same(client.session.shares, [{ name: 'team', isWritable: false }], 'also for who did not listen');
});

t.test('what is leased right behind the answer of the login is told', async (t) => {
  const leased: LeaseItem[] = [];
  const script: Script = {
    onAccept(session) {
      session.logIn(session.accepted.firstRequest.id);
      session.channel.send(encodeNotification('lease', [[[0, 2]]]));
    },
    onMessage(message, { channel }) {
      if (message.kind === 'request') channel.send(encodeResponse(message.id, undefined, null));
    },
  };
  const client = await connected(t, script, {
    notifications: { lease: (items: LeaseItem[]) => leased.push(...items) },
  });
  await client.call('ping', []);
  t.same(leased, [[WHOLE_HOME, LEASE_WRITE]]);
});

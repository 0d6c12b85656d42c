/* Connections that end: by a server that breaks the protocol, by the network, by a signal, by silence. */
import t from 'tap';
import { Client } from '../../../protocol/session/client.js';
import { encodeNotification, encodeRequest, encodeResponse } from '../../../protocol/codec.js';
import { Failure } from '../../../protocol/failure.js';
import { type MethodName } from '../../../protocol/methods.js';
import { failing } from '../../lib/failing.js';
import { listen, WIRE_ATTRIBUTES } from '../../lib/loopback.js';

import { connected, onRequest, optionsFor, PATH } from '../../lib/scripted-client.js';

t.test(
  'a server of another version, or without the suite, is told apart from what is no server',
  async (t) => {
    const cases: readonly [number[], RegExp][] = [
      [[1, 3], /speaks version 1 of the protocol, this program 2: update the server$/],
      [[3, 3], /speaks version 3 of the protocol, this program 2: update this program$/],
      [[2, 2], /does not know the cipher suite that was asked for, but ChaChaPoly: set suite$/],
    ];
    for (const [refusal, message] of cases) {
      const { port } = await listen(t, (socket) =>
        socket.end(Buffer.from([...Buffer.from('ftpmnt'), ...refusal])),
      );
      await t.rejects(Client.connect(optionsFor(port)), { ...failing('PROTOCOL'), message });
    }
  },
);

t.test('a hostile server closes the connection, and every call fails once', async (t) => {
  const cases: Record<string, (id: number) => readonly Uint8Array[]> = {
    'an answer to nothing': (id) => encodeResponse(id + 1000, undefined, null),
    'an answer of another type': (id) => encodeResponse(id, undefined, 'text'),
    'an answer out of range': (id) => encodeResponse(id, undefined, [1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    'bytes for attributes': (id) => encodeResponse(id, undefined, null, Buffer.alloc(100)),
    'a request': (id) => encodeRequest(id, 'ping', []),
    'a cancel': (id) => encodeNotification('cancel', [id]),
    'a lease of the wrong shape': () => encodeNotification('lease', [[[9]]]),
    'a lease of a mode that is none': () => encodeNotification('lease', [[[1, 3]]]),
    'a recall of a unit that is none': () => encodeNotification('recall', [[[-1, 0]]]),
    'a durable operation that is none': () => encodeNotification('durable', [-1]),
    'a place that is no number': () => encodeNotification('queued', ['first']),
    'a map': () => [Buffer.from([0x94, 1, 5, 0xc0, 0x80])],
  };
  for (const [name, answer] of Object.entries(cases)) {
    const client = await connected(
      t,
      onRequest(({ id }, { channel }) => channel.send(answer(id))),
      { notifications: { lease: () => {}, recall: () => {}, durable: () => {}, queued: () => {} } },
    );
    const failures: (Failure | undefined)[] = [];
    client.request('getattr', [PATH], undefined, (failure) => failures.push(failure));
    t.match(await client.closed, { kind: 'PROTOCOL' }, name);
    t.equal(failures.length, 1);
    t.match(failures[0], { kind: 'PROTOCOL' });
    await t.rejects(client.call('ping', []), failing('PROTOCOL'), 'later calls too');
  }
});

t.test('a server that sends more data than was asked for', async (t) => {
  const file = [WIRE_ATTRIBUTES, Buffer.alloc(6)];
  const cases: readonly [MethodName, unknown[], unknown][] = [
    ['read', [PATH, 0, 10], Buffer.alloc(11)],
    ['downloadRead', [1, 0, 10], Buffer.alloc(11)],
    ['fetch', [[PATH, PATH], 10], [file, file]],
  ];
  for (const [method, params, result] of cases) {
    const client = await connected(
      t,
      onRequest(({ id }, { channel }) => channel.send(encodeResponse(id, undefined, result))),
    );
    await t.rejects(client.call(method, params), failing('PROTOCOL'), method);
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
  client.request('close', [1], undefined, () => {
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
  const call = client.call('close', [1], { signal: abort.signal });
  abort.abort();
  await t.rejects(call, { ...failing('ECANCELED'), message: 'stopped' });
  await t.rejects(client.call('close', [1], { signal: abort.signal }), failing('ECANCELED'));
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

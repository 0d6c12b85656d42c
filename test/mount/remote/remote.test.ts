import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { LEASE_WRITE, WHOLE_HOME } from '../../../protocol/methods.js';
import { Remote, type RemoteEvents, type RemoteOptions } from '../../../mount/remote/remote.js';
import type { Scope } from '../../lib/scope.js';
import { failureOf } from './failure-of.js';
import { FakeServer, type FakeConnection } from './fake-server.js';
import { dying, until } from './processes.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A Remote that is connected to a server in memory; what it tells is written down. */
class Setup {
  readonly server = new FakeServer();
  readonly remote: Remote;
  readonly told: string[] = [];
  readonly logged: string[] = [];
  /** What `connected` does besides. */
  onConnected: RemoteEvents['connected'] = () => undefined;

  constructor(scope: Scope, options: Partial<RemoteOptions> = {}) {
    const log = (_details: object, message: string): void => {
      this.logged.push(message);
    };
    this.remote = new Remote({
      connect: this.server.connect,
      log: { info: log, warn: log, error: log },
      backoff: { next: () => 1, lasted: () => undefined, refusedLong: false },
      ...options,
    });
    scope.teardown(() => this.remote.close());
  }

  static async connect(scope: Scope, options: Partial<RemoteOptions> = {}): Promise<Setup> {
    const setup = new Setup(scope, options);
    await setup.remote.connect();
    setup.listen();
    return setup;
  }

  listen(): void {
    this.remote.listen({
      lease: (items) => this.told.push(`lease ${items.join()}`),
      recall: (items) => this.told.push(`recall ${items.join()}`),
      durable: (number) => this.told.push(`durable ${number}`),
      ungrant: () => this.told.push('ungrant'),
      shares: (shares) => this.told.push(`shares ${shares.map(({ name }) => name).join()}`),
      softLimit: (used, soft) => this.told.push(`softLimit ${used},${soft}`),
      lost: () => this.told.push('lost'),
      connected: (session, sameServer) => {
        this.told.push(`connected ${sameServer}`);
        return this.onConnected(session, sameServer);
      },
      ended: (failure) => this.told.push(`ended ${failure.kind}`),
    });
  }

  ask(name: string): Promise<unknown> {
    return this.remote.ask('readlink', [name]);
  }

  /** A request that is made once; resolves with what it fails with. */
  once(name: string): Promise<string> {
    return new Promise((resolve) => {
      this.remote.request(
        'returned',
        [name],
        undefined,
        (failure) => {
          resolve(failure?.kind ?? 'no failure');
        },
        { once: true },
      );
    });
  }
}

t.test('a lost connection is made again, and operations wait meanwhile', async (t) => {
  const s = await Setup.connect(t);
  t.same(await s.ask('a'), Buffer.from('a'));
  s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  s.server.connection.break();
  const asked = s.ask('b');
  await until(() => s.server.refused > 0);
  t.notOk(s.remote.connected);
  t.match(s.remote.state, { connected: false, lastFailure: 'nobody listens' });
  s.server.refusal = undefined;
  t.same(await asked, Buffer.from('b'));
  t.ok(s.remote.connected);
  t.match(s.remote.state, { connected: true, lastFailure: undefined });
  t.same(s.told, ['lost', 'connected true']);
});

t.test('the first connection is not tried again', async (t) => {
  const s = new Setup(t);
  s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  t.equal(await failureOf(s.remote.connect()), 'ECONNREFUSED');
  t.equal(s.server.refused, 1);
});

t.test('what was not answered is sent again, in order, after the log', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.held = true;
  const asked = ['a', 'b', 'c'].map((name) => s.ask(name));
  await turn();
  let resume = (): void => undefined;
  s.onConnected = () => {
    void s.once('log');
    return new Promise((resolve) => {
      resume = resolve;
    });
  };
  s.server.connection.break();
  await until(() => s.server.connections.length === 2);
  asked.push(s.ask('d'));
  await turn();
  t.same(s.server.connection.requests, ['returned log'], 'the others wait');
  resume();
  t.same((await Promise.all(asked)).join(), 'a,b,c,d');
  t.same(s.server.connection.requests.slice(1), ['readlink a', 'readlink b', 'readlink c', 'readlink d']);
});

t.test('what is made once fails when the connection is lost, and while there is none', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.held = true;
  const lost = s.once('log').then((kind) => s.told.push(kind));
  s.server.connection.break();
  await lost;
  t.same(s.told, ['lost', 'ECONNRESET'], 'in this order');
  t.equal(await s.once('more'), 'ECONNRESET');
  await s.ask('a');
  t.same(s.server.connection.requests, ['readlink a'], 'and is not sent again');
});

t.test('a connection that is lost while it is brought up to date', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.held = true;
  const waiting = s.ask('a');
  s.onConnected = async () => {
    if (s.server.connections.length > 2) return;
    s.server.connection.break();
    await s.once('log');
  };
  s.server.restart();
  t.same(await waiting, Buffer.from('a'));
  t.same(
    s.told,
    ['lost', 'connected false', 'lost', 'connected false'],
    'nothing was put right the first time',
  );
  t.same(s.server.connection.requests, ['readlink a']);
});

t.test('where bringing up to date fails, it is tried again', async (t) => {
  const s = await Setup.connect(t);
  s.onConnected = () =>
    s.server.connections.length > 2
      ? undefined
      : Promise.reject(new Failure('ENOENT', 'the directory is gone'));
  s.server.connection.break();
  t.same(await s.ask('a'), Buffer.from('a'));
  t.same(s.told, ['lost', 'connected true', 'lost', 'connected true']);
});

t.test('handles of a server that was restarted are not asked for', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.held = true;
  const page = failureOf(s.remote.ask('listNext', [7 as never]));
  const closed = s.remote.ask('close', [7 as never]);
  const other = s.ask('a');
  s.server.restart();
  t.equal(await page, 'ESTALE');
  await closed;
  await other;
  t.same(s.server.connection.requests, ['readlink a']);
});

t.test('what the server says is told, behind the connection that it is about', async (t) => {
  const s = new Setup(t);
  // Right behind the answer of the login, so before the connection is known.
  s.server.onConnection = ({ notifications }) => notifications.lease?.([[WHOLE_HOME, LEASE_WRITE]]);
  await s.remote.connect();
  s.server.connection.notifications.durable?.(1);
  t.same(s.told, [], 'nobody listens yet');
  s.listen();
  t.same(s.told, ['lease 0,2', 'durable 1']);
  const { notifications } = s.server.connection;
  notifications.recall?.([[5n, 1]]);
  notifications.ungrant?.();
  t.same(s.told.slice(2), ['recall 5,1', 'ungrant']);
  s.server.connection.break();
  await s.ask('a');
  t.same(s.told.slice(4), ['lost', 'connected true', 'lease 0,2']);
});

t.test('a connection that is lost before anybody listens', async (t) => {
  const s = new Setup(t);
  await s.remote.connect();
  s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  s.server.connection.break();
  await until(() => s.server.refused > 0);
  s.listen();
  s.server.refusal = undefined;
  await s.ask('a');
  t.same(s.told, ['lost', 'connected true']);
});

t.test(
  'what passes does not end it: a server that is away, full, or lets nobody in for a while',
  async (t) => {
    const s = await Setup.connect(t);
    for (const kind of [
      'ECONNREFUSED',
      'EACCES',
      'EUSERS',
      'EBUSY',
      'EKEYREJECTED',
      'ENOKEY',
      'PROTOCOL',
    ] as const) {
      s.server.refusal = new Failure(kind, 'not now');
      s.server.refused = 0;
      s.server.connection.break();
      const asked = s.ask(kind);
      await until(() => s.server.refused === 3);
      t.match(s.remote.state, { connected: false, lastFailure: 'not now' });
      s.server.refusal = undefined;
      t.same(await asked, Buffer.from(kind), kind);
    }
  },
);

t.test('that a login stays refused is said', async (t) => {
  const s = await Setup.connect(t, {
    backoff: { next: () => 1, lasted: () => undefined, refusedLong: true },
  });
  s.server.refusal = new Failure('EKEYREJECTED', 'wrong user or password');
  s.server.connection.break();
  await until(() => s.logged.some((each) => each.includes('mount again')));
  s.server.refusal = undefined;
  await s.ask('a');
});

t.test('another key of the server is said aloud, and the server is waited for', async (t) => {
  const s = await Setup.connect(t);
  s.server.refusal = new Failure('HOSTKEY', 'another key');
  s.server.connection.break();
  await until(() => s.logged.some((each) => each.includes('another server answers')));
  t.match(s.remote.state, { connected: false, lastFailure: 'another key' });
  s.server.refusal = undefined;
  t.same(await s.ask('a'), Buffer.from('a'));
});

t.test('a server may end it', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.held = true;
  const waiting = failureOf(s.ask('a'));
  s.server.connection.notifications.shutdown?.('the account was removed', false);
  t.equal(await waiting, 'EACCES');
  t.same(s.told, ['ended EACCES']);
  t.notOk(s.server.connection.open, 'whether the server closes it or not');
});

t.test('a server that stops and comes back does not', async (t) => {
  const s = await Setup.connect(t);
  s.server.connection.notifications.shutdown?.('maintenance', true);
  s.server.restart();
  t.same(await s.ask('a'), Buffer.from('a'));
  t.same(s.told, ['lost', 'connected false']);
});

t.test('a dead line is noticed by who waits', async (t) => {
  const s = await Setup.connect(t, { probe: { afterMs: 5, ms: 5 } });
  const { connection } = s.server;
  connection.dead = true;
  t.same(await s.ask('a'), Buffer.from('a'));
  t.equal(connection.pings, 1);
  t.equal(s.server.connections.length, 2);
});

t.test('a server that takes its time is waited for', async (t) => {
  const s = await Setup.connect(t, { probe: { afterMs: 1, ms: 1_000 }, softMs: 20 });
  const { connection } = s.server;
  connection.held = true;
  const asked = s.ask('a');
  // Longer than the deadline.
  await until(() => connection.pings >= 30);
  connection.answer();
  t.same(await asked, Buffer.from('a'));
  t.equal(s.server.connections.length, 1);
});

t.test('a server that says that it is busy is alive, whatever it does not answer', async (t) => {
  const s = await Setup.connect(t, { probe: { afterMs: 1, ms: 60_000 } });
  const { connection } = s.server;
  connection.dead = true;
  const asked = failureOf(s.ask('a'));
  await until(() => connection.pings === 1);
  connection.notifications.busy?.();
  await until(() => connection.pings === 2);
  await s.remote.close();
  t.equal(await asked, 'ENOTCONN');
});

t.test('with a deadline operations fail when there is no connection for long', async (t) => {
  const s = await Setup.connect(t, { softMs: 20 });
  s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  s.server.connection.held = true;
  const looked = failureOf(s.ask('a'));
  const log = failureOf(s.remote.bounded(new Promise(() => undefined)));
  s.server.connection.break();
  t.equal(await looked, 'ETIMEDOUT');
  t.equal(await log, 'ETIMEDOUT');
  t.equal(await failureOf(s.ask('b')), 'ETIMEDOUT');
  s.server.refusal = undefined;
  await s.ask('c');
  t.same(s.server.connection.requests, ['readlink c'], 'what timed out is not sent later');
  t.equal(await s.remote.bounded(Promise.resolve(5)), 5);
  t.equal(await failureOf(s.remote.bounded(Promise.reject(new Failure('EIO')))), 'EIO');
});

t.test('the deadline does not wait until a dead line is lost', async (t) => {
  const s = await Setup.connect(t, { softMs: 20, probe: { afterMs: 5, ms: 60_000 } });
  s.server.connection.dead = true;
  t.equal(await failureOf(s.ask('a')), 'ETIMEDOUT');
  t.ok(s.remote.connected, 'as far as is known');
});

t.test('a call that makes the server break the protocol each time fails, others do not', async (t) => {
  const s = await Setup.connect(t);
  s.server.holding = true;
  s.server.connection.held = true;
  const asked = failureOf(s.ask('a'));
  for (let faults = 1; faults <= 3; faults++) {
    await until(() => s.server.connections.length === faults);
    await until(() => s.server.connection.requests.includes('readlink a'));
    s.server.connection.break(new Failure('PROTOCOL', 'an answer of a wrong shape'));
  }
  t.equal(await asked, 'EPROTO');
  s.server.holding = false;
  t.same(await s.ask('b'), Buffer.from('b'));
});

t.test('a call that cannot be sent fails, now and over the next connection, and others do not', async (t) => {
  const s = await Setup.connect(t);
  const { onConnection } = s.server;
  const refuse = (connection: FakeConnection): void => {
    onConnection(connection);
    const request = connection.request.bind(connection);
    connection.request = (method, params, data, done) => {
      if (params[0] === 'long') throw new Failure('EOVERFLOW');
      return request(method, params, data, done);
    };
  };
  refuse(s.server.connection);
  t.equal(await failureOf(s.ask('long')), 'EOVERFLOW');
  s.server.onConnection = refuse;
  s.server.connection.break();
  await turn();
  const [long, short] = [failureOf(s.ask('long')), s.ask('short')];
  t.equal(await long, 'EOVERFLOW');
  t.same(await short, Buffer.from('short'));
  t.equal(s.server.connections.length, 2);
});

t.test('a caller that is killed is let go, and what it asked for is cancelled', async (t) => {
  const s = await Setup.connect(t);
  const pid = await dying(t);
  s.server.connection.held = true;
  const abort = new AbortController();
  const asked = failureOf(s.remote.ask('readlink', ['a' as never], { pid, signal: abort.signal }));
  await turn();
  abort.abort();
  t.equal(await asked, 'EINTR');
  t.equal(s.server.connection.cancelled.length, 1);
  s.server.connection.answer();
});

t.test('what nobody wants any more is cancelled, and not sent over another connection', async (t) => {
  const s = await Setup.connect(t);
  const outcomes: string[] = [];
  const request = (name: string): (() => void) =>
    s.remote.request('readlink', [name], undefined, (failure) =>
      outcomes.push(`${name} ${failure?.kind ?? 'came'}`),
    );
  s.server.connection.held = true;
  const withdraw = request('a');
  withdraw();
  t.equal(s.server.connection.cancelled.length, 1);
  t.same(outcomes, [], 'its answer comes nevertheless');
  s.server.connection.answer();
  t.same(outcomes.splice(0), ['a came']);
  withdraw();
  t.equal(s.server.connection.cancelled.length, 1, 'not what was answered');
  s.server.connection.held = true;
  request('b')();
  const withdrawn = request('c');
  s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
  s.server.connection.break();
  await until(() => s.server.refused > 0);
  withdrawn();
  request('d')();
  s.server.refusal = undefined;
  await s.ask('e');
  t.same(s.server.connection.requests, ['readlink e']);
  t.same(outcomes, ['b ECONNRESET', 'c ECANCELED', 'd ECANCELED']);
});

t.test(
  'a caller is let go while there is no connection, and what it asked for is not sent later',
  async (t) => {
    const s = await Setup.connect(t);
    const pid = await dying(t);
    s.server.refusal = new Failure('ECONNREFUSED', 'nobody listens');
    s.server.connection.break();
    await turn();
    const abort = new AbortController();
    const asked = failureOf(s.remote.ask('readlink', ['a' as never], { pid, signal: abort.signal }));
    abort.abort();
    t.equal(await asked, 'EINTR');
    t.equal(
      await failureOf(s.remote.ask('readlink', ['b' as never], { pid, signal: abort.signal })),
      'EINTR',
    );
    s.server.refusal = undefined;
    await s.ask('c');
    t.same(s.server.connection.requests, ['readlink c']);
  },
);

t.test('when the request that was answered last had been sent', async (t) => {
  const s = await Setup.connect(t);
  const loggedIn = s.remote.lastHeardSentAt();
  s.server.connection.held = true;
  const asked = s.ask('a');
  const sent = performance.now();
  await until(() => performance.now() > sent + 2);
  t.equal(s.remote.lastHeardSentAt(), loggedIn, 'no answer yet');
  s.server.connection.answer();
  await asked;
  t.ok(s.remote.lastHeardSentAt() >= loggedIn && s.remote.lastHeardSentAt() <= sent);
});

t.test('the waits are told of connections that were up to date, and of no others', async (t) => {
  const waits: string[] = [];
  const s = await Setup.connect(t, {
    backoff: {
      next: () => (waits.push('wait'), 1),
      lasted: () => waits.push('lasted'),
      refusedLong: false,
    },
  });
  let refused = 2;
  s.onConnected = () => {
    if (refused-- > 0) s.server.connection.break();
  };
  s.server.connection.break();
  await s.ask('a');
  t.same(waits, ['lasted', 'wait', 'wait', 'wait']);
});

t.test('a connection may be given up', async (t) => {
  const s = await Setup.connect(t);
  s.remote.reconnect('the term is over');
  await s.ask('a');
  t.same(s.told, ['lost', 'connected true']);
});

t.test('the end in order', async (t) => {
  const s = await Setup.connect(t);
  await s.remote.logout();
  t.same(s.server.connection.requests, ['logout']);
  t.notOk(s.server.connection.open);
  t.equal(await failureOf(s.ask('a')), 'ENOTCONN');
  t.same(s.told, [], 'who ends it knows');
  const away = await Setup.connect(t);
  away.server.refusal = new Failure('ECONNREFUSED');
  away.server.connection.break();
  await turn();
  await away.remote.logout();
  t.same(away.server.connection.requests, [], 'without a connection at once');
});

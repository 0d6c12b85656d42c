/* The front door against strangers: garbage, silence, floods; and the login dialogue over real sockets. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { LEASE_NONE, LEASE_WRITE } from '../../../protocol/methods.js';
import { Admission, type AdmissionLimits, type SessionPlace } from '../../../daemon/login/admission.js';
import { FrontDoor, type FrontDoorOptions } from '../../../daemon/login/front-door.js';
import type { LoggedIn, LoginHost } from '../../../daemon/login/login.js';
import { Memberships } from '../../../daemon/login/memberships.js';
import { nodeAead } from '../../../protocol/transport/aead.js';
import { Client, type ConnectOptions } from '../../../protocol/session/client.js';
import type { LoginRequest } from '../../../protocol/session/login-call.js';
import { Failure, type FailureKind } from '../../../protocol/failure.js';
import { userName } from '../../../protocol/ids.js';
import { generateKeyPair } from '../../../protocol/transport/x25519.js';
import { encodePreamble } from '../../../protocol/transport/preamble.js';
import { failing } from '../../lib/failing.js';
import { recordingLog } from '../../lib/logs.js';
import type { Scope } from '../../lib/scope.js';

const PASSWORD = 'the password';

/** A front door whose sessions are only counted: who gets in is disconnected when the test says so. */
class Door {
  readonly log = recordingLog();
  readonly admission: Admission;
  readonly loggedIn: LoggedIn[] = [];
  readonly refusals: FailureKind[] = [];
  valid = true;
  /** Of those who logged in. */
  readonly accounts: { expiresAt: number | null }[] = [];
  takenOver: SessionPlace | undefined;
  readonly #door: FrontDoor;
  #port = 0;

  private constructor(options: Partial<FrontDoorOptions>, limits: Partial<AdmissionLimits>) {
    this.admission = new Admission({ maxSessions: 9, maxSessionsPerUser: 99, maxQueue: 9, ...limits });
    this.#door = new FrontDoor({
      limits: { maxUnauthenticated: 99, maxPerAddress: 99 },
      staticKeyPair: generateKeyPair(),
      aead: nodeAead,
      serverVersion: 'test',
      host: this.#host(),
      isBanned: () => false,
      log: this.log,
      ...options,
    });
  }

  static async open(
    scope: Scope,
    options: Partial<FrontDoorOptions> = {},
    limits: Partial<AdmissionLimits> = {},
  ): Promise<Door> {
    const door = new Door(options, limits);
    door.#port = (await door.#door.listen({ host: '127.0.0.1', port: 0 })).port;
    scope.teardown(() => door.close());
    return door;
  }

  close(): Promise<void> {
    return this.#door.close('the test is over');
  }

  /** A bare connection. */
  async dial(scope: Scope, localAddress = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    scope.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  /** A client that logs in; it is never answered where it gets in, as there are no sessions here. */
  client(password: string | null, options: Partial<ConnectOptions> = {}): Promise<Client> {
    return Client.connect({
      host: '127.0.0.1',
      port: this.#port,
      aead: nodeAead,
      staticKeyPair: generateKeyPair(),
      verifyHost: () => Promise.resolve(),
      login: {
        user: 'alice',
        password,
        clientId: randomBytes(16),
        leaseWanted: LEASE_WRITE,
        program: 'test',
      },
      ...options,
    });
  }

  #host(): LoginHost {
    const memberships = new Memberships({ get: () => undefined, of: () => [] });
    return {
      authenticate: async ({ user, password }) => {
        if (password === null) throw new Failure('ENOKEY');
        if (password !== PASSWORD) throw new Failure('EKEYREJECTED');
        const account = {
          name: userName(user),
          quotaBytes: 0,
          maxFiles: 0,
          passwordHash: null,
          keys: [],
          createdAt: 0,
          disabled: false,
          expiresAt: null,
        };
        this.accounts.push(account);
        return { account, key: null };
      },
      destination: (account, share) => memberships.destination(account, share),
      apply: (applicant) => this.admission.apply(applicant),
      withdraw: (applicant) => this.admission.withdraw(applicant),
      takeOver: () => this.takenOver,
      refresh: (identity) => (this.valid ? identity : undefined),
      handOver: (connection) => this.loggedIn.push(connection),
      refused: (_user, _peer, { kind }) => this.refusals.push(kind),
    };
  }
}

/** Everything that the peer sends until it closes. */
async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A reset is as good as an end: `once` would reject.
  await new Promise((resolve) => socket.on('close', resolve));
  return Buffer.concat(chunks);
}

/** A promise for the next time that a handler made by it is called. */
function signal<T>(): { promise: Promise<T>; fire: (value: T) => void } {
  let fire: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}

t.test('garbage is disconnected without an answer, and the door stays open', async (t) => {
  const door = await Door.open(t);
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'),
    randomBytes(4096),
    Buffer.concat([encodePreamble('AESGCM'), Buffer.from([0xff, 0xff]), randomBytes(70_000)]),
    Buffer.concat([encodePreamble('AESGCM'), Buffer.from([0, 0])]),
  ];
  for (const bytes of garbage) {
    const socket = await door.dial(t);
    socket.write(bytes);
    t.equal((await readAll(socket)).length, 0);
  }
  const after = await door.client(null);
  t.equal(after.loginFailure?.kind, 'ENOKEY');
  await after.close();
});

t.test('a handshake with garbage in its last message is disconnected', async (t) => {
  const door = await Door.open(t);
  const socket = await door.dial(t);
  const first = Buffer.concat([encodePreamble('ChaChaPoly'), Buffer.from([0, 32]), randomBytes(32)]);
  socket.write(first);
  await once(socket, 'data');
  socket.write(Buffer.concat([Buffer.from([0, 96]), randomBytes(96)]));
  t.equal((await readAll(socket)).length, 0);
  t.ok(door.log.lines.some(({ message }) => message === 'handshake failed'));
});

t.test('thousands of failed handshakes are not thousands of lines', async (t) => {
  const door = await Door.open(t);
  for (let i = 0; i < 120; i++) {
    const socket = await door.dial(t);
    socket.write('nonsense');
    await readAll(socket);
  }
  const lines = door.log.lines.filter(({ message }) => message === 'handshake failed');
  t.equal(lines.length, 100);
  await door.close();
  t.match(door.log.lines.at(-1), { message: 'connections refused', fields: { count: 20 } });
});

t.test('who says nothing, or stops in the middle, is disconnected at the deadline', async (t) => {
  const door = await Door.open(t, { handshakeMs: 50, loginMs: 50 });
  const silent = await door.dial(t);
  const halfWay = await door.dial(t);
  halfWay.write(encodePreamble('AESGCM').subarray(0, 3));
  await Promise.all([readAll(silent), readAll(halfWay)]);
  const client = await door.client(null);
  t.match(await client.closed, { kind: 'ECONNRESET' });
});

t.test('a half-open connection of someone who went away is closed', async (t) => {
  const door = await Door.open(t);
  const socket = await door.dial(t);
  socket.end(encodePreamble('AESGCM'));
  t.equal((await readAll(socket)).length, 0);
});

t.test('too many strangers: the oldest of the address that has most gives way', async (t) => {
  const door = await Door.open(t, { limits: { maxUnauthenticated: 3, maxPerAddress: 99 } });
  const honest = await door.dial(t, '127.0.0.2');
  const strangers = [await door.dial(t), await door.dial(t)];
  const ended: Socket[] = [];
  const closed = [honest, ...strangers].map(async (socket) => {
    await once(socket.resume(), 'close');
    ended.push(socket);
  });
  const client = await door.client(null);
  t.equal(client.loginFailure?.kind, 'ENOKEY', 'in, while all three hold on');
  await Promise.race(closed);
  t.strictSame(ended, [strangers[0]], 'and nobody else');
  await client.close();
});

/** A door that lets so many of an address wait, behind which one waits in the queue until `end`. */
async function withWaiting(
  t: Test,
  maxPerAddress: number,
): Promise<{ door: Door; end: () => Promise<void> }> {
  const limits = { maxUnauthenticated: 99, maxPerAddress };
  const door = await Door.open(t, { limits }, { maxSessions: 0 });
  const inQueue = signal<number>();
  const aborted = new AbortController();
  const waiting = door.client(PASSWORD, { notifications: { queued: inQueue.fire }, signal: aborted.signal });
  waiting.catch(() => undefined);
  t.equal(await inQueue.promise, 1);
  const end = async (): Promise<void> => {
    aborted.abort();
    await t.rejects(waiting, { name: 'Failure', kind: 'ECANCELED' }, 'it waited until then');
  };
  return { door, end };
}

t.test('too many of one address, waiting ones included', async (t) => {
  const { door, end } = await withWaiting(t, 2);
  const stranger = await door.dial(t);
  const gone = once(stranger.resume(), 'close');
  const second = await door.client(null);
  t.equal(second.loginFailure?.kind, 'ENOKEY', 'who holds a connection gives way to who logs in');
  await gone;
  await end();
  await second.close();
});

t.test('where all of one address wait, nobody else of it gets in', async (t) => {
  const { door, end } = await withWaiting(t, 1);
  await t.rejects(door.client(null), { name: 'Failure' });
  await end();
});

t.test('three wrong passwords, then the connection is closed', async (t) => {
  const door = await Door.open(t);
  const client = await door.client(null);
  const wrong: LoginRequest = {
    user: 'alice',
    password: 'x',
    clientId: randomBytes(16),
    leaseWanted: LEASE_NONE,
    program: '',
  };
  for (let i = 0; i < 3; i++) await t.rejects(client.login(wrong), { name: 'Failure', kind: 'EKEYREJECTED' });
  t.match(await client.closed, { kind: 'ECONNRESET' });
  t.same(door.refusals, ['ENOKEY', 'EKEYREJECTED', 'EKEYREJECTED', 'EKEYREJECTED']);
});

t.test('the right password at the third try gets in', async (t) => {
  const door = await Door.open(t);
  const client = await door.client(null);
  const login: LoginRequest = {
    user: 'alice',
    password: 'x',
    clientId: randomBytes(16),
    leaseWanted: LEASE_WRITE,
    program: 'test',
  };
  for (let i = 0; i < 2; i++) await t.rejects(client.login(login), { name: 'Failure', kind: 'EKEYREJECTED' });
  // No session answers here; the server's end is closed after the hand-over.
  await t.rejects(client.login({ ...login, password: PASSWORD }), { name: 'Failure' });
  t.equal(door.loggedIn.length, 1);
  t.match(door.loggedIn[0]?.login, { clientId: login.clientId, program: 'test', leaseWanted: LEASE_WRITE });
  t.match(door.loggedIn[0]?.identity.account, { name: 'alice' });
});

t.test(
  'who is nobody of a share is told so once the password is right, and the connection is closed',
  async (t) => {
    const door = await Door.open(t);
    const client = await door.client('x');
    const login = {
      user: 'alice',
      clientId: randomBytes(16),
      leaseWanted: LEASE_NONE,
      program: 'test',
    } as const;
    await t.rejects(client.login({ ...login, password: 'x', share: 'team' }), failing('EKEYREJECTED'));
    await t.rejects(client.login({ ...login, password: PASSWORD, share: 'team' }), {
      ...failing('ENOENT'),
      message: 'you have no share team',
    });
    t.match(await client.closed, failing('ECONNRESET'));
  },
);

t.test('a request before login closes the connection; a ping does not', async (t) => {
  const door = await Door.open(t);
  const client = await door.client(null);
  await client.call('ping', []);
  await t.rejects(client.call('getattr', [Buffer.alloc(0)]), { name: 'Failure' });
  t.match(await client.closed, { kind: 'ECONNRESET' });
  t.ok(door.log.lines.some(({ fields }) => /before login/.test(String(fields['error']))));
});

t.test('the queue: places live, giving up frees one, first in first out, full', async (t) => {
  const door = await Door.open(t, {}, { maxSessions: 1, maxQueue: 3 });
  const user = (name: string): LoginRequest => ({
    user: name,
    password: PASSWORD,
    clientId: randomBytes(16),
    leaseWanted: LEASE_WRITE,
    program: name,
  });
  await t.rejects(door.client(PASSWORD, { login: user('first') }), { name: 'Failure', kind: 'ECONNRESET' });
  const places = new Map<string, number[]>();
  const awaited = new Map<string, () => void>();
  const abort = new Map<string, AbortController>();
  const reaches = (name: string, place: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (places.get(name)?.at(-1) === place) resolve();
      };
      awaited.set(name, look);
      look();
    });
  const ends = new Map<string, Promise<FailureKind | undefined>>();
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    places.set(name, []);
    const controller = new AbortController();
    abort.set(name, controller);
    const queued = (place: number): void => {
      places.get(name)?.push(place);
      awaited.get(name)?.();
    };
    const connecting = door.client(PASSWORD, {
      login: user(name),
      notifications: { queued },
      signal: controller.signal,
    });
    ends.set(
      name,
      connecting.then(
        () => undefined,
        (error: unknown) => Failure.from(error).kind,
      ),
    );
    await reaches(name, index + 1);
  }
  await t.rejects(door.client(PASSWORD, { login: user('d') }), { name: 'Failure', kind: 'EUSERS' });
  abort.get('b')?.abort();
  t.equal(await ends.get('b'), 'ECANCELED');
  await reaches('c', 2);
  t.equal(door.admission.queued, 2);
  door.loggedIn[0]?.place.release();
  t.equal(await ends.get('a'), 'ECONNRESET', 'handed over');
  await reaches('c', 1);
  door.loggedIn[1]?.place.release();
  t.equal(await ends.get('c'), 'ECONNRESET');
  t.same(
    door.loggedIn.map(({ login }) => login.program),
    ['first', 'a', 'c'],
  );
  t.same(
    [...places],
    [
      ['a', [1]],
      ['b', [2]],
      ['c', [3, 2, 1]],
    ],
  );
});

t.test('an account that is closed while its client waits does not get in, and holds no place', async (t) => {
  const door = await Door.open(t, {}, { maxSessions: 1, maxQueue: 3 });
  await t.rejects(door.client(PASSWORD), { name: 'Failure', kind: 'ECONNRESET' });
  const inQueue = signal<number>();
  const waiting = door.client(PASSWORD, { notifications: { queued: inQueue.fire } });
  await inQueue.promise;
  door.valid = false;
  door.loggedIn[0]?.place.release();
  const client = await waiting;
  t.equal(client.loginFailure?.kind, 'EKEYREJECTED');
  await client.closed;

  door.valid = true;
  await t.rejects(door.client(PASSWORD), { name: 'Failure', kind: 'ECONNRESET' });
  const inQueueAgain = signal<number>();
  const expiring = t.rejects(
    door.client(PASSWORD, { notifications: { queued: inQueueAgain.fire } }),
    { name: 'Failure', kind: 'EKEYEXPIRED' },
    'who has logged in may be told why',
  );
  await inQueueAgain.promise;
  door.valid = false;
  for (const account of door.accounts) account.expiresAt = 1;
  door.loggedIn[1]?.place.release();
  await expiring;

  door.valid = true;
  await t.rejects(door.client(PASSWORD), { name: 'Failure', kind: 'ECONNRESET' });
  t.equal(door.loggedIn.length, 3);
});

t.test('a client that connects again takes its own place over instead of waiting', async (t) => {
  const door = await Door.open(t, {}, { maxSessions: 1, maxQueue: 3 });
  await t.rejects(door.client(PASSWORD), { name: 'Failure', kind: 'ECONNRESET' });
  door.takenOver = door.loggedIn[0]?.place;
  await t.rejects(door.client(PASSWORD), { name: 'Failure', kind: 'ECONNRESET' });
  t.equal(door.loggedIn.length, 2);
  t.equal(door.loggedIn[1]?.place, door.loggedIn[0]?.place);
});

t.test('closing tells those that wait', async (t) => {
  const door = await Door.open(t, {}, { maxSessions: 0 });
  const inQueue = signal<number>();
  const told = signal<[string, boolean]>();
  const waiting = door.client(PASSWORD, {
    notifications: { queued: inQueue.fire, shutdown: (reason, again) => told.fire([reason, again]) },
  });
  waiting.catch(() => undefined);
  await inQueue.promise;
  await door.close();
  t.same(await told.promise, ['the test is over', true]);
  await t.rejects(waiting, { name: 'Failure' });
});

t.test('a port in use is said plainly', async (t) => {
  const door = await Door.open(t);
  const socket = await door.dial(t);
  const other = new FrontDoor({
    limits: { maxUnauthenticated: 1, maxPerAddress: 1 },
    staticKeyPair: generateKeyPair(),
    aead: nodeAead,
    serverVersion: '',
    host: {} as LoginHost,
    isBanned: () => false,
    log: door.log,
  });
  await t.rejects(other.listen({ host: '127.0.0.1', port: socket.remotePort ?? 0 }), {
    name: 'Failure',
    kind: 'EADDRINUSE',
    message: /127\.0\.0\.1, port \d+ is in use: .*--listen/,
  });
  await t.rejects(other.listen({ host: '192.0.2.1', port: 0 }), {
    name: 'Failure',
    message: /no address of this machine/,
  });
});

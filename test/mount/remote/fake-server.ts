/** A server in memory for the Remote: it answers what it is told to, and its connections break when a test says so. */
import type { NotificationHandlers } from '../../../protocol/session/client.js';
import type { LoginResult } from '../../../protocol/session/login-call.js';
import { Failure } from '../../../protocol/failure.js';
import { LEASE_TERM_MS } from '../../../protocol/limits.js';
import type { MethodName } from '../../../protocol/methods.js';
import { UNLIMITED_DISK } from '../../../protocol/disk-limits.js';
import type { Connection, Hello } from '../../../mount/remote/connection.js';

interface Asked {
  readonly id: number;
  readonly method: MethodName;
  readonly params: readonly unknown[];
  readonly done: (failure: Failure | undefined, result: unknown) => void;
}

export class FakeServer {
  /** Changes at a restart. */
  boot = Buffer.from('boot   1');
  /** Whether a client that comes back is known. */
  resumes = true;
  applied = 0;
  /** It keeps leases for a client that it does not know any more. */
  covers = false;
  /** What the next tries to connect fail with. */
  refusal: Failure | undefined;
  /** Those that were refused. */
  refused = 0;
  /** What is answered: that of a `readlink` tells what was asked. Throws a Failure to answer with that. */
  reply: (method: MethodName, params: readonly unknown[]) => unknown = (method, [asked]) =>
    method === 'readlink' ? Buffer.from(String(asked)) : null;
  /** Connections from now on answer nothing but pings. */
  holding = false;
  /** What its disk can keep. */
  disk = UNLIMITED_DISK;
  /** Files that its clients may have open. */
  maxOpenFiles = 1000;
  /** Called with each new connection, before its login is answered. */
  onConnection: (connection: FakeConnection) => void = () => undefined;
  readonly connections: FakeConnection[] = [];

  readonly connect = (hello: Hello): Promise<FakeConnection> => {
    if (this.refusal !== undefined) {
      this.refused += 1;
      return Promise.reject(this.refusal);
    }
    const connection = new FakeConnection(this, hello);
    this.connections.push(connection);
    this.onConnection(connection);
    return Promise.resolve(connection);
  };

  /** The latest connection. */
  get connection(): FakeConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error('nobody has connected');
    return connection;
  }

  /** All connections break, and nothing is known any more. */
  restart(): void {
    this.boot = Buffer.from(`boot ${this.connections.length + 2}`.padEnd(8));
    this.resumes = false;
    this.connection.break();
  }
}

export class FakeConnection implements Connection {
  readonly session: LoginResult;
  readonly notifications: NotificationHandlers;
  /** 'METHOD FIRST-PARAMETER', in order; without pings. */
  readonly requests: string[] = [];
  readonly cancelled: number[] = [];
  pings = 0;
  open = true;
  /** Answers nothing but pings, until answer(). */
  held: boolean;
  /** The line is dead: nothing arrives any more, and nobody says so. */
  dead = false;
  readonly closed: Promise<Failure | undefined>;
  #resolveClosed: (failure: Failure | undefined) => void = () => undefined;
  readonly #unanswered = new Map<number, Asked>();
  readonly #server: FakeServer;
  #lastId = 1;

  constructor(server: FakeServer, hello: Hello) {
    this.#server = server;
    this.held = server.holding;
    this.notifications = hello.notifications;
    this.session = {
      serverVersion: 'fake',
      bootVerifier: server.boot,
      resumed: server.resumes,
      root: ROOT,
      applied: server.applied,
      leased: server.resumes || server.covers,
      covered: server.resumes || server.covers,
      termMs: LEASE_TERM_MS,
      disk: server.disk,
      maxOpenFiles: server.maxOpenFiles,
      shares: [],
    };
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  request(
    method: MethodName,
    params: readonly unknown[],
    _data: Buffer | undefined,
    done: (failure: Failure | undefined, result: never) => void,
  ): number {
    const id = (this.#lastId += 1);
    if (method === 'ping') this.pings += 1;
    else this.requests.push(params.length === 0 ? method : `${method} ${String(params[0])}`);
    this.#unanswered.set(id, { id, method, params, done: done as Asked['done'] });
    setImmediate(() => {
      if (!this.dead && (method === 'ping' || !this.held)) this.#answer(id);
    });
    return id;
  }

  cancel(id: number): void {
    this.cancelled.push(id);
  }

  /** Answers all that was asked until now, and what comes. */
  answer(): void {
    this.held = false;
    for (const id of [...this.#unanswered.keys()]) this.#answer(id);
  }

  break(failure = new Failure('ECONNRESET', 'broken')): void {
    this.#close(failure);
  }

  destroy(failure: Failure): void {
    this.#close(failure);
  }

  close(): Promise<void> {
    this.#close(undefined);
    return Promise.resolve();
  }

  #close(failure: Failure | undefined): void {
    if (!this.open) return;
    this.open = false;
    const asked = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const { done } of asked) done(failure ?? new Failure('ENOTCONN'), undefined);
    this.#resolveClosed(failure);
  }

  #answer(id: number): void {
    const asked = this.#unanswered.get(id);
    if (asked === undefined) return;
    this.#unanswered.delete(id);
    const { result, failure } = this.#reply(asked);
    // What is answered on a connection that breaks meanwhile is lost.
    if (this.open) asked.done(failure, result);
  }

  #reply({ method, params }: Asked): { failure?: Failure; result?: unknown } {
    try {
      return { result: method === 'ping' ? null : this.#server.reply(method, params) };
    } catch (thrown) {
      return { failure: Failure.from(thrown) };
    }
  }
}

const EPOCH = { sec: 0, nsec: 0 };
const ROOT = {
  ino: 1n,
  birth: 1n,
  mode: 0o040755,
  nlink: 2,
  size: 0,
  blocks: 0,
  atime: EPOCH,
  mtime: EPOCH,
  ctime: EPOCH,
} as unknown as LoginResult['root'];

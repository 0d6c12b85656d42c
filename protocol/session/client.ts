/*
 * A client's session: requests by id with their answers, the window, keepalive, notifications, login.
 *
 * Invariants:
 * - `done` of a request is called exactly once: with the answer, with ECANCELED if it was withdrawn before it was
 *   sent, or with the failure that closed the connection;
 * - a result reaches its caller only in the shape that the method table promises; an answer of another shape, or to
 *   a request that is not under way, closes the connection (PROTOCOL).
 *
 * One Client is one connection; reconnecting is for its user. Ids of requests count from 1 on each: the login's.
 */
import type { Socket } from 'node:net';
import type { AeadProvider } from '../transport/aead.js';
import { Channel, type CipherKeys } from '../transport/channel.js';
import { encodeNotification, encodeRequest, type Data, type OutgoingMessage } from '../codec.js';
import type { IncomingMessage, ResponseMessage } from '../codec.js';
import type { ConnectorOptions } from '../transport/connector.js';
import { Failure } from '../failure.js';
import { bytesAnswered, bytesAsked } from './file-data.js';
import { Keepalive } from './keepalive.js';
import { MAX_RECORD, MAX_RECORD_BEFORE_LOGIN } from '../limits.js';
import { isNotificationName, METHODS, NOTIFICATIONS } from '../methods.js';
import { loginParams, loginResult, type LoginRequest, type LoginResult } from './login-call.js';
import type { LeaseItem, MethodName, Result } from '../methods.js';
import { LOGIN_ID, RequestIds } from './request-ids.js';
import type { Shape } from '../shape.js';
import type { Share } from '../shares.js';
import { CallWindow, weightOf, type Weight } from './window.js';

/** What the server pushes; some of it before `connect` has resolved. */
export interface NotificationHandlers {
  /** From now on these leases are held. */
  lease?(items: LeaseItem[]): void;
  /** Others wait for these to be given back, down to the mode given. */
  recall?(items: LeaseItem[]): void;
  /** All operations of the log up to this one are on the server's disk. */
  durable?(number: number): void;
  /** What was granted and is not used is to be given back. */
  ungrant?(): void;
  /** Bytes used, soft limit, and seconds of grace that are left; null: the use is within it again. */
  softLimit?(used: number, softBytes: number, graceLeft: number | null): void;
  /** These are the user's shares from now on; only in a session of the user's own home. */
  shares?(shares: readonly Share[]): void;
  /** The server lives, and answers nothing for now: not even a ping. */
  busy?(): void;
  /** The place in the queue, 1 is next; only before the answer of login. */
  queued?(place: number): void;
  shutdown?(reason: string, again: boolean): void;
}

export interface ClientOptions {
  readonly aead: AeadProvider;
  readonly notifications?: NotificationHandlers;
  /** Something is sent at least so often; a server that is silent for twice as long is dropped. Default: KEEPALIVE_MS. */
  readonly keepaliveMs?: number;
}

export interface ConnectOptions extends ConnectorOptions, ClientOptions {
  readonly login: LoginRequest;
}

/** An encrypted connection, as it is handed from one who had it to the next. */
export interface Detached {
  readonly socket: Socket;
  readonly keys: CipherKeys;
  readonly leftover: Buffer;
}

/** Gets the answer: a failure or a result. Buffers in a result are views, valid only during the call. */
export type Done<M extends MethodName> = (
  failure: Failure | undefined,
  result: Result<M> | undefined,
) => void;

interface Call {
  readonly method: MethodName;
  readonly weight: Weight;
  /** Bytes of file data that were asked for: no more may come. */
  readonly asked: number;
  /** The result is passed on as it travelled. */
  readonly isRelayed: boolean;
  readonly done: (failure: Failure | undefined, result: unknown) => void;
}

export class Client {
  readonly #socket: Socket;
  readonly #channel: Channel;
  readonly #keepalive: Keepalive;
  readonly #notifications: NotificationHandlers;
  readonly #window = new CallWindow<OutgoingMessage>();
  /** Without an answer: sent or waiting in the window. */
  readonly #calls = new Map<number, Call>();
  readonly #ids = new RequestIds();
  #closing = false;
  #closeFailure: Failure | undefined;
  #session: LoginResult | undefined;
  #loginFailure: Failure | undefined;

  /** Resolves when the connection is closed and all calls are done; undefined where this side closed it. */
  readonly closed: Promise<Failure | undefined>;
  #resolveClosed: (failure: Failure | undefined) => void = () => {};

  /**
   * Connects, shakes hands and logs in. Where the server refuses the first try with ENOKEY or EKEYREJECTED the
   * client is returned with `loginFailure`, for other tries; other refusals, and all that openConnection throws,
   * are thrown. Who goes over a session that is there (`over`) does not load the handshake.
   */
  static async connect(options: ConnectOptions): Promise<Client> {
    const firstRequest = Buffer.concat(encodeRequest(LOGIN_ID, 'login', loginParams(options.login)));
    const { openConnection } = await import('../transport/connector.js');
    const client = new Client(await openConnection(options, firstRequest), options, MAX_RECORD_BEFORE_LOGIN);
    const onAbort = (): void => client.#channel.destroy(new Failure('ECANCELED', 'logging in was cancelled'));
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted === true) onAbort();
    try {
      await new Promise<void>((resolve, reject) => {
        client.#calls.set(LOGIN_ID, client.#loginCall(resolve, reject));
      });
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (!client.open || (failure.kind !== 'ENOKEY' && failure.kind !== 'EKEYREJECTED')) {
        client.#closing = true;
        client.#channel.destroy();
        throw failure;
      }
      client.#loginFailure = failure;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
    return client;
  }

  /** Goes on with a connection that is logged in already, where another Client stopped: see detach(). */
  static over(connection: Detached, options: ClientOptions): Client {
    return new Client(connection, options, MAX_RECORD);
  }

  private constructor(connection: Detached, options: ClientOptions, maxRecord: number) {
    const { keys } = connection;
    this.#socket = connection.socket;
    this.#notifications = options.notifications ?? {};
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#channel = new Channel(connection.socket, {
      keys,
      aead: options.aead,
      leftover: connection.leftover,
      maxRecord,
      events: {
        onMessage: (message) => this.#onMessage(message),
        onClose: (failure) => this.#onClose(failure),
      },
    });
    keys.sendKey.fill(0);
    keys.receiveKey.fill(0);
    this.#keepalive = new Keepalive(this.#channel, {
      ...(options.keepaliveMs === undefined ? {} : { intervalMs: options.keepaliveMs }),
      probe: () => this.request('ping', [], undefined, () => {}),
    });
  }

  /** Why the first try to log in failed (ENOKEY, EKEYREJECTED), until another succeeds. */
  get loginFailure(): Failure | undefined {
    return this.#loginFailure;
  }

  /** What the login gave; of shares what is so by now. Throws ENOTCONN before it succeeded, and where it was another Client's. */
  get session(): LoginResult {
    if (this.#session === undefined) throw new Failure('ENOTCONN', 'not logged in');
    return this.#session;
  }

  /** Tries again to log in. Throws EKEYREJECTED and the like; the server closes after three tries. */
  async login(request: LoginRequest): Promise<LoginResult> {
    await new Promise<void>((resolve, reject) => {
      const { done } = this.#loginCall(resolve, reject);
      this.request('login', loginParams(request), undefined, done as Done<'login'>);
    });
    this.#loginFailure = undefined;
    return this.session;
  }

  /**
   * Sends a request, or queues it where the window is full. `params` are in their wire form; `data` is the last
   * parameter where that is file data, and may be changed when this returns. `done` is called later, in the receive path,
   * and must not throw. Returns the id, for `cancel`. Throws EOVERFLOW for what is too long.
   */
  request<M extends MethodName>(
    method: M,
    params: readonly unknown[],
    data: Data | undefined,
    done: Done<M>,
  ): number {
    // The table of results makes what done gets a Result<M>.
    return this.#begin(method, params, data, false, done as Call['done']);
  }

  /**
   * `request` of somebody else, who checks the result: `done` gets it as it travelled. `params` are as they travelled, too: no shape
   * may have changed them.
   */
  relay(method: MethodName, params: readonly unknown[], done: Call['done']): number {
    return this.#begin(method, params, undefined, true, done);
  }

  #begin(
    method: MethodName,
    params: readonly unknown[],
    data: Data | undefined,
    isRelayed: boolean,
    done: Call['done'],
  ): number {
    const id = this.#ids.take(this.#calls);
    if (!this.open) {
      queueMicrotask(() => done(this.#whyClosed(), undefined));
      return id;
    }
    const message = encodeRequest(id, method, params, data);
    this.#channel.requireFits(message);
    const weight = weightOf(method, params, data);
    if (this.#window.admit(weight)) this.#channel.send(message);
    else if (data === undefined) this.#window.wait(id, weight, message);
    else this.#window.wait(id, weight, encodeRequest(id, method, params, copyData(data)));
    this.#calls.set(id, { method, weight, asked: bytesAsked(method, params), isRelayed, done });
    return id;
  }

  /** `request` as a promise; bytes in the result are copies. `signal` cancels: ECANCELED if the server could. */
  call<M extends MethodName>(
    method: M,
    params: readonly unknown[],
    options: { data?: Data; signal?: AbortSignal } = {},
  ): Promise<Result<M>> {
    const { data, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(cancelled());
        return;
      }
      const onAbort = (): void => this.cancel(id);
      const id = this.request(method, params, data, (failure, result) => {
        signal?.removeEventListener('abort', onAbort);
        if (failure === undefined) resolve(copyBuffers(result) as Result<M>);
        else reject(failure);
      });
      signal?.addEventListener('abort', onAbort);
    });
  }

  /**
   * The answer of request `id` is not wanted any more. It still comes: ECANCELED, or what it was too late to stop.
   */
  cancel(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (this.#window.withdraw(id)) {
      this.#calls.delete(id);
      queueMicrotask(() => call.done(cancelled(), undefined));
      this.#sendWaiting();
    } else {
      this.#channel.send(encodeNotification('cancel', [id]));
    }
  }

  /** Bytes sent that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#channel.bufferedBytes;
  }

  /** Closes when what was sent is with the kernel. Calls without an answer fail with ENOTCONN. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#channel.end();
  }

  /**
   * Gives the connection away and is closed then: see Channel.detach() for what is to be done in the same tick. Throws EAGAIN where
   * a call has no answer yet, as that would come to somebody else.
   */
  detach(): Detached {
    if (!this.open) throw this.#whyClosed();
    if (this.#calls.size > 0) throw new Failure('EAGAIN', 'calls are under way');
    const detached = { socket: this.#socket, ...this.#channel.detach() };
    this.#closing = true;
    this.#onClose(undefined);
    return detached;
  }

  /** Closes at once. Calls without an answer fail with `failure`. */
  destroy(failure: Failure): void {
    this.#channel.destroy(failure);
  }

  /** Whether requests can be answered. False before `done` of those that will not be is called. */
  get open(): boolean {
    return !this.#closing && this.#closeFailure === undefined;
  }

  #whyClosed(): Failure {
    return this.#closeFailure ?? new Failure('ENOTCONN', 'the connection is closed');
  }

  #loginCall(resolve: () => void, reject: (failure: Failure) => void): Call {
    return {
      method: 'login',
      weight: weightOf('login', []),
      asked: 0,
      isRelayed: false,
      done: (failure, result) => {
        if (failure === undefined) {
          this.#session = loginResult(result as Result<'login'>);
          // At once: the next record may already use it.
          this.#channel.maxRecord = MAX_RECORD;
          resolve();
        } else {
          reject(failure);
        }
      },
    };
  }

  #onMessage(message: IncomingMessage): void {
    switch (message.kind) {
      case 'response':
        this.#onResponse(message);
        break;
      case 'notification':
        this.#onNotification(message.method, message.params);
        break;
      case 'request':
        throw new Failure('PROTOCOL', 'the server sent a request');
    }
  }

  #onResponse({ id, error, result }: ResponseMessage): void {
    const call = this.#calls.get(id);
    if (call === undefined || this.#window.isWaiting(id)) {
      throw new Failure('PROTOCOL', `the server answered request ${id}, which is not under way`);
    }
    const { method, isRelayed } = call;
    const shaped =
      error === undefined && !isRelayed
        ? expectShape<unknown>(METHODS[method].result, result, method)
        : undefined;
    if (shaped !== undefined && bytesAnswered(method, shaped) > call.asked) {
      throw new Failure('PROTOCOL', `the server sent more than ${method} asked for`);
    }
    this.#calls.delete(id);
    this.#window.leave(call.weight);
    this.#sendWaiting();
    call.done(error, isRelayed ? result : shaped);
  }

  #sendWaiting(): void {
    for (let message = this.#window.next(); message !== undefined; message = this.#window.next()) {
      this.#channel.send(message);
    }
  }

  /** Notifications that this version does not know are passed over: a later one may have more. */
  #onNotification(method: string, params: unknown): void {
    if (!isNotificationName(method)) return;
    switch (method) {
      case 'lease': {
        const [items] = expectShape(NOTIFICATIONS.lease.params, params, method);
        this.#notifications.lease?.(items);
        break;
      }
      case 'recall': {
        const [items] = expectShape(NOTIFICATIONS.recall.params, params, method);
        this.#notifications.recall?.(items);
        break;
      }
      case 'durable': {
        const [number] = expectShape(NOTIFICATIONS.durable.params, params, method);
        this.#notifications.durable?.(number);
        break;
      }
      case 'ungrant':
        expectShape(NOTIFICATIONS.ungrant.params, params, method);
        this.#notifications.ungrant?.();
        break;
      case 'softLimit': {
        const told = expectShape(NOTIFICATIONS.softLimit.params, params, method);
        this.#notifications.softLimit?.(...told);
        break;
      }
      case 'shares': {
        const [shares] = expectShape(NOTIFICATIONS.shares.params, params, method);
        if (this.#session !== undefined) this.#session = { ...this.#session, shares };
        this.#notifications.shares?.(shares);
        break;
      }
      case 'busy':
        expectShape(NOTIFICATIONS.busy.params, params, method);
        this.#notifications.busy?.();
        break;
      case 'queued': {
        const [place] = expectShape(NOTIFICATIONS.queued.params, params, method);
        this.#notifications.queued?.(place);
        break;
      }
      case 'shutdown': {
        const [reason, again] = expectShape(NOTIFICATIONS.shutdown.params, params, method);
        this.#notifications.shutdown?.(reason, again);
        break;
      }
      case 'cancel':
        throw new Failure('PROTOCOL', 'the server sent a cancel');
    }
  }

  #onClose(failure: Failure | undefined): void {
    this.#keepalive.stop();
    if (!this.#closing) {
      this.#closeFailure = failure ?? new Failure('ECONNRESET', 'the server closed the connection');
    }
    this.#closing = true;
    const why = this.#whyClosed();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.done(why, undefined);
    this.#resolveClosed(this.#closeFailure);
  }
}

function cancelled(): Failure {
  return new Failure('ECANCELED', 'the call was cancelled');
}

/** What the server sent, in the shape it has to have; another shape is a fault of the server. */
function expectShape<T>(shape: Shape<T>, value: unknown, method: string): T {
  try {
    return shape(value);
  } catch (cause) {
    throw new Failure('PROTOCOL', `the server's ${method} has a wrong shape`, { cause });
  }
}

function copyData(data: Data): Data {
  return data instanceof Uint8Array ? Buffer.from(data) : data.map((piece) => Buffer.from(piece));
}

/** A result with the views in it replaced by copies. Only lists hold them. */
function copyBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copyBuffers) : value;
}

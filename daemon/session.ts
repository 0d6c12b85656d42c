/*
 * One session: the requests of one authenticated connection, checked, run on the user's home, and answered.
 *
 * Invariants:
 * - every request is answered once, in any order; what others must know of a change is sent to them before;
 * - a call that changes something is applied once, even when it is sent again over a new connection;
 * - what a peer can make this process hold is bounded: MAX_CALLS and MAX_BYTES_IN_FLIGHT unanswered (more is a fault of
 *   the protocol), and no more is read while MAX_UNSENT bytes of answers wait for it.
 *
 * Most methods are answered within onMessage, from the message's own bytes.
 * Calls that are answered so are never counted in flight: only those that go on on other threads are.
 */
import type { Channel, ChannelEvents } from '../protocol/channel.js';
import {
  encodeNotification,
  encodeResponse,
  type IncomingMessage,
  type NotificationMessage,
  type RequestMessage,
} from '../protocol/codec.js';
import { Failure } from '../protocol/failure.js';
import { Keepalive } from '../protocol/keepalive.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS } from '../protocol/limits.js';
import {
  CHANGED_ALL,
  isMethodName,
  METHODS,
  NOTIFICATIONS,
  type Change,
  type MethodName,
} from '../protocol/methods.js';
import { fileDataBytes } from '../protocol/window.js';
import type { Outcome } from './home/answers.js';
import { Call } from './home/call.js';
import type { ClientSession, HomeClient } from './home/clients.js';
import { HANDLERS, LentData, type Answer, type HomeMethod } from './home/dispatch.js';
import type { Log } from './log.js';
import type { UserHome } from './home/user-home.js';

/** Bytes of answers that wait for the peer, from which on no more of its requests are read. */
const MAX_UNSENT = 4 * 1024 * 1024;
/** How long a shutdown waits for calls that are being worked on (milliseconds). */
const SHUTDOWN_MS = 5_000;

/** Methods that do something each time they are called: their answers are kept for who asks again. */
const NOT_REPEATABLE: ReadonlySet<MethodName> = new Set([
  ...(Object.keys(METHODS) as MethodName[]).filter((name) => METHODS[name].mutates),
  'open',
  'download',
  'close',
  'readdirNext',
]);

export interface SessionOptions {
  /** Makes the channel; called once, by the constructor. */
  readonly open: (events: ChannelEvents) => Channel;
  readonly home: UserHome;
  /** The login that was accepted: answered here, as the home knows the answer. */
  readonly login: {
    readonly requestId: number;
    readonly clientId: Uint8Array;
    readonly wantsNotifications: boolean;
    readonly lowestUnanswered: number;
  };
  /** ADDRESS:PORT, for logs. */
  readonly peer: string;
  readonly serverVersion: string;
  /** 8 bytes: another value means that handles and unsynced data of before are gone. */
  readonly bootVerifier: Uint8Array;
  readonly log: Log;
  /** Milliseconds (KEEPALIVE_MS): a peer silent for twice as long is dropped. */
  readonly keepaliveMs?: number;
}

/** What a session did, for status. */
export interface Activity {
  readonly requests: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Milliseconds since 1970. */
  readonly lastRequestAt: number;
}

interface Deferred {
  readonly id: number;
  readonly method: HomeMethod;
  readonly params: unknown;
  readonly call: Call;
}

export class Session implements ClientSession {
  readonly wantsNotifications: boolean;
  /** Resolves when the connection is gone and the home has let go of the session. */
  readonly closed: Promise<Failure | undefined>;
  readonly #home: UserHome;
  readonly #clientId: Uint8Array;
  readonly #client: HomeClient;
  readonly #channel: Channel;
  readonly #keepalive: Keepalive;
  readonly #log: Log;
  readonly #peer: string;
  #resolveClosed: (failure: Failure | undefined) => void = () => undefined;
  /** Calls that are not answered yet. */
  readonly #calls = new Map<number, Call>();
  /** Calls that wait until the home may be changed. */
  #deferred: Deferred[] = [];
  #bytesInFlight = 0;
  #paused = false;
  /** Changes could not be told, for the peer does not read. */
  #changesLost = false;
  #stopping = false;
  #onIdle: (() => void) | undefined;
  #requests = 0;
  #lastRequestAt = Date.now();

  constructor(options: SessionOptions) {
    const { home, login } = options;
    this.#home = home;
    this.#clientId = login.clientId;
    this.#log = options.log;
    this.#peer = options.peer;
    this.wantsNotifications = login.wantsNotifications;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#channel = options.open({
      onMessage: (message) => this.#receive(message),
      onDrain: () => this.#drained(),
      onClose: (failure) => this.#ended(failure),
    });
    this.#keepalive = new Keepalive(
      this.#channel,
      options.keepaliveMs === undefined ? {} : { intervalMs: options.keepaliveMs },
    );
    const { client, resumed } = home.attach(login.clientId, this, login.lowestUnanswered);
    this.#client = client;
    const result = [options.serverVersion, options.bootVerifier, resumed, home.rootAttributes()];
    this.#channel.send(encodeResponse(login.requestId, undefined, result));
    client.catchUp();
  }

  get activity(): Activity {
    return {
      requests: this.#requests,
      bytesReceived: this.#channel.receivedBytes,
      bytesSent: this.#channel.sentBytes,
      lastRequestAt: this.#lastRequestAt,
    };
  }

  /** Tells the peer, finishes what is being worked on, closes. `again`: connecting again makes sense. */
  async shutdown(reason: string, again: boolean): Promise<void> {
    this.#stopping = true;
    for (const { id } of this.#deferred) this.#calls.delete(id);
    this.#deferred = [];
    this.#channel.send(encodeNotification('shutdown', [reason, again]));
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, SHUTDOWN_MS);
        this.#onIdle = () => {
          clearTimeout(deadline);
          resolve();
        };
      });
    }
    await this.#channel.end();
    await this.closed;
  }

  notify(changes: readonly Change[]): void {
    if (this.#channel.bufferedBytes <= MAX_UNSENT) {
      this.#channel.send(encodeNotification('changed', [changes]));
      return;
    }
    // Once is enough until it reads again: what changes until then is told by another one (drained).
    if (!this.#changesLost) this.#channel.send(encodeNotification('changed', [[[CHANGED_ALL]]]));
    this.#changesLost = true;
  }

  supersede(): void {
    this.#channel.destroy(new Failure('ECONNABORTED', 'another connection of this client took over'));
  }

  /** Throws PROTOCOL, which closes the channel. */
  #receive(message: IncomingMessage): void {
    switch (message.kind) {
      case 'request':
        this.#request(message);
        break;
      case 'notification':
        this.#notification(message);
        break;
      case 'response':
        throw new Failure('PROTOCOL', 'an answer to a call that was never made');
    }
  }

  #notification({ method, params }: NotificationMessage): void {
    if (method !== 'cancel') return;
    const [id] = protocolFault(() => NOTIFICATIONS.cancel.params(params));
    this.#calls.get(id)?.cancel();
  }

  #request({ id, method, params }: RequestMessage): void {
    // What comes after the notice of shutdown is not begun: the client asks again elsewhere.
    if (this.#stopping) return;
    this.#requests += 1;
    this.#lastRequestAt = Date.now();
    if (!isMethodName(method)) return this.#refuse(id, new Failure('ENOSYS', 'no such method'));
    // Before the limit, which it does not count for: it is what a client with a full window says that it lives.
    if (method === 'ping') return this.#send(id, { failure: undefined, result: null });
    if (this.#calls.size >= MAX_CALLS) throw new Failure('PROTOCOL', `more than ${MAX_CALLS} calls at once`);
    if (this.#calls.has(id)) throw new Failure('PROTOCOL', 'the id of a call that is not answered yet');
    if (method === 'login') return this.#refuse(id, new Failure('EINVAL', 'logged in already'));
    let checked: unknown;
    try {
      // Before anything else: also what waits, or is asked for again, must be well formed for its bytes to be counted.
      checked = METHODS[method].params(params);
    } catch (thrown) {
      return this.#refuse(id, this.#failureOf(thrown, method));
    }
    if (this.#home.counting || this.#deferred.length > 0) return this.#defer(id, method, checked);
    this.#run(id, method, checked, new Call());
  }

  /** `params` as the row of METHODS yields them. */
  #run(id: number, method: HomeMethod, params: unknown, call: Call): void {
    const keeps = NOT_REPEATABLE.has(method);
    let answer: Answer | Promise<Answer>;
    try {
      call.throwIfCancelled();
      const former = keeps ? this.#client.answers.find(id) : undefined;
      if (former !== undefined) return this.#repeat(id, former);
      // Each handler takes what the same row of METHODS yields.
      answer = HANDLERS[method](this.#home, this.#client, params as never, call);
      if (answer instanceof Promise) return this.#await(id, method, params, call, answer);
    } catch (thrown) {
      this.#finish(id, keeps, call, { failure: this.#failureOf(thrown, method), result: null });
      return;
    }
    if (answer instanceof LentData) this.#sendData(id, answer);
    else this.#finish(id, keeps, call, { failure: undefined, result: answer });
  }

  /** Answers later. */
  #await(id: number, method: HomeMethod, params: unknown, call: Call, answer: Promise<Answer>): void {
    const bytes = fileDataBytes(method, params as readonly unknown[]);
    this.#calls.set(id, call);
    this.#bytesInFlight += bytes;
    const outcome = answer.then(
      (result): Outcome => ({ failure: undefined, result }),
      (thrown): Outcome => ({ failure: this.#failureOf(thrown, method), result: null }),
    );
    if (NOT_REPEATABLE.has(method)) this.#client.answers.run(id, outcome);
    void outcome.then((ended) => {
      this.#bytesInFlight -= bytes;
      this.#answered(id);
      if (ended.result instanceof LentData) this.#sendData(id, ended.result);
      else this.#home.changes.whenTold(() => this.#send(id, ended));
    });
    if (this.#bytesInFlight > MAX_BYTES_IN_FLIGHT) {
      throw new Failure('PROTOCOL', `more than ${MAX_BYTES_IN_FLIGHT} bytes at once`);
    }
  }

  /** Answers a call that an earlier connection made. */
  #repeat(id: number, former: Outcome | Promise<Outcome>): void {
    if (!(former instanceof Promise)) return this.#send(id, former);
    this.#calls.set(id, new Call());
    void former.then((ended) => {
      this.#answered(id);
      this.#send(id, ended);
    });
  }

  #defer(id: number, method: HomeMethod, params: unknown): void {
    const deferred = { id, method, params: copyOf(params), call: new Call() };
    this.#calls.set(id, deferred.call);
    this.#bytesInFlight += fileDataBytes(method, params as readonly unknown[]);
    if (this.#bytesInFlight > MAX_BYTES_IN_FLIGHT) {
      throw new Failure('PROTOCOL', `more than ${MAX_BYTES_IN_FLIGHT} bytes at once`);
    }
    this.#deferred.push(deferred);
    if (this.#deferred.length === 1) void this.#home.whenChangeable().then(() => this.#runDeferred());
  }

  #runDeferred(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const { id, method, params, call } of deferred) {
      this.#bytesInFlight -= fileDataBytes(method, params as readonly unknown[]);
      this.#answered(id);
      try {
        this.#run(id, method, params, call);
      } catch (thrown) {
        this.#channel.destroy(Failure.from(thrown));
        return;
      }
    }
  }

  #finish(id: number, keeps: boolean, call: Call, outcome: Outcome): void {
    if (keeps) this.#client.answers.keep(id, call.repeat ?? { outcome: () => outcome });
    this.#home.changes.whenTold(() => this.#send(id, outcome));
  }

  #refuse(id: number, failure: Failure): void {
    this.#send(id, { failure, result: null });
  }

  #send(id: number, { failure, result }: Outcome): void {
    this.#channel.send(encodeResponse(id, failure, result));
    this.#sent();
  }

  #sendData(id: number, { lent }: LentData): void {
    this.#channel.send(encodeResponse(id, undefined, null, lent.bytes));
    lent.release();
    this.#sent();
  }

  #sent(): void {
    if (this.#paused || this.#channel.bufferedBytes <= MAX_UNSENT) return;
    this.#paused = true;
    this.#channel.pause();
  }

  #drained(): void {
    if (this.#changesLost) {
      this.#changesLost = false;
      this.notify([[CHANGED_ALL]]);
    }
    if (!this.#paused) return;
    this.#paused = false;
    this.#channel.resume();
  }

  #answered(id: number): void {
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#onIdle?.();
  }

  #ended(failure: Failure | undefined): void {
    this.#keepalive.stop();
    this.#stopping = true;
    this.#deferred = [];
    for (const [id, call] of this.#calls) {
      // A call that changes something goes on: its client may come back for the answer.
      if (!this.#client.answers.isRunning(id)) call.cancel();
    }
    this.#onIdle?.();
    this.#home.detach(this.#clientId, this);
    this.#resolveClosed(failure);
  }

  #failureOf(thrown: unknown, method: MethodName): Failure {
    const failure = Failure.from(thrown);
    if (failure.kind === 'EIO') {
      this.#log.error(
        { error: failure.cause ?? failure, peer: this.#peer, user: this.#home.user, method },
        'a call failed',
      );
    }
    return failure;
  }
}

/** A notification has no answer: what is wrong with it can only close the connection. */
function protocolFault<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new Failure('PROTOCOL', Failure.from(error).message, { cause: error });
  }
}

/** Parameters that outlive their message. */
function copyOf(params: unknown): unknown {
  if (Buffer.isBuffer(params)) return Buffer.from(params);
  return Array.isArray(params) ? params.map(copyOf) : params;
}

/*
 * One session: the requests of one authenticated connection, checked, run on the user's home, and answered.
 *
 * Invariants:
 * - every request is answered once, in any order; what the client holds from then on is told before (`lease`);
 * - the operations of a log and those sent behind it see each other in the order in which they were sent: what comes behind a
 *   log that is not carried out yet waits, as all does while the home is counted;
 * - what a peer can make this process hold is bounded: what is unanswered by the window (more is a fault of the protocol),
 *   and no more is read while so many answers wait for it that others have need of the memory (Backlog);
 * - whose requests wait is not dropped for what is not read of it meanwhile, and is told that the server lives (`busy`). That ends
 *   with the count or the log that they wait for, and with a client that does not take what it is told;
 * - of a user who has moved more than the bandwidth allows no session is read from for a while (Pace);
 * - all the sessions of a user hold the thread for some milliseconds at a time, whatever they are sent at once (Turns).
 *
 * Most methods are answered within onMessage, from the message's own bytes.
 * Calls that are answered so are never counted as under way: only those that go on on other threads, or wait.
 */
import type { Channel, ChannelEvents } from '../../protocol/transport/channel.js';
import {
  encodeNotification,
  encodeResponse,
  type IncomingMessage,
  type NotificationMessage,
  type RequestMessage,
} from '../../protocol/codec.js';
import { Failure } from '../../protocol/failure.js';
import type { UserName } from '../../protocol/ids.js';
import { Keepalive } from '../../protocol/session/keepalive.js';
import {
  isMethodName,
  METHODS,
  NOTIFICATIONS,
  type LeaseMode,
  type MethodName,
  type NotificationName,
  type NotificationParams,
} from '../../protocol/methods.js';
import { packShare, type Share } from '../../protocol/shares.js';
import { packDiskLimits } from '../../protocol/disk-limits.js';
import type { SessionActivity } from '../../state/control.js';
import { withDeadline } from '../deadline.js';
import { Hearing } from './hearing.js';
import { Backlog } from '../home/calls/backlog.js';
import { Call } from '../home/calls/call.js';
import { copyOf } from '../home/calls/copies.js';
import { answer, LentData, type Answer, type HomeMethod } from '../home/dispatch.js';
import { isBehindLog } from '../home/leases/grace.js';
import type { ClientSession, HomeClient } from '../home/home-client.js';
import type { TurnTaker } from '../home/calls/turns.js';
import type { UserHome } from '../home/user-home.js';
import type { Log } from '../log.js';
import { count, took } from '../measures.js';
import type { Pace, Paced } from './pace.js';
import { packedNotification } from './packed-notification.js';
import { loadOf, sizeOf, Underway, type Load } from './underway.js';

/** How long a shutdown waits for calls that are being worked on (milliseconds). */
const SHUTDOWN_MS = 5_000;

export interface SessionOptions {
  /** Makes the channel; called once, by the constructor, unless it throws. */
  readonly open: (events: ChannelEvents) => Channel;
  readonly user: UserName;
  readonly home: UserHome;
  readonly pace: Pace;
  /** The login that was accepted: answered here, as the home knows the answer. */
  readonly login: {
    readonly requestId: number;
    readonly clientId: Uint8Array;
    readonly leaseWanted: LeaseMode;
  };
  readonly shares: readonly Share[];
  /** The user may change nothing in the home. */
  readonly isReadOnly: boolean;
  /** ADDRESS:PORT, for logs. */
  readonly peer: string;
  readonly serverVersion: string;
  /** 8 bytes: another value means that handles and undurable changes of before are gone. */
  readonly bootVerifier: Uint8Array;
  readonly log: Log;
  /** Milliseconds (KEEPALIVE_MS): a peer silent for twice as long is dropped. */
  readonly keepaliveMs?: number;
}

interface Deferred {
  readonly id: number;
  readonly method: HomeMethod | 'logout';
  /** As the row of METHODS yields them. */
  readonly params: unknown;
  /** Bytes that it takes while it waits. */
  readonly size: number;
  readonly load: Load;
  readonly call: Call;
}

export class Session implements ClientSession, TurnTaker, Paced {
  /** Resolves when the connection is gone and the home has let go of the session. */
  readonly closed: Promise<Failure | undefined>;
  readonly user: UserName;
  readonly isReadOnly: boolean;
  readonly #home: UserHome;
  readonly #client: HomeClient;
  readonly #channel: Channel;
  readonly #keepalive: Keepalive;
  readonly #hearing: Hearing;
  readonly #log: Log;
  readonly #peer: string;
  #resolveClosed: (failure: Failure | undefined) => void = () => undefined;
  /** Calls that are not answered yet. */
  readonly #calls = new Map<number, Call>();
  readonly #underway = new Underway();
  readonly #backlog = new Backlog();
  /** Calls that wait until the home may be changed, and the log before them is carried out. */
  #deferred: Deferred[] = [];
  /** An `apply` is being carried out. */
  #applying = false;
  #stopping = false;
  #shutdown: Promise<void> | undefined;
  /** The client logs out when the shutdown ends. */
  #isOver = false;
  #onIdle: (() => void) | undefined;
  #requests = 0;
  readonly #pace: Pace;
  /** Bytes that the pace knows of; undefined: there was no limit. */
  #paced: number | undefined;
  /** Bytes that the thread's measures know of. */
  #counted = { received: 0, sent: 0 };

  constructor(options: SessionOptions) {
    const { home, pace, login } = options;
    this.user = options.user;
    this.isReadOnly = options.isReadOnly;
    this.#home = home;
    this.#pace = pace;
    this.#log = options.log;
    this.#peer = options.peer;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    // First, for they may fail: who has the connection then answers the login.
    const root = home.rootAttributes();
    const { client, resumed, leased, covered } = home.attach(login.clientId, this, login.leaseWanted);
    this.#client = client;
    this.#channel = options.open({
      onMessage: (message) => this.#receive(message),
      onDrain: () => this.#drained(),
      onClose: (failure) => this.#ended(failure),
    });
    this.#hearing = new Hearing({
      channel: this.#channel,
      backlog: this.#backlog,
      tellBusy: () => {
        this.notify('busy', []);
        this.#sent();
      },
    });
    this.#keepalive = new Keepalive(this.#channel, {
      ...(options.keepaliveMs === undefined ? {} : { intervalMs: options.keepaliveMs }),
      hears: () => !this.#hearing.tellsBusy,
    });
    const { serverVersion, bootVerifier } = options;
    const applied = client.marks?.applied ?? 0;
    const result = [
      ...[serverVersion, bootVerifier, resumed, root, applied],
      ...[leased, covered, home.leaseTermMs, packDiskLimits(home.disk), home.maxOpenFiles],
      options.shares.map(packShare),
    ];
    this.#channel.send(encodeResponse(login.requestId, undefined, result));
    home.turns.join(this);
    pace.join(this);
    home.entered(client);
  }

  get activity(): SessionActivity {
    return {
      requests: this.#requests,
      bytesReceived: this.#channel.receivedBytes,
      bytesSent: this.#channel.sentBytes,
    };
  }

  /** Adds to the thread's measures what came and went since the last time: not with each message, which would cost more. */
  countTraffic(): void {
    const { receivedBytes: received, sentBytes: sent } = this.#channel;
    count('bytesReceived', received - this.#counted.received);
    count('bytesSent', sent - this.#counted.sent);
    this.#counted = { received, sent };
  }

  /** Tells the peer, finishes what is being worked on, closes. `again`: connecting again makes sense. `isOver`: this client is. */
  shutdown(reason: string, again: boolean, isOver = false): Promise<void> {
    this.#isOver ||= isOver;
    return (this.#shutdown ??= this.#shutDown(reason, again));
  }

  async #shutDown(reason: string, again: boolean): Promise<void> {
    this.#stopping = true;
    for (const deferred of this.#deferred.splice(0)) this.#withdraw(deferred);
    this.#channel.send(encodeNotification('shutdown', [reason, again]));
    // The client asks for those again, elsewhere.
    const unhurried = [...this.#calls].filter(([, { waitsForOthers }]) => waitsForOthers);
    for (const [id] of unhurried) this.#calls.delete(id);
    if (this.#calls.size > 0) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, SHUTDOWN_MS);
        this.#onIdle = () => {
          clearTimeout(deadline);
          resolve();
        };
      });
    }
    if (this.#isOver) {
      // Whoever it comes back as would make again, or tell as lost, what it is not told to be on the disk.
      await withDeadline(
        SHUTDOWN_MS,
        this.#home.durability.sync().catch(() => undefined),
      );
      this.#home.logout(this.#client);
    }
    await this.#channel.end();
    await this.closed;
    for (const [, call] of unhurried) call.cancel();
  }

  notify<N extends NotificationName>(name: N, params: NotificationParams<N>): void {
    this.#channel.send(encodeNotification(name, packedNotification(name, params)));
  }

  drop(failure: Failure): void {
    // What waits is not begun any more.
    this.#stopping = true;
    this.#channel.destroy(failure);
  }

  reconnect(reason: string): void {
    if (!this.#stopping) void this.shutdown(reason, true);
  }

  rest(): void {
    this.#hearing.rest();
  }

  goOn(): void {
    this.#hearing.goOn();
  }

  holdBack(): void {
    this.#hearing.holdBack();
  }

  letGo(): void {
    this.#hearing.letGo();
  }

  /** Throws PROTOCOL, which closes the channel. */
  #receive(message: IncomingMessage): void {
    const waits = this.#applying || this.#deferred.length > 0;
    this.#home.heard(this.#client, !waits && message.kind === 'request' && isBehindLog(message.method));
    switch (message.kind) {
      case 'request':
        this.#home.turns.spend(() => this.#request(message), this);
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
    if (this.#client.summary.isDue) this.#tellChanges();
    if (!isMethodName(method)) return this.#refuse(id, new Failure('ENOSYS', 'no such method'));
    if (this.#calls.has(id)) throw new Failure('PROTOCOL', 'the id of a call that is not answered yet');
    if (method === 'login') return this.#refuse(id, new Failure('EINVAL', 'logged in already'));
    let checked: unknown;
    try {
      // Before anything else: also what waits must be well formed for its bytes to be counted.
      checked = METHODS[method].params(params);
    } catch (thrown) {
      return this.#refuse(id, this.#failureOf(thrown, method));
    }
    if (method === 'ping') return this.#send(id, undefined, null);
    const waits = this.#home.counting || this.#applying || this.#deferred.length > 0;
    if (waits) return this.#defer(id, method, checked);
    this.#run(id, method, checked, new Call(this.#backlog));
  }

  #logout(id: number): void {
    this.#stopping = true;
    this.#home.logout(this.#client);
    this.#send(id, undefined, null);
    void this.#channel.end();
  }

  /** `params` as the row of METHODS yields them. */
  #run(id: number, method: HomeMethod | 'logout', params: unknown, call: Call): void {
    if (method === 'logout') return this.#logout(id);
    let result: Answer | Promise<Answer>;
    // Before the call, which may keep the parameters but need not leave them as they are.
    const load = loadOf(method, params as readonly unknown[]);
    try {
      result = answer(this.#home, this.#client, method, params, call);
    } catch (thrown) {
      measure(method, call);
      return this.#refuse(id, this.#failureOf(thrown, method));
    }
    if (result instanceof Promise) return this.#await({ id, method, load, call }, result);
    this.#answer(id, result);
    measure(method, call);
  }

  /** Answers later. Throws PROTOCOL where that is more than the window allows. */
  #await({ id, method, load, call }: Omit<Deferred, 'params' | 'size'>, result: Promise<Answer>): void {
    this.#calls.set(id, call);
    this.#applying ||= method === 'apply';
    this.#backlog.addUnderway(load.sent);
    const settled = result.then(
      (ended) => {
        this.#backlog.addUnderway(-load.sent);
        this.#answered(id, load);
        measure(method, call);
        this.#answer(id, ended);
      },
      (thrown: unknown) => {
        this.#backlog.addUnderway(-load.sent);
        this.#answered(id, load);
        measure(method, call);
        this.#refuse(id, this.#failureOf(thrown, method));
      },
    );
    if (method === 'apply') {
      void settled.then(() => {
        this.#applying = false;
        if (this.#deferred.length > 0) this.#goOnLater();
      });
    }
    this.#underway.begin(load);
  }

  #defer(id: number, method: HomeMethod | 'logout', params: unknown): void {
    const load = loadOf(method, params as readonly unknown[]);
    const size = sizeOf(params);
    const deferred = { id, method, params: copyOf(params), size, load, call: new Call(this.#backlog) };
    this.#calls.set(id, deferred.call);
    this.#underway.begin(load);
    this.#backlog.addDeferred(size);
    this.#deferred.push(deferred);
    this.#hearing.look();
    if (this.#deferred.length === 1 && !this.#applying) this.#goOnLater();
  }

  #goOnLater(): void {
    const { turns } = this.#home;
    void this.#home.whenChangeable().then(() => turns.putOff(() => this.#runDeferred()));
  }

  #runDeferred(): void {
    while (!this.#applying) {
      if (this.#home.counting) return this.#goOnLater();
      const next = this.#deferred.shift();
      if (next === undefined) return;
      this.#runNext(next);
      if (this.#home.turns.isOver) return this.#goOnLater();
    }
  }

  #runNext(deferred: Deferred): void {
    const { id, method, params, call } = deferred;
    this.#withdraw(deferred);
    // What comes behind a logout is not begun.
    if (this.#stopping) return;
    try {
      this.#home.heard(this.#client, isBehindLog(method));
      this.#run(id, method, params, call);
    } catch (thrown) {
      this.#deferred = [];
      this.#channel.destroy(Failure.from(thrown));
    }
  }

  /** It waits no more. */
  #withdraw({ id, size, load }: Deferred): void {
    this.#answered(id, load);
    this.#backlog.addDeferred(-size);
    this.#hearing.look();
  }

  #answer(id: number, result: Answer): void {
    if (result instanceof LentData) this.#sendData(id, result);
    else this.#send(id, undefined, result);
  }

  #refuse(id: number, failure: Failure): void {
    this.#send(id, failure, null);
  }

  #send(id: number, failure: Failure | undefined, result: unknown): void {
    this.#channel.send(encodeResponse(id, failure, result));
    this.#sent();
  }

  #sendData(id: number, { lent }: LentData): void {
    this.#channel.send(encodeResponse(id, undefined, null, lent.bytes));
    lent.release();
    this.#sent();
  }

  #sent(): void {
    this.#charge();
    this.#backlog.setUnsent(this.#channel.bufferedBytes);
    this.#hearing.look();
  }

  #charge(): void {
    if (!this.#pace.isLimited) return void (this.#paced = undefined);
    const moved = this.#channel.receivedBytes + this.#channel.sentBytes;
    if (this.#paced !== undefined) this.#pace.moved(moved - this.#paced);
    this.#paced = moved;
  }

  #drained(): void {
    this.#backlog.setUnsent(0);
    this.#hearing.look();
  }

  #answered(id: number, load: Load): void {
    this.#calls.delete(id);
    this.#underway.end(load);
    if (this.#calls.size === 0) this.#onIdle?.();
  }

  #ended(failure: Failure | undefined): void {
    this.countTraffic();
    this.#keepalive.stop();
    this.#hearing.close();
    this.#stopping = true;
    this.#deferred = [];
    this.#home.turns.leave(this);
    this.#pace.leave(this);
    for (const call of [...this.#calls.values()]) call.cancel();
    this.#backlog.close();
    this.#onIdle?.();
    this.#tellChanges();
    this.#home.detach(this.#client, this);
    this.#resolveClosed(failure);
  }

  #tellChanges(): void {
    const changes = this.#client.summary.take();
    if (changes !== undefined)
      this.#home.transferLog.info({ user: this.user, peer: this.#peer, ...changes }, 'changes');
  }

  #failureOf(thrown: unknown, method: MethodName): Failure {
    const failure = Failure.from(thrown);
    if (failure.kind === 'EIO') {
      this.#log.error(
        { error: failure.cause ?? failure, peer: this.#peer, user: this.user, home: this.#home.name, method },
        'a call failed',
      );
    }
    return failure;
  }
}

/** The call is answered, or about to be. */
function measure(method: MethodName, { began }: Call): void {
  took(method, performance.now() - began);
}

/** A notification has no answer: what is wrong with it can only close the connection. */
function protocolFault<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new Failure('PROTOCOL', Failure.from(error).message, { cause: error });
  }
}

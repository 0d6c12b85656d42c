/**
 * The server as the rest of the mount sees it: always there. A lost connection is made again, and what was not answered
 * is sent again; meanwhile operations wait.
 *
 * Invariants:
 * - Requests are sent in the order in which they were made, over each connection. Those that are made `once` are the log's
 *   and the leases': their user sends them again, from listen's `connected`, before the others.
 * - A request settles once: by its answer; by EINTR when its caller is let go; by ECONNRESET, where it is made once, when
 *   its connection is lost; by ESTALE, where its connection is lost and it asked for the next page of a listing; by
 *   ETIMEDOUT after `softMs` without a word from the server; by EPROTO when the server breaks the protocol whenever it is
 *   asked; by EOVERFLOW where it is too long to be sent; or by what ended the Remote for good.
 * - `data` and the buffers of a request belong to the Remote until then: they may have to be sent again.
 * - What the server says on a connection (leases above all) is told after `connected` of that connection was called.
 */
import { randomBytes } from 'node:crypto';
import type { LoginResult } from '../../protocol/session/login-call.js';
import { Failure } from '../../protocol/failure.js';
import type { LeaseItem, MethodName, Result } from '../../protocol/methods.js';
import type { Share } from '../../protocol/shares.js';
import { fileDataBytes } from '../../protocol/session/window.js';
import { Backoff, pause, type Waits } from './backoff.js';
import { bootTime } from './boot-time.js';
import type { Connection, Hello } from './connection.js';
import { interrupted, onInterrupt, type Interruptible } from './interruption.js';
import { HeldBack } from './held-back.js';
import { Line, type ProbeTimes } from './line.js';
import { PendingCalls, type Call, type Waiting } from './pending-calls.js';
import { SoftDeadline } from './soft-deadline.js';

export interface RemoteOptions {
  /** Connects and logs in; called again after each loss. */
  connect(hello: Hello): Promise<Connection>;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
  /** After how long without a word from the server operations fail with ETIMEDOUT (milliseconds); undefined: never. */
  readonly softMs?: number | undefined;
  /** Whether a login that is refused so is not tried again: the Remote ends. Default: all are. */
  readonly isFinal?: (failure: Failure) => boolean;
  /** For tests. */
  readonly probe?: ProbeTimes;
  /** For tests. */
  readonly backoff?: Waits;
}

/** What the Remote tells its user. */
export interface RemoteEvents {
  lease(items: LeaseItem[]): void;
  recall(items: LeaseItem[]): void;
  /** Operations of the log up to this one are on the server's disk. */
  durable(number: number): void;
  ungrant(): void;
  /** See NotificationHandlers. */
  softLimit(used: number, softBytes: number, graceLeft: number | null): void;
  /** The user's shares have changed. */
  shares(shares: readonly Share[]): void;
  /** The connection was lost. Requests that are made once fail after this. */
  lost(): void;
  /**
   * There is one again. Requests that are made once are sent at once, all others when this is done: so it must not wait for
   * those. `sameServer`: it was not restarted.
   */
  connected(session: LoginResult, sameServer: boolean): void | Promise<void>;
  /** There will be none any more. */
  ended(failure: Failure): void;
}

/** Buffers in the result are views, valid only during the call. */
export type Done<M extends MethodName> = (
  failure: Failure | undefined,
  result: Result<M> | undefined,
) => void;

export interface RequestOptions {
  /** Is let go (interruption.ts) with EINTR; the request goes on if it was sent. */
  readonly caller?: Interruptible | undefined;
  /** It is not sent over a second connection, and fails with ECONNRESET where there is none. */
  readonly once?: boolean;
}

/** For `ftpmount status`. */
export interface RemoteState {
  readonly connected: boolean;
  /** Since when. */
  readonly since: Date;
  /** Why the connection was lost, or why the latest try to make one failed. */
  readonly lastFailure: string | undefined;
}

/**
 * After so many faults a call fails: a server that answers it wrongly would do so forever. Not after the first one, as who
 * can change records on the way can cause faults, and should not be able to do more than end connections.
 */
const MAX_FAULTS = 3;

/** How long the server has to answer the goodbye (milliseconds). */
const LOGOUT_MS = 5_000;

export class Remote {
  readonly #options: RemoteOptions;
  readonly #clientId = randomBytes(16);
  readonly #stop = new AbortController();
  readonly #pending = new PendingCalls();
  readonly #deadline: SoftDeadline;
  #events: RemoteEvents | undefined;
  #line: Line | undefined;
  /** `connected` is not done with this connection: only what is made once is sent. */
  #resuming = false;
  /** Who waits until that is done, or the connection has gone. */
  #awaitUpToDate: (() => void)[] = [];
  /** The boot verifier of the server that has our handles. */
  #boot: Buffer | undefined;
  #state: RemoteState = { connected: false, since: new Date(), lastFailure: undefined };
  /** The one before. */
  #lostLine: Line | undefined;
  readonly #backoff: Waits;
  #era = 0;
  #connections = 0;
  /** Why there will be no connection any more. */
  #ended: Failure | undefined;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? new Backoff();
    this.#deadline = new SoftDeadline({
      pending: this.#pending,
      ms: options.softMs,
      quietSince: () => (this.#line ?? this.#lostLine)?.quietSince ?? 0,
      unreachable: () => this.#line?.suspect ?? true,
      now: bootTime,
    });
  }

  /** The first connection. Rejects with its failure. */
  async connect(): Promise<LoginResult> {
    const line = await this.#open();
    const { session } = line.connection;
    this.#boot = session.bootVerifier;
    this.#resuming = false;
    if (this.#line !== line) void this.#reconnect();
    return session;
  }

  /** Says who is told of what, from what the server said first. */
  listen(events: RemoteEvents): void {
    this.#events = events;
    if (this.#line === undefined) events.lost();
    else this.#line.ready();
  }

  /** Counts how often the server has forgotten this client: a handle is good in the era in which it was opened. */
  get era(): number {
    return this.#era;
  }

  /** How many connections there were. */
  get connections(): number {
    return this.#connections;
  }

  get connected(): boolean {
    return this.#line !== undefined;
  }

  get state(): RemoteState {
    return this.#state;
  }

  /** Why there will be no connection any more; undefined: there is one, or will be. */
  get ended(): Failure | undefined {
    return this.#ended;
  }

  /**
   * Resolves when the connection that there is has been brought up to date, or has gone; undefined: nothing is being done. A
   * server that was restarted takes what comes before for the end of what it is told again.
   */
  whenUpToDate(): Promise<void> | undefined {
    if (this.#line === undefined || !this.#resuming) return undefined;
    return new Promise((resolve) => this.#awaitUpToDate.push(resolve));
  }

  /** When the request that was answered last had been sent (boot-time.ts): the server has heard of us since. */
  lastHeardSentAt(): number {
    return (this.#line ?? this.#lostLine)?.heardSentAt ?? 0;
  }

  /**
   * Makes a request; `done` is called once, in the order of the answers, and must not throw. Returns what withdraws it, as
   * nobody wants the answer any more: it still comes, ECANCELED, or what it was too late to stop.
   */
  request<M extends MethodName>(
    method: M,
    params: readonly unknown[],
    data: Buffer | undefined,
    done: Done<M>,
    options: RequestOptions = {},
  ): () => void {
    const { caller, once = false } = options;
    const line = this.#line;
    const refusal = this.#ended ?? (once && line === undefined ? new Failure('ECONNRESET') : undefined);
    if (refusal !== undefined) {
      queueMicrotask(() => done(refusal, undefined));
      return () => undefined;
    }
    const call: Call = {
      method,
      params,
      data,
      bytes: fileDataBytes(method, params, data),
      once,
      // What comes for it is a Result<M>.
      done: done as Call['done'],
      since: bootTime(),
      sent: undefined,
      endWatch: undefined,
      settled: false,
      faults: 0,
    };
    this.#pending.add(call);
    if (caller !== undefined) call.endWatch = onInterrupt(caller, () => this.#abandon(call));
    const withdraw = (): void => this.#withdraw(call);
    if (call.settled) return withdraw;
    if (line !== undefined && (once || !this.#resuming)) this.#send(line, call);
    if (!once) this.#deadline.watch();
    return withdraw;
  }

  #withdraw(call: Call): void {
    if (call.settled) return;
    call.once = true;
    if (this.#line?.carries(call) === true) this.#line.cancel(call);
    else queueMicrotask(() => this.#pending.settle(call, new Failure('ECANCELED')));
  }

  #send(line: Line, call: Call): void {
    try {
      line.send(call);
    } catch (thrown) {
      // Later, as all that is answered.
      queueMicrotask(() => this.#pending.settle(call, Failure.from(thrown)));
    }
  }

  /** `request` as a promise. Buffers in the result are copies. */
  ask<M extends MethodName>(
    method: M,
    params: readonly unknown[],
    caller?: Interruptible,
  ): Promise<Result<M>> {
    return new Promise((resolve, reject) => {
      const done: Done<M> = (failure, result) => {
        if (failure === undefined) resolve(copyBuffers(result) as Result<M>);
        else reject(failure);
      };
      this.request(method, params, undefined, done, { caller });
    });
  }

  /** The outcome of a wait that takes several requests, or ETIMEDOUT as a request would end; it goes on then. */
  bounded<T>(wait: Promise<T>): Promise<T> {
    if (this.#options.softMs === undefined) return wait;
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        since: bootTime(),
        done: (failure, result) => (failure === undefined ? resolve(result as T) : reject(failure)),
        endWatch: undefined,
        settled: false,
      };
      this.#pending.addWait(waiting);
      this.#deadline.watch();
      wait.then(
        (value) => this.#pending.settle(waiting, undefined, value),
        (thrown: unknown) => this.#pending.settle(waiting, Failure.from(thrown)),
      );
    });
  }

  /** Gives the connection up, and makes a new one, whose login tells what is true. */
  reconnect(why: string): void {
    this.#line?.connection.destroy(new Failure('ECONNRESET', why));
  }

  /** Ends the client in order: the server frees what it has for it at once. Does not wait long for that. */
  async logout(): Promise<void> {
    const said = new Promise<void>((resolve) => {
      this.request('logout', [], undefined, () => resolve(), { once: true });
    });
    const patience = new AbortController();
    await Promise.race([said, pause(LOGOUT_MS, patience.signal)]);
    patience.abort();
    await this.close();
  }

  /** Ends the connection; what is not answered fails. */
  async close(): Promise<void> {
    const line = this.#line;
    this.#finish(new Failure('ENOTCONN', 'the mount has ended'));
    await line?.connection.close();
  }

  /** The caller is let go; the request goes on if it was sent. */
  #abandon(call: Call): void {
    this.#line?.cancel(call);
    this.#pending.settle(call, interrupted());
  }

  // The connection

  /** Connects, and uses the connection from then on, but for requests that are to be sent again first. */
  async #open(): Promise<Line> {
    let line: Line | undefined;
    // What the server says right behind the login may come before the connection does.
    const early = new HeldBack();
    const said = (units: number, event: (events: RemoteEvents) => void): void => {
      const tell = (): void => {
        if (this.#events !== undefined) event(this.#events);
      };
      if (line === undefined) early.add(units, tell);
      else line.said(units, tell);
    };
    const connection = await this.#options.connect({
      clientId: this.#clientId,
      signal: this.#stop.signal,
      notifications: {
        lease: (items) => said(items.length, (events) => events.lease(items)),
        recall: (items) => said(items.length, (events) => events.recall(items)),
        durable: (number) => said(0, (events) => events.durable(number)),
        ungrant: () => said(0, (events) => events.ungrant()),
        busy: () => said(0, () => undefined),
        softLimit: (...told) => said(0, (events) => events.softLimit(...told)),
        shares: (shares) => said(0, (events) => events.shares(shares)),
        shutdown: (reason, again) => this.#onShutdown(reason, again),
      },
    });
    if (this.#ended !== undefined) {
      await connection.close();
      throw this.#ended;
    }
    const opened = new Line(
      connection,
      {
        answered: (call, failure, result) => this.#pending.settle(call, failure, result),
        softMs: this.#options.softMs,
        probe: this.#options.probe,
      },
      early,
    );
    line = opened;
    this.#line = line;
    this.#connections += 1;
    this.#resuming = true;
    this.#setState(true, undefined);
    void connection.closed.then((failure) => this.#onClosed(opened, failure));
    return opened;
  }

  #onShutdown(reason: string, again: boolean): void {
    this.#options.log.info({ reason, again }, 'the server closes the connection');
    if (!again) this.#end(new Failure('EACCES', `the server ended the session: ${reason}`));
  }

  #onClosed(line: Line, failure: Failure | undefined): void {
    line.stop();
    if (this.#line !== line) return;
    this.#line = undefined;
    this.#lostLine = line;
    this.#upToDate();
    const reason = failure?.message ?? 'the server closed it';
    this.#setState(false, reason);
    this.#options.log.warn({ reason }, 'the connection was lost');
    this.#events?.lost();
    for (const call of this.#pending.calls()) {
      if (call.once) this.#pending.settle(call, new Failure('ECONNRESET', reason, { cause: failure }));
      // Its page may have been read for the answer that is lost.
      else if (call.method === 'listNext' && line.carries(call)) {
        this.#pending.settle(call, new Failure('ESTALE', 'the listing was cut off'));
      } else if (failure?.kind === 'PROTOCOL' && line.carries(call)) this.#blame(call, failure);
    }
    if (!this.#resuming) void this.#reconnect();
  }

  /** Counts a fault of the server against a call that was under way. */
  #blame(call: Call, fault: Failure): void {
    call.faults += 1;
    if (call.faults < MAX_FAULTS) return;
    this.#pending.settle(call, new Failure('EPROTO', fault.message, { cause: fault }));
  }

  /** Tries until there is a connection that is up to date. */
  async #reconnect(): Promise<void> {
    const { log } = this.#options;
    const backoff = this.#backoff;
    if (this.#lostLine !== undefined) backoff.lasted(bootTime() - this.#lostLine.since);
    let failure: Failure | undefined;
    for (;;) {
      await pause(backoff.next(failure), this.#stop.signal);
      if (this.#ended !== undefined) return;
      try {
        if (await this.#resume(await this.#open())) return;
        failure = undefined;
      } catch (thrown) {
        failure = Failure.from(thrown);
        const reason = failure.message;
        if (this.#ended !== undefined) return;
        this.#setState(false, reason);
        if (this.#options.isFinal?.(failure) === true) return this.#end(failure);
        if (failure.kind === 'HOSTKEY') {
          log.error(
            { reason },
            'another server answers: nothing was sent to it, and it is tried again later',
          );
        } else log.warn({ reason }, 'connecting again failed');
        if (backoff.refusedLong) {
          log.error({ reason }, 'the login is refused: if the password or a key was changed, mount again');
        }
      }
    }
  }

  /** Brings a new connection up to date. False where it went away meanwhile. */
  async #resume(line: Line): Promise<boolean> {
    const { connection } = line;
    const { session } = connection;
    const sameServer = this.#boot?.equals(session.bootVerifier) === true;
    if (!session.resumed) this.#dropHandles();
    try {
      const resumed = this.#events?.connected(session, sameServer);
      if (this.#events !== undefined) line.ready();
      await Promise.race([resumed, connection.closed]);
    } catch (thrown) {
      connection.destroy(Failure.from(thrown));
      await connection.closed;
      throw thrown;
    }
    if (this.#line !== line || !connection.open) {
      await connection.closed;
      return false;
    }
    this.#boot = session.bootVerifier;
    this.#resuming = false;
    this.#options.log.info({ sameServer, resumed: session.resumed }, 'connected again');
    for (const call of this.#pending.calls()) {
      if (!line.carries(call)) this.#send(line, call);
    }
    this.#upToDate();
    return true;
  }

  #upToDate(): void {
    const waiting = this.#awaitUpToDate;
    this.#awaitUpToDate = [];
    for (const resolve of waiting) resolve();
  }

  /** The handles of a session that the server forgot: what they are called by means something else now. */
  #dropHandles(): void {
    this.#era += 1;
    for (const call of this.#pending.calls()) {
      if (call.method === 'listNext') this.#pending.settle(call, new Failure('ESTALE'));
      else if (call.method === 'close') this.#pending.settle(call, undefined, null);
    }
  }

  #setState(connected: boolean, lastFailure: string | undefined): void {
    const { connected: before, since } = this.#state;
    this.#state = { connected, since: connected === before ? since : new Date(), lastFailure };
  }

  /** Nothing will be answered any more, and not because this side wanted so. */
  #end(failure: Failure): void {
    if (this.#ended !== undefined) return;
    const line = this.#line;
    this.#finish(failure);
    this.#events?.ended(failure);
    void line?.connection.close();
  }

  #finish(failure: Failure): void {
    if (this.#ended !== undefined) return;
    this.#ended = failure;
    this.#line?.stop();
    this.#line = undefined;
    this.#upToDate();
    this.#deadline.stop();
    this.#stop.abort();
    this.#setState(false, failure.message);
    this.#pending.settleAll(failure);
  }
}

/** A result with the views in it replaced by copies. Only lists hold them. */
function copyBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  return Array.isArray(value) ? value.map(copyBuffers) : value;
}

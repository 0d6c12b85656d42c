/**
 * The server as the file system sees it: always there. A lost connection is made again, and what was not answered is
 * sent again; meanwhile operations wait.
 *
 * Invariants:
 * - Requests are sent in the order in which they were made, and again in that order, under the same wire ids. Their
 *   sequence numbers therefore order what answers tell: the answer of a later request knows of all earlier ones.
 * - A request settles once: by its answer, by EINTR when its caller is let go, by ETIMEDOUT after `softMs` without a
 *   connection, by EPROTO when the server breaks the protocol whenever it is asked, or by the failure that ended the
 *   Remote for good.
 * - `data` of a request belongs to the Remote until the request settles: it may have to be sent again.
 *
 * A server that was not restarted answers a request that is sent again without carrying it out twice. After a
 * restart, open files are opened again by path (remote-file.ts), and failures that an earlier try explains are judged
 * (replay.ts). One thing cannot be told there: whether an O_APPEND write was carried out before the restart.
 */
import { randomBytes } from 'node:crypto';
import type { Attributes } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import type { RemoteHandle, RemotePath } from '../protocol/ids.js';
import type { Change, MethodName, Result } from '../protocol/methods.js';
import { Backoff, isFatal, type Connection, type Hello } from './remote/connection.js';
import { interrupted, onInterrupt, type Interruptible } from './remote/interruption.js';
import { RemoteFile } from './remote/remote-file.js';
import { judgeReplay } from './remote/replay.js';

export interface RemoteOptions {
  /** Connects and logs in; called again after each loss. */
  connect(hello: Hello): Promise<Connection>;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
  /** After how long without a connection operations fail with ETIMEDOUT (milliseconds); undefined: never. */
  readonly softMs?: number | undefined;
}

/** What the Remote tells its user. */
export interface RemoteEvents {
  /** Other sessions changed the home. */
  changed(changes: Change[]): void;
  /** The connection was lost: what other sessions changed from now on, nobody tells. */
  lost(): void;
}

/** `sequence` is the request's; Buffers in the result are views, valid only during the call. */
export type Done<M extends MethodName> = (
  failure: Failure | undefined,
  result: Result<M> | undefined,
  sequence: number,
) => void;

export interface RequestOptions<M extends MethodName> {
  /** Is let go (remote/interruption.ts) with EINTR. */
  readonly caller?: Interruptible;
  /** Gets the result of a request that had settled with EINTR before, to undo it. */
  abandoned?(result: Result<M>): void;
}

interface Call {
  readonly sequence: number;
  /** The id on the wire, once sent. */
  id: number | undefined;
  readonly method: MethodName;
  params: unknown[];
  readonly data: Buffer | undefined;
  readonly done: Done<MethodName>;
  readonly abandoned: ((result: never) => void) | undefined;
  readonly since: number;
  endWatch: (() => void) | undefined;
  settled: boolean;
  /** It was sent before the server restarted, and not answered. */
  replayed: boolean;
  /** Connections that ended by a fault of the protocol while it was under way. */
  faults: number;
}

/**
 * After so many of them a call fails: a server that answers it wrongly would do so forever. Not after the first one, as
 * who can change records on the way can cause faults, and should not be able to do more than end connections.
 */
const MAX_FAULTS = 3;

export class Remote {
  readonly #options: RemoteOptions;
  readonly #clientId = randomBytes(16);
  readonly #stop = new AbortController();
  #events: RemoteEvents | undefined;
  #connection: Connection | undefined;
  /** The boot verifier of the server that has our handles. */
  #boot: Buffer | undefined;
  #lostAt = 0;
  #softTimer: NodeJS.Timeout | undefined;
  /** Why there will be no connection any more. */
  #ended: Failure | undefined;
  #sequence = 0;
  /** The first wire id of the next connection. */
  #firstId = 1;
  /** Not answered, by sequence number and so in order. */
  readonly #calls = new Map<number, Call>();
  readonly #files = new Set<RemoteFile>();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** The first connection. Rejects with its failure. Resolves with the attributes of the home's root. */
  async connect(): Promise<Attributes> {
    const connection = await this.#options.connect(this.#hello());
    this.#boot = Buffer.from(connection.session.bootVerifier);
    this.#use(connection);
    return connection.session.root;
  }

  /** Says who is told of changes and losses. */
  listen(events: RemoteEvents): void {
    this.#events = events;
  }

  /** The sequence number of the latest request: what the server told until now belongs to this or lower ones. */
  get sequence(): number {
    return this.#sequence;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Makes a request; `done` is called once, in the order of the answers. A RemoteFile as the first parameter stands
   * for its handle. Returns the request's sequence number.
   */
  request<M extends MethodName>(
    method: M,
    params: unknown[],
    data: Buffer | undefined,
    done: Done<M>,
    options: RequestOptions<M> = {},
  ): number {
    const sequence = ++this.#sequence;
    const call: Call = {
      sequence,
      id: undefined,
      method,
      params,
      data,
      done: done as unknown as Done<MethodName>,
      abandoned: options.abandoned,
      since: Date.now(),
      endWatch: undefined,
      settled: false,
      replayed: false,
      faults: 0,
    };
    if (this.#ended !== undefined) {
      const failure = this.#ended;
      call.settled = true;
      queueMicrotask(() => done(failure, undefined, sequence));
      return sequence;
    }
    this.#calls.set(sequence, call);
    if (options.caller !== undefined) call.endWatch = onInterrupt(options.caller, () => this.#abandon(call));
    if (this.#connection !== undefined) this.#send(call, this.#connection);
    else this.#armSoftTimer();
    return sequence;
  }

  /** Takes charge of a handle that `open` or `create` answered. */
  adopt(
    handle: RemoteHandle,
    attributes: Attributes,
    flags: number,
    path: () => RemotePath | undefined,
  ): RemoteFile {
    const file = new RemoteFile(handle, attributes, flags, path);
    this.#files.add(file);
    return file;
  }

  /** Closes an open file; nobody waits for it. */
  closeFile(file: RemoteFile): void {
    // It stays known until then: unanswered requests before may need it in another session.
    this.request('close', [file], undefined, () => this.#files.delete(file));
  }

  /** Closes a handle that nobody adopted, or a cursor. */
  closeHandle(handle: RemoteHandle): void {
    this.request('close', [handle], undefined, ignore);
  }

  /** Ends the connection; what is not answered fails. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#end(new Failure('ENOTCONN', 'the mount has ended'));
    await connection?.close();
  }

  // Settling

  #settle(call: Call, failure: Failure | undefined, result: unknown): void {
    if (call.settled) return;
    call.settled = true;
    this.#calls.delete(call.sequence);
    call.endWatch?.();
    call.done(failure, result as never, call.sequence);
  }

  /** The caller is let go; the request goes on if it was sent. */
  #abandon(call: Call): void {
    if (call.id !== undefined) this.#connection?.cancel(call.id);
    this.#settle(call, interrupted(), undefined);
  }

  // Sending and answers

  #send(call: Call, connection: Connection): void {
    // It closed and has not said so yet: the next one gets the call, for the first time.
    if (!connection.open) return;
    let { params } = call;
    const [file] = params;
    if (file instanceof RemoteFile) {
      try {
        params = [file.handle, ...params.slice(1)];
      } catch (lost) {
        queueMicrotask(() => this.#settle(call, Failure.from(lost), undefined));
        return;
      }
    }
    const { id } = call;
    call.id = connection.request(
      call.method,
      params,
      call.data,
      (failure, result) => this.#answered(call, connection, failure, result),
      id === undefined ? {} : { id },
    );
  }

  #answered(call: Call, connection: Connection, failure: Failure | undefined, result: unknown): void {
    if (failure === undefined) {
      if (call.settled) call.abandoned?.(result as never);
      else this.#settle(call, undefined, result);
      return;
    }
    // The connection went and took the answer with it: the call stays among the unanswered.
    if (!connection.open) return;
    if (call.replayed && !call.settled) this.#judge(call, connection, failure);
    else this.#settle(call, failure, undefined);
  }

  #judge(call: Call, connection: Connection, failure: Failure): void {
    const verdict = judgeReplay(call.method, call.params, failure);
    switch (verdict.kind) {
      case 'failed':
        return this.#settle(call, failure, undefined);
      case 'done':
        return this.#settle(call, undefined, null);
      case 'again':
        call.params = verdict.params;
        call.id = undefined;
        return this.#send(call, connection);
      case 'check':
        this.request('getattr', [verdict.path], undefined, (_failure, found) => {
          if (found !== undefined && verdict.fits(found)) this.#settle(call, undefined, found);
          else this.#settle(call, failure, undefined);
        });
    }
  }

  // The connection

  #hello(): Hello {
    const [oldest] = this.#calls.values();
    return {
      clientId: this.#clientId,
      lowestUnanswered: oldest?.id ?? this.#firstId,
      firstId: this.#firstId,
      notifications: {
        changed: (changes) => this.#events?.changed(changes),
        shutdown: (reason, again) => this.#onShutdown(reason, again),
      },
      signal: this.#stop.signal,
    };
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    clearTimeout(this.#softTimer);
    this.#softTimer = undefined;
    void connection.closed.then((failure) => this.#onClosed(connection, failure));
  }

  #onShutdown(reason: string, again: boolean): void {
    this.#options.log.info({ reason, again }, 'the server closes the connection');
    if (!again) this.#end(new Failure('EACCES', `the server ended the session: ${reason}`));
  }

  #onClosed(connection: Connection, failure: Failure | undefined): void {
    if (this.#connection !== connection || this.#ended !== undefined) return;
    this.#connection = undefined;
    this.#firstId = connection.nextId;
    this.#lostAt = Date.now();
    this.#options.log.warn({ reason: failure?.message ?? 'the server closed it' }, 'the connection was lost');
    this.#events?.lost();
    if (failure?.kind === 'PROTOCOL') this.#blame(failure);
    if (this.#calls.size > 0) this.#armSoftTimer();
    void this.#reconnect();
  }

  /** Counts a fault of the server against the calls that were under way. */
  #blame(fault: Failure): void {
    for (const call of [...this.#calls.values()]) {
      if (call.id === undefined) continue;
      call.faults += 1;
      if (call.faults < MAX_FAULTS) continue;
      this.#settle(call, new Failure('EPROTO', fault.message, { cause: fault }), undefined);
    }
  }

  async #reconnect(): Promise<void> {
    const backoff = new Backoff(this.#stop.signal);
    for (;;) {
      await backoff.wait();
      if (this.#ended !== undefined) return;
      try {
        const connection = await this.#options.connect(this.#hello());
        if (await this.#takeOver(connection)) return;
      } catch (thrown) {
        const failure = Failure.from(thrown);
        if (isFatal(failure)) {
          this.#options.log.error({ reason: failure.message }, 'the server does not let us in again');
          this.#end(new Failure('EACCES', `the server does not let us in again: ${failure.message}`));
          return;
        }
        this.#options.log.warn({ reason: failure.message }, 'connecting again failed');
      }
    }
  }

  /** Makes the new connection stand for the old one. False where it went away meanwhile. */
  async #takeOver(connection: Connection): Promise<boolean> {
    if (this.#ended !== undefined) {
      await connection.close();
      return false;
    }
    const { bootVerifier, resumed } = connection.session;
    const remembered = resumed && this.#boot?.equals(bootVerifier) === true;
    this.#boot = Buffer.from(bootVerifier);
    if (!remembered) {
      for (const call of [...this.#calls.values()]) {
        call.replayed ||= call.id !== undefined;
        // A bare handle meant something in the old session only.
        if (typeof call.params[0] === 'number') this.#settle(call, new Failure('ESTALE'), undefined);
      }
      await Promise.all([...this.#files].map((file) => this.#reopen(file, connection)));
      if (!connection.open) {
        // Nothing of what was just opened is left: the next one starts over, whatever it says.
        this.#boot = undefined;
        this.#firstId = connection.nextId;
        return false;
      }
    }
    this.#options.log.info({ remembered }, 'connected again');
    this.#use(connection);
    for (const call of [...this.#calls.values()]) this.#send(call, connection);
    return true;
  }

  #reopen(file: RemoteFile, connection: Connection): Promise<void> {
    const path = file.path();
    if (path === undefined || file.lost) {
      file.lose('it had no name any more');
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      connection.request('open', [path, file.flags], undefined, (failure, result) => {
        if (result !== undefined) {
          const [handle, attributes] = result;
          if (attributes.ino === file.ino && attributes.birth === file.birth) file.reopened(handle);
          else {
            file.lose('another file has its name');
            connection.request('close', [handle], undefined, ignore);
          }
        } else if (connection.open) file.lose(failure?.message ?? 'it is gone');
        resolve();
      });
    });
  }

  /** Nothing will be answered any more. */
  #end(failure: Failure): void {
    if (this.#ended !== undefined) return;
    this.#ended = failure;
    this.#connection = undefined;
    clearTimeout(this.#softTimer);
    this.#stop.abort();
    for (const call of [...this.#calls.values()]) this.#settle(call, failure, undefined);
  }

  // Waiting without a connection

  #armSoftTimer(): void {
    const { softMs } = this.#options;
    if (softMs === undefined || this.#softTimer !== undefined) return;
    const [oldest] = this.#calls.values();
    if (oldest === undefined) return;
    const due = Math.max(oldest.since, this.#lostAt) + softMs;
    this.#softTimer = setTimeout(
      () => {
        this.#softTimer = undefined;
        this.#expire(softMs);
      },
      Math.max(due - Date.now(), 0),
    );
  }

  #expire(softMs: number): void {
    const now = Date.now();
    for (const call of [...this.#calls.values()]) {
      if (Math.max(call.since, this.#lostAt) + softMs > now) break;
      this.#settle(
        call,
        new Failure('ETIMEDOUT', `no connection to the server for ${softMs / 1000} s`),
        undefined,
      );
    }
    this.#armSoftTimer();
  }
}

function ignore(): void {}

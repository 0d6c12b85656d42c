/**
 * Carries the log to the server, over one connection after the other.
 *
 * What was appended is gathered for GATHER_MS, or until it fills a message; where somebody waits for it (a read behind it, a
 * sync, a recall) it is sent in the call. So a burst of small changes costs few messages, most short-lived files never travel,
 * and nobody waits longer. Measured with a program that makes 20,000 changes one after the other (2026-11-26, loopback, a
 * busy machine with two processors): sent at the end of each turn of the event loop 7,000 to 19,000 messages and 55 to
 * 107 us of processor time for each change, by nextTick and by setImmediate alike; gathered for 2 ms 600 to 860 messages
 * and 36 to 47 us.
 *
 * Invariants:
 * - Messages are sent in the order of the log, and the server answers them in that order. Where it stopped within one, it
 *   did nothing of those sent behind it, and their answers tell nothing: all is sent again from there.
 * - It stops with ESTALE where it has forgotten an id (or the lease): what was sent until then is sent again with paths as
 *   hints. An operation that it refuses nevertheless has failed, and the next ones go on.
 */
import { Failure, failureFrom } from '../../protocol/failure.js';
import { MAX_BYTES_IN_FLIGHT, MAX_OPERATIONS, MAX_OUTCOMES } from '../../protocol/limits.js';
import type { MethodName, Result } from '../../protocol/methods.js';
import { packOperation, type LogOperation } from '../../protocol/operations.js';
import type { Charge, Entry } from './entry.js';
import type { Batch, Log } from './log.js';
import { MESSAGE_BYTES } from './message.js';
import { Waiters } from './waiters.js';

/** Sends a request once, behind those before; fails with ECONNRESET where the connection is lost before the answer. */
export type RequestOnce<Methods extends MethodName> = <M extends Methods>(
  method: M,
  params: unknown[],
  data: Buffer | undefined,
  done: (failure: Failure | undefined, result: Result<M> | undefined) => void,
  options: { readonly once: true },
) => void;

export interface SenderOptions {
  readonly log: Log;
  readonly request: RequestOnce<'apply' | 'sync'>;
  /** What the server says is left of the grant, before what Log.charged tells is taken. */
  granted(left: Charge): void;
  /**
   * The operation with paths as hints for its ids: those that lead there at its place in the log, so before what later
   * entries rename. `entry` is where it is.
   */
  hint(operation: LogOperation, entry: Entry): LogOperation;
  /** Calls `act` when enough was gathered. Default: in GATHER_MS. */
  gather?(act: () => void): unknown;
}

/** How long what nobody waits for is gathered (milliseconds). */
const GATHER_MS = 2;

/** Messages without an answer, at most. */
const MAX_MESSAGES = 16;
/** Bytes in them, at most, but for the last one: half of what the window takes, as reads behind them wait for the line. */
const MAX_BYTES = MAX_BYTES_IN_FLIGHT / 2;

/** What is under way since the last connection, or since the server stopped. */
interface Flight {
  messages: number;
  bytes: number;
}

/** An `apply` that was sent. */
interface Sent {
  readonly flight: Flight;
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export class Sender {
  readonly #log: Log;
  readonly #request: RequestOnce<'apply' | 'sync'>;
  readonly #granted: (left: Charge) => void;
  readonly #hint: SenderOptions['hint'];
  readonly #gather: (act: () => void) => unknown;
  /** There is one when the sender is made. */
  #connected = true;
  /** The server has judged all that was in the log when the connection was made. */
  #caughtUp = true;
  /** How many connections there were. */
  #connections = 0;
  /** For a connection that has caught up. */
  readonly #waitingForConnection = new Waiters();
  #ended: Failure | undefined;
  #flight: Flight = { messages: 0, bytes: 0 };
  /** Operations up to this number travel with hints. */
  #hintThrough = 0;
  /** Operations up to this number travel alone: the server refused them together. */
  #aloneThrough = 0;
  #gathering = false;
  #flushing = false;
  /** A sync is under way because the log is crowded. */
  #relieving = false;

  constructor(options: SenderOptions) {
    this.#log = options.log;
    this.#request = options.request;
    this.#granted = options.granted.bind(options);
    this.#hint = options.hint.bind(options);
    this.#gather = options.gather?.bind(options) ?? ((act) => setTimeout(act, GATHER_MS));
    this.#log.onHurry = () => this.#send();
  }

  /** Something was appended: it is sent soon, and a full message at the end of this turn of the event loop. */
  kick(): void {
    if (!this.#gathering) {
      this.#gathering = true;
      this.#gather(this.#onGathered);
    }
    if (!this.#flushing && this.#isFull) {
      this.#flushing = true;
      setImmediate(this.#onTurnEnd);
    }
  }

  readonly #onGathered = (): void => {
    this.#gathering = false;
    this.#log.hurryUp();
  };

  readonly #onTurnEnd = (): void => {
    this.#flushing = false;
    this.#send();
  };

  // The connection

  /**
   * There is a connection, and the server has applied this much. Resolves when it has judged all that is in the log;
   * undefined: it has. Until then a server that was restarted must hear of nothing else: it takes the log without leases, and
   * as what may have been carried out before, as long as nothing else comes. That the log was sent is not enough, as it
   * may stop within it, and is sent the rest again.
   */
  connected(applied: number): Promise<void> | undefined {
    this.#hintThrough = 0;
    this.#aloneThrough = 0;
    this.#connected = true;
    this.#connections += 1;
    this.#goBack(applied);
    // An answer was lost: what it told is told again.
    this.#askOutcomes();
    const { last } = this.#log;
    const connection = this.#connections;
    const judged = last === undefined ? undefined : this.#log.whenApplied(last);
    if (judged === undefined) this.#catchUp(connection);
    return judged?.then(() => this.#catchUp(connection));
  }

  /** Asks what became of operations that were applied, and not answered. */
  #askOutcomes(): void {
    const { unanswered } = this.#log;
    if (unanswered !== undefined) {
      this.#apply({ first: unanswered, operations: [], data: undefined, bytes: 0 });
    }
  }

  #catchUp(connection: number): void {
    if (!this.#connected || connection !== this.#connections) return;
    this.#caughtUp = true;
    this.#waitingForConnection.resolve();
    this.#relieve();
  }

  /** The connection is gone. */
  lost(): void {
    this.#connected = false;
    this.#caughtUp = false;
    this.#flight = { messages: 0, bytes: 0 };
  }

  /** There will be no connection any more: all that waits fails. */
  ended(failure: Failure): void {
    this.lost();
    this.#ended = failure;
    this.#log.ended(failure);
    this.#waitingForConnection.reject(failure);
  }

  // Operations

  #send(): void {
    while (this.#maySend()) {
      const alone = this.#log.lastNumber < this.#aloneThrough;
      const batch = this.#log.take(alone ? 1 : MAX_OPERATIONS, MESSAGE_BYTES, this.#prepare);
      if (batch === undefined) break;
      this.#apply(batch);
    }
    this.#relieve();
  }

  #maySend(): boolean {
    const { messages, bytes } = this.#flight;
    if (!this.#connected || messages >= MAX_MESSAGES || bytes >= MAX_BYTES) return false;
    // What they come to is told after a lost connection of no more.
    if (this.#log.lastNumber - this.#log.lastApplied > MAX_OUTCOMES - MAX_OPERATIONS) return false;
    if (messages > 0 && this.#log.lastNumber < this.#aloneThrough) return false;
    return this.#log.hurry || this.#isFull;
  }

  get #isFull(): boolean {
    const { unsent } = this.#log;
    return unsent.bytes >= MESSAGE_BYTES || unsent.operations >= MAX_OPERATIONS;
  }

  readonly #prepare = (entry: Entry): LogOperation => {
    const { operation, number = 0 } = entry;
    return number <= this.#hintThrough ? this.#hint(operation, entry) : operation;
  };

  #apply({ first, operations, data, bytes }: Batch): void {
    const flight = this.#flight;
    const sent: Sent = { flight, first, last: first + operations.length - 1, bytes };
    flight.messages += 1;
    flight.bytes += bytes;
    this.#request(
      'apply',
      [first, operations.map(packOperation)],
      data,
      (failure, result) => this.#answered(sent, failure, result),
      { once: true },
    );
  }

  #answered(sent: Sent, failure: Failure | undefined, result: Result<'apply'> | undefined): void {
    const { flight, first, last } = sent;
    if (flight !== this.#flight) return;
    flight.messages -= 1;
    flight.bytes -= sent.bytes;
    if (result === undefined) {
      this.#refused(sent, failure ?? new Failure('EIO'));
    } else {
      const [applied, durable, bytes, files, outcomes] = result;
      // As many as an answer takes: there may be more of them.
      const toldThrough = Math.min(applied, outcomes[MAX_OPERATIONS - 1]?.[0] ?? applied);
      this.#log.answered(toldThrough, durable, outcomes);
      this.#granted({ bytes, files });
      if (toldThrough < applied) {
        this.#goBack(applied);
        this.#askOutcomes();
      } else if (applied < last && first <= applied + 1) {
        this.#stopped(applied, failureOf(outcomes, applied + 1));
      } else if (applied < last) this.#goBack(applied);
    }
    this.#send();
  }

  /** An `apply` failed as a whole: nothing is known of its operations. */
  #refused({ first, last }: Sent, failure: Failure): void {
    if (failure.kind === 'ECONNRESET') {
      this.lost();
    } else if (failure.kind !== 'ETIMEDOUT' && first === last) {
      this.#stopped(first - 1, failure);
    } else {
      this.#goBack(first - 1);
      // Which one it is about shows when each travels alone.
      if (failure.kind !== 'ETIMEDOUT') this.#aloneThrough = last;
    }
  }

  /** The server does not take the operation after `applied`. */
  #stopped(applied: number, failure: Failure): void {
    const sentThrough = this.#log.lastNumber;
    this.#goBack(applied);
    if (failure.kind === 'ESTALE' && applied >= this.#hintThrough) this.#hintThrough = sentThrough;
    else this.#log.giveUp(this.#log.firstUnapplied, failure);
  }

  /** What was sent after `applied` is to be sent again; answers of it tell nothing any more. */
  #goBack(applied: number): void {
    this.#flight = { messages: 0, bytes: 0 };
    this.#log.resume(applied);
  }

  // Durability

  /**
   * Resolves when all that was appended, and all changes that the server answered, until now are on its disk. Throws what
   * its disk throws: EIO and the like.
   */
  async sync(): Promise<void> {
    const { last } = this.#log;
    for (;;) {
      await this.#sent(last);
      const wasApplied = last?.has('applied') ?? true;
      if (!(await this.#requestSync())) continue;
      if (last?.has('durable') ?? true) return;
      if (wasApplied) throw new Failure('EPROTO', 'the server synced, and what it had is not durable');
      if (last !== undefined) await this.#log.whenApplied(last);
    }
  }

  /** Resolves when the log is empty: all is durable. */
  async drain(): Promise<void> {
    do await this.sync();
    while (this.#log.undurable.operations > 0);
  }

  /** Resolves when there is a connection that has caught up, on which, or before which, the entry was sent. */
  async #sent(entry: Entry | undefined): Promise<void> {
    for (;;) {
      if (this.#ended !== undefined) throw this.#ended;
      if (!this.#caughtUp) await this.#waitingForConnection.wait();
      const sent = entry === undefined ? undefined : this.#log.whenSent(entry);
      if (sent === undefined) return;
      await sent;
    }
  }

  /** Has the server sync what it has. Resolves to false where the connection went before the answer. */
  #requestSync(): Promise<boolean> {
    const connection = this.#connections;
    return new Promise((resolve, reject) => {
      this.#request(
        'sync',
        [this.#log.lastNumber],
        undefined,
        (failure, durable) => {
          if (durable !== undefined) {
            this.#log.durable(durable);
            resolve(true);
          } else if (failure?.kind === 'ECONNRESET') {
            if (connection === this.#connections) this.lost();
            resolve(false);
          } else {
            reject(failure ?? new Failure('EIO'));
          }
        },
        { once: true },
      );
    });
  }

  /** Makes room in a crowded log, where a sync can; one at a time. */
  #relieve(): void {
    const { crowded, undurable, unapplied } = this.#log;
    if (!crowded || undurable.operations === unapplied.operations) return;
    if (this.#relieving || !this.#caughtUp) return;
    this.#relieving = true;
    this.#requestSync().then(
      (answered) => {
        this.#relieving = false;
        if (answered) this.#send();
      },
      () => {
        // Who asks for a sync is told what is wrong; here the next answer of an apply makes it be tried again.
        this.#relieving = false;
      },
    );
  }
}

/** Why the server stopped at this operation. */
function failureOf(outcomes: Result<'apply'>[4], operation: number): Failure {
  const [, error] = outcomes.find(([number]) => number === operation) ?? [];
  return error === undefined || error === null ? new Failure('ESTALE') : failureFrom(error);
}

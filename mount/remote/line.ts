/**
 * One connection as long as it lasts: sends calls over it, watches that it is alive, and holds back what the server says
 * until somebody is ready to hear it.
 *
 * Invariant: what the server says is told in its order, and nothing of it before ready().
 */
import { Failure } from '../../protocol/failure.js';
import { bootTime } from './boot-time.js';
import type { Connection } from './connection.js';
import { HeldBack } from './held-back.js';
import { LineWatch, PROBE_AFTER_MS } from './line-watch.js';
import type { Call } from './pending-calls.js';

/** See LineWatch (milliseconds). */
export interface ProbeTimes {
  readonly afterMs: number;
  readonly ms: number;
}

export interface LineOptions {
  /** A call was answered. */
  answered(call: Call, failure: Failure | undefined, result: unknown): void;
  /** Operations fail after so long without a word: the line is to be known as suspect by then. */
  readonly softMs: number | undefined;
  readonly probe: ProbeTimes | undefined;
}

export class Line {
  readonly connection: Connection;
  /** When it was made (boot-time.ts). */
  readonly since = bootTime();
  readonly #answered: LineOptions['answered'];
  readonly #watch: LineWatch;
  /** The server counts the term of leases from its answer to the login, which has just come. */
  #heardSentAt = this.since;
  /** What is not told yet. */
  #early: HeldBack | undefined;

  /** `early`: what the server has said already. */
  constructor(connection: Connection, options: LineOptions, early = new HeldBack()) {
    const { softMs = Number.POSITIVE_INFINITY, probe } = options;
    this.connection = connection;
    this.#early = early;
    this.#answered = options.answered;
    this.#watch = new LineWatch({
      probe: () => this.#probe(),
      dead: () => connection.destroy(new Failure('ETIMEDOUT', 'the server does not answer')),
      now: bootTime,
      probeMs: probe?.ms,
      probeAfterMs: probe?.afterMs ?? Math.min(PROBE_AFTER_MS, softMs / 2),
      suspectMs: softMs / 4,
    });
  }

  /** Sends a call, for the first time or again. Throws EOVERFLOW where it is too long. */
  send(call: Call): void {
    const { connection } = this;
    // It closed and has not said so yet: the next one gets the call, for the first time.
    if (!connection.open) return;
    const at = bootTime();
    const id = connection.request(call.method, call.params, call.data, (failure, result) => {
      // The connection went, and took the answer with it.
      if (!connection.open) return;
      this.#watch.answered(call.bytes);
      this.#heardSentAt = Math.max(this.#heardSentAt, at);
      this.#answered(call, failure, result);
    });
    this.#watch.sent(call.bytes);
    call.sent = { connection, id };
  }

  /** Whether a call was sent over it. */
  carries(call: Call): boolean {
    return call.sent?.connection === this.connection;
  }

  /** The answer of a call is not wanted any more. */
  cancel({ sent }: Call): void {
    if (sent?.connection === this.connection) sent.connection.cancel(sent.id);
  }

  /** The server said something, of so many units of leases: it is told now, or when somebody is ready. PROTOCOL. */
  said(units: number, tell: () => void): void {
    this.#watch.heard();
    if (this.#early === undefined) tell();
    else this.#early.add(units, tell);
  }

  /** Tells what the server has said, and what it says from now on at once. */
  ready(): void {
    const early = this.#early;
    this.#early = undefined;
    early?.tell();
  }

  /** When the request that was answered last had been sent (boot-time.ts). */
  get heardSentAt(): number {
    return this.#heardSentAt;
  }

  /** When the server was heard last, or something began to be awaited from it (boot-time.ts). */
  get quietSince(): number {
    return this.#watch.quietSince;
  }

  /** Whether it seems to be dead. */
  get suspect(): boolean {
    return this.#watch.suspect;
  }

  /** It is not used any more. */
  stop(): void {
    this.#watch.stop();
  }

  #probe(): void {
    const at = bootTime();
    this.connection.request('ping', [], undefined, () => {
      if (!this.connection.open) return;
      this.#watch.heard();
      this.#heardSentAt = Math.max(this.#heardSentAt, at);
    });
  }
}

/**
 * The one table of what is not answered, in the order in which it was asked for.
 *
 * Invariant: what is in it settles once, and is not in it any more when it does.
 */
import type { Failure } from '../../protocol/failure.js';
import type { MethodName } from '../../protocol/methods.js';
import type { Connection } from './connection.js';

/** Somebody waits, since a time in milliseconds. */
export interface Waiting {
  readonly since: number;
  /** Takes it out of the table first, see settle(). */
  readonly done: (failure: Failure | undefined, result: unknown) => void;
  /** Ends the watch for signals of the caller. */
  endWatch: (() => void) | undefined;
  settled: boolean;
}

/** A request. */
export interface Call extends Waiting {
  readonly method: MethodName;
  readonly params: readonly unknown[];
  readonly data: Buffer | undefined;
  /** Of file data, that travel with it or its answer. */
  readonly bytes: number;
  /** It is not sent over a second connection: it never was to be, or nobody wants the answer any more. */
  once: boolean;
  /** Where it was sent last, and under which id. */
  sent: { readonly connection: Connection; readonly id: number } | undefined;
  /** Connections that ended by a fault of the protocol while it was under way. */
  faults: number;
}

export class PendingCalls {
  readonly #calls = new Set<Call>();
  /** Waits for something that takes more than one request. */
  readonly #waits = new Set<Waiting>();

  add(call: Call): void {
    this.#calls.add(call);
  }

  addWait(wait: Waiting): void {
    this.#waits.add(wait);
  }

  /** The requests, in order. What settles meanwhile may be removed, what is made is not among them. */
  calls(): Call[] {
    return [...this.#calls];
  }

  /** Ends it, if nothing has. */
  settle(waiting: Waiting, failure: Failure | undefined, result?: unknown): void {
    if (waiting.settled) return;
    waiting.settled = true;
    this.#calls.delete(waiting as Call);
    this.#waits.delete(waiting);
    waiting.endWatch?.();
    waiting.done(failure, result);
  }

  settleAll(failure: Failure): void {
    for (const waiting of [...this.#calls, ...this.#waits]) this.settle(waiting, failure);
  }

  /** Those that a deadline counts for, the one that waits longest first. */
  patient(): Waiting[] {
    const repeated = this.calls().filter(({ once }) => !once);
    return [...repeated, ...this.#waits].toSorted((a, b) => a.since - b.since);
  }
}

/**
 * `-o soft=N`: who has waited so long for a server that does not answer is told ETIMEDOUT.
 *
 * It counts from when an operation began to wait, or from the last word of the server if that came later, so not from
 * when the loss was noticed. A server that answers others, or probes, keeps all of them waiting.
 */
import { Failure } from '../../protocol/failure.js';
import type { PendingCalls } from './pending-calls.js';

export interface SoftDeadlineOptions {
  readonly pending: PendingCalls;
  /** undefined: there is none. */
  readonly ms: number | undefined;
  /** When the server was heard last. */
  quietSince(): number;
  /** Whether there is no connection, or a dead one as it seems. */
  unreachable(): boolean;
  /** Milliseconds. */
  now(): number;
}

/** When to look again where the time is over, and it is not clear yet whether the line is dead (milliseconds). */
const LOOK_AGAIN_MS = 100;

export class SoftDeadline {
  readonly #options: SoftDeadlineOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SoftDeadlineOptions) {
    this.#options = options;
  }

  /** Somebody waits. */
  watch(): void {
    const { ms } = this.#options;
    if (ms !== undefined && this.#timer === undefined) this.#arm(ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.ceil(ms));
  }

  #check(): void {
    this.#timer = undefined;
    const { pending, ms = 0, quietSince, unreachable, now } = this.#options;
    for (const waiting of pending.patient()) {
      const left = Math.max(waiting.since, quietSince()) + ms - now();
      if (left > 0) return this.#arm(left);
      if (!unreachable()) return this.#arm(LOOK_AGAIN_MS);
      pending.settle(waiting, new Failure('ETIMEDOUT', `the server has not answered for ${ms / 1000} s`));
    }
  }
}

/*
 * The answers that a client may ask for again after it lost its connection, so that no call is applied twice.
 *
 * Invariant: a client has at most MAX_CALLS calls that it has no answer of, and answers travel in order; so what it may ask
 * for again is among the last MAX_CALLS answers that were sent. Older ones are dropped.
 */
import type { Failure } from '../../protocol/failure.js';
import { MAX_CALLS } from '../../protocol/limits.js';

/** How a call ended: by a failure, or by a result as it travels. */
export interface Outcome {
  readonly failure: Failure | undefined;
  readonly result: unknown;
}

/** What is kept of an answered call. */
export interface Kept {
  /** Called at most once for each time the client asks again. */
  outcome(): Outcome;
  /** Called once, when the answer is not needed any more. */
  dropped?(): void;
}

export class KeptAnswers {
  /** In the order of answering. */
  readonly #kept = new Map<number, Kept>();
  /** Calls that are still being worked on. */
  readonly #running = new Map<number, Promise<Outcome>>();

  /** The answer of a call that was made before: undefined where it is new. */
  find(id: number): Outcome | Promise<Outcome> | undefined {
    return this.#kept.get(id)?.outcome() ?? this.#running.get(id);
  }

  keep(id: number, kept: Kept): void {
    this.#drop(id);
    this.#kept.set(id, kept);
    if (this.#kept.size > MAX_CALLS) {
      for (const oldest of this.#kept.keys()) {
        this.#drop(oldest);
        break;
      }
    }
  }

  /** Notes a call that ends later. */
  run(id: number, outcome: Promise<Outcome>): void {
    this.#running.set(id, outcome);
    void outcome.then((ended) => {
      this.#running.delete(id);
      this.keep(id, { outcome: () => ended });
    });
  }

  /** Whether the call is one that was noted by run() and has not ended. */
  isRunning(id: number): boolean {
    return this.#running.has(id);
  }

  /** The client has all answers of calls before this one. */
  forgetBelow(id: number): void {
    for (const kept of [...this.#kept.keys()]) if (kept < id) this.#drop(kept);
  }

  clear(): void {
    for (const id of [...this.#kept.keys()]) this.#drop(id);
  }

  get empty(): boolean {
    return this.#kept.size === 0 && this.#running.size === 0;
  }

  #drop(id: number): void {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    kept?.dropped?.();
  }
}

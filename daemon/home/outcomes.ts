/*
 * What operations of a client's log came to that the client could not know by itself: failures, and ids of new files. Kept
 * for a while after they were told, for the answer may be lost with its connection.
 *
 * Invariant: bounded by what one answer can tell, beside the one that says why it stopped.
 */
import type { Failure } from '../../protocol/failure.js';
import { MAX_OPERATIONS } from '../../protocol/limits.js';

/** Of one batch each operation may have an outcome. */
const MAX_KEPT = MAX_OPERATIONS;

/** [number, error as it travels or null, attributes as they travel] */
export type Outcome = [number: number, error: [string, string] | null, attributes: unknown[][]];

export class Outcomes {
  /** In the order of their numbers. */
  readonly #kept: Outcome[] = [];

  failed(number: number, failure: Failure): void {
    this.#keep([number, wireError(failure), []]);
  }

  told(number: number, attributes: unknown[][]): void {
    this.#keep([number, null, attributes]);
  }

  /** Those from a number on. Earlier ones are kept: requests are pipelined, so the client may not have them yet. */
  from(first: number): Outcome[] {
    return this.#kept.filter(([number]) => number >= first);
  }

  /** Operations after a number are to be carried out again. */
  forgetAfter(last: number): void {
    const first = this.#kept.findIndex(([number]) => number > last);
    if (first >= 0) this.#kept.splice(first);
  }

  #keep(outcome: Outcome): void {
    this.#kept.push(outcome);
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
  }
}

export function wireError({ code, message }: Failure): [string, string] {
  return [code, message];
}

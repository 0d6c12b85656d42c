/*
 * What operations of a client's log came to that the client could not know by itself: failures, and ids of new files. Kept
 * for a while after they were told, for the answer may be lost with its connection.
 *
 * Invariant: bounded. Of failures as many are kept as a client may have operations without an answer, so that none is silent;
 * an id that is forgotten the client asks for by a path. An answer tells the first ones, no more than MAX_OPERATIONS, and the
 * client asks for the rest.
 */
import type { Failure } from '../../../protocol/failure.js';
import { MAX_OPERATIONS, MAX_OUTCOMES } from '../../../protocol/limits.js';

const MAX_IDS = MAX_OPERATIONS;
/** Many operations fail alike: so many errors are shared, as each takes some 200 bytes. */
const MAX_SHARED = 16;
const NONE: never[] = [];

export type WireError = [string, string];

/** [number, error as it travels or null, attributes as they travel] */
export type Outcome = [number: number, error: WireError | null, attributes: unknown[][]];

export class Outcomes {
  /** Both in the order of their numbers. */
  readonly #failures: Outcome[] = [];
  readonly #ids: Outcome[] = [];
  readonly #shared = new Map<string, WireError>();

  failed(number: number, failure: Failure): void {
    keep(this.#failures, [number, this.#share(failure), NONE], MAX_OUTCOMES);
  }

  told(number: number, attributes: unknown[][]): void {
    keep(this.#ids, [number, null, attributes], MAX_IDS);
  }

  /** The first of those from a number on. Earlier ones are kept: requests are pipelined, so the client may not have them yet. */
  from(first: number): Outcome[] {
    const after = [...since(this.#failures, first), ...since(this.#ids, first)];
    return after.toSorted(([a], [b]) => a - b).slice(0, MAX_OPERATIONS);
  }

  /** Operations after a number are to be carried out again. */
  forgetAfter(last: number): void {
    for (const kept of [this.#failures, this.#ids]) kept.splice(kept.length - since(kept, last + 1).length);
  }

  #share(failure: Failure): WireError {
    const error = wireError(failure);
    const key = error.join('\0');
    const shared = this.#shared.get(key);
    if (shared !== undefined) return shared;
    if (this.#shared.size >= MAX_SHARED) this.#shared.clear();
    this.#shared.set(key, error);
    return error;
  }
}

function keep(kept: Outcome[], outcome: Outcome, most: number): void {
  kept.push(outcome);
  if (kept.length > most) kept.shift();
}

/** Mostly there are none, or few at the end. */
function since(kept: readonly Outcome[], first: number): Outcome[] {
  let at = kept.length;
  while (at > 0 && (kept[at - 1]?.[0] ?? 0) >= first) at -= 1;
  return kept.slice(at);
}

export function wireError({ code, message }: Failure): WireError {
  return [code, message];
}

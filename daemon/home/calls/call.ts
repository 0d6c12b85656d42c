/*
 * One call of a client, as the work on it sees it: whether it is still wanted.
 */
import { Failure } from '../../../protocol/failure.js';
import { Backlog } from './backlog.js';

export class Call {
  /** What is done at once when the call is cancelled. */
  onCancel: (() => void) | undefined;
  /** It waits for something that others have, for as long as they like. */
  waitsForOthers = false;
  /** When it came, by performance.now(). */
  readonly began = performance.now();
  #cancelled = false;

  /** `backlog`: of the session, for answers that take memory. */
  constructor(readonly backlog: Backlog = new Backlog()) {}

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.onCancel?.();
  }

  /** To be called between pieces of long work that changes nothing. ECANCELED. */
  throwIfCancelled(): void {
    if (this.#cancelled) throw new Failure('ECANCELED', 'cancelled');
  }
}

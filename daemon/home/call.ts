/*
 * One call of a client, as the work on it sees it: whether it is still wanted, and how it is repeated.
 */
import { Failure } from '../../protocol/failure.js';
import type { Kept } from './answers.js';

export class Call {
  /** How to answer when the client asks again, where the answer itself is not to be kept. */
  repeat: Kept | undefined;
  #cancelled = false;

  cancel(): void {
    this.#cancelled = true;
  }

  /** To be called between pieces of long work that changes nothing. ECANCELED. */
  throwIfCancelled(): void {
    if (this.#cancelled) throw new Failure('ECANCELED', 'cancelled');
  }
}

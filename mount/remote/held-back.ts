/**
 * What a server says before somebody is ready to hear it, in its order.
 *
 * Bounded: a mount takes seconds to be ready, and a server that means harm could fill its memory meanwhile. One that does not
 * tells of no more units of leases than protocol.md says a client has to have room for.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_LEASED_UNITS } from '../../protocol/limits.js';

/** A message and a unit of a lease count one each: so many units, also where each comes alone. */
const MAX_HELD_BACK = 2 * MAX_LEASED_UNITS;

export class HeldBack {
  readonly #tells: (() => void)[] = [];
  #weight = 0;

  /** `units`: of leases, in the message. PROTOCOL. */
  add(units: number, tell: () => void): void {
    this.#weight += units + 1;
    if (this.#weight > MAX_HELD_BACK) throw new Failure('PROTOCOL', 'the server says too much at once');
    this.#tells.push(tell);
  }

  tell(): void {
    for (const tell of this.#tells) tell();
  }
}

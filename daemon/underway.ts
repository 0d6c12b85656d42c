/*
 * What one session has under way, held to the limits that its client keeps (protocol/window): more is a fault of the peer.
 */
import { Failure } from '../protocol/failure.js';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS } from '../protocol/limits.js';
import type { Lane, Weight } from '../protocol/window.js';

/** Requests that no window counts (`sync` and the like): so many at once cost no more than some megabytes. */
const MAX_UNCOUNTED = 64 * MAX_CALLS;

interface Load {
  calls: number;
  bytes: number;
}

export class Underway {
  readonly #loads: Record<Lane, Load> = {
    free: { calls: 0, bytes: 0 },
    log: { calls: 0, bytes: 0 },
    call: { calls: 0, bytes: 0 },
  };
  #uncounted = 0;

  /** PROTOCOL. */
  begin({ lane, calls, bytes }: Weight): void {
    const load = this.#loads[lane];
    if (calls === 0) this.#uncounted += 1;
    load.calls += calls;
    load.bytes += bytes;
    if (load.calls > MAX_CALLS || this.#uncounted > MAX_UNCOUNTED) {
      throw new Failure('PROTOCOL', `more than ${MAX_CALLS} calls at once`);
    }
    if (load.bytes > MAX_BYTES_IN_FLIGHT) {
      throw new Failure('PROTOCOL', `more than ${MAX_BYTES_IN_FLIGHT} bytes at once`);
    }
  }

  end({ lane, calls, bytes }: Weight): void {
    const load = this.#loads[lane];
    if (calls === 0) this.#uncounted -= 1;
    load.calls -= calls;
    load.bytes -= bytes;
  }
}

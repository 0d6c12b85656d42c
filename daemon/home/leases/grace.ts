/*
 * After a start of the daemon nobody knows what was leased before. The marks say to whom: so until all of those clients are
 * back, or the term is over, what others ask for waits, and nothing is leased. A client that comes back sends first what of
 * its log was not carried out; it was for units that were its own, so it is taken without a lease.
 *
 * Who has not come back by then is not waited for again, whenever the home opens.
 *
 * A client is back with its first request behind its log, or when it ends. Those who come back are held up only by others
 * that are missing.
 */
import type { Clock } from '../calls/clock.js';

export interface GraceOptions {
  /** Ids of the clients that may hold leases. */
  readonly expected: Iterable<string>;
  readonly clock: Clock;
  /** How long they are waited for (milliseconds). */
  readonly ms: number;
  /** The time is over, and these have not come back. */
  readonly onMissed: (ids: Iterable<string>) => void;
  /** A client is back, or nobody is waited for any more. */
  readonly onChanged: () => void;
}

export class Grace {
  readonly #missing: Set<string>;
  readonly #expected: number;
  readonly #onMissed: GraceOptions['onMissed'];
  readonly #onChanged: () => void;
  readonly #callOff: () => void;

  constructor({ expected, clock, ms, onMissed, onChanged }: GraceOptions) {
    this.#missing = new Set(expected);
    this.#expected = this.#missing.size;
    this.#onMissed = onMissed;
    this.#onChanged = onChanged;
    this.#callOff = this.#expected === 0 ? () => undefined : clock.after(ms, () => this.#end());
  }

  /** Whether a client has to wait for others. */
  holdsUp(id: string): boolean {
    return this.#missing.size > (this.#missing.has(id) ? 1 : 0);
  }

  /** Whether what this client sends may be its log of before. */
  isMissing(id: string): boolean {
    return this.#missing.has(id);
  }

  /** Whether all leases of before were this client's, which is not back yet. */
  isAlone(id: string): boolean {
    return this.#expected === 1 && this.#missing.has(id);
  }

  /** The client has sent its log, or will not come. */
  back(id: string): void {
    if (!this.#missing.delete(id)) return;
    if (this.#missing.size === 0) this.#callOff();
    this.#onChanged();
  }

  close(): void {
    this.#callOff();
  }

  #end(): void {
    const missed = [...this.#missing];
    this.#missing.clear();
    this.#onMissed(missed);
    this.#onChanged();
  }
}

/** Whether a client that comes back after a restart of the server sends this only behind its log, and its locks. */
export function isBehindLog(method: string): boolean {
  return method !== 'apply' && method !== 'relock' && method !== 'ping';
}

/**
 * The time that changes made here carry: this machine's clock, as programs here compare it.
 *
 * Invariant: no two changes have the same time, but on a disk that cannot tell them apart, and a later one has a later time, also within a millisecond and when the
 * clock is set back by less than a second: make(1) and git compare these times.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import { limitedTime, type TimeLimits } from '../../protocol/time-limits.js';

const NANOSECONDS_OF_MS = 1_000_000;
/** A clock that was set back by more is believed. */
const BACKWARDS_MS = 1_000;

export class WallClock {
  /** What times the server's disk can keep: others are never shown. */
  limits: TimeLimits;
  readonly #milliseconds: () => number;
  #last = 0;
  /** Nanoseconds that were given out within the last millisecond. */
  #within = 0;

  /** `milliseconds` since 1970. */
  constructor(limits: TimeLimits, milliseconds: () => number = Date.now) {
    this.limits = limits;
    this.#milliseconds = milliseconds;
  }

  now(): Timestamp {
    const at = this.#milliseconds();
    if (at > this.#last || at < this.#last - BACKWARDS_MS) {
      this.#last = at;
      this.#within = 0;
    } else if (this.#within < NANOSECONDS_OF_MS - 1) {
      this.#within += 1;
    } else {
      this.#last += 1;
      this.#within = 0;
    }
    const sec = Math.floor(this.#last / 1000);
    const nsec = (this.#last - sec * 1000) * NANOSECONDS_OF_MS + this.#within;
    return limitedTime({ sec, nsec }, this.limits);
  }
}

/**
 * A clock for promises between machines: milliseconds that never go back, and go on while this machine sleeps, as
 * CLOCK_BOOTTIME does. node has none: performance.now() stands still then, and Date.now() may be set.
 *
 * So it is performance.now(), and what the wall clock went ahead of it by jumps. A wall clock that is set forward looks
 * like a sleep: a promise then ends too early, never too late.
 */

/** Smaller differences are the two clocks' resolution and NTP's corrections; they add up until they count. */
const JUMP_MS = 1_000;

export class BootClock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  #difference: number;
  #slept = 0;

  constructor(monotonic: () => number = () => performance.now(), wall: () => number = Date.now) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#difference = wall() - monotonic();
  }

  now(): number {
    const monotonic = this.#monotonic();
    const difference = this.#wall() - monotonic;
    const jump = difference - this.#difference;
    if (jump >= JUMP_MS || jump <= -JUMP_MS) {
      this.#difference = difference;
      if (jump > 0) this.#slept += jump;
    }
    return monotonic + this.#slept;
  }
}

const clock = new BootClock();

/** Milliseconds, also those that this machine slept. */
export function bootTime(): number {
  return clock.now();
}

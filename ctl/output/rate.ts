/**
 * The rate of a transfer as people want it: of the last seconds, so that it follows what happens, and steady enough to
 * tell the time that is left.
 */

/** Seconds after which a sample counts for about a third. */
const MEMORY_SECONDS = 3;
/** Samples are taken no more often than this (seconds). */
const SAMPLE_SECONDS = 0.2;

export class Rate {
  #sampledAt: number;
  #pending = 0;
  #perSecond: number | undefined;

  /** `now` in seconds, of any steady clock. */
  constructor(now: number) {
    this.#sampledAt = now;
  }

  add(bytes: number, now: number): void {
    this.#pending += bytes;
    const elapsed = now - this.#sampledAt;
    if (elapsed < SAMPLE_SECONDS) return;
    const current = this.#pending / elapsed;
    const weight = Math.exp(-elapsed / MEMORY_SECONDS);
    this.#perSecond =
      this.#perSecond === undefined ? current : this.#perSecond * weight + current * (1 - weight);
    this.#sampledAt = now;
    this.#pending = 0;
  }

  /** Bytes per second; 0 until there was a sample. */
  get perSecond(): number {
    return this.#perSecond ?? 0;
  }

  /** Seconds until `bytes` more are moved; undefined while that cannot be told. */
  secondsFor(bytes: number): number | undefined {
    return this.perSecond > 0 ? bytes / this.perSecond : undefined;
  }
}

/**
 * How much room to ask for, of bytes or of inodes: steps that double, so that a large copy asks seldom, and a mount that
 * writes little holds little of the quota. Pure.
 */
export class RoomStep {
  readonly #first: number;
  readonly #last: number;
  #step: number;
  /** Whether more is asked for before it is needed: not where the quota is nearly used up, where others need it too. */
  #ahead = true;

  /** The first step, and the last. */
  constructor(first: number, last: number) {
    this.#first = first;
    this.#last = last;
    this.#step = first;
  }

  /** What to ask for, where `available` is left and `needed` more than that is wanted now; 0: nothing. */
  toAsk(available: number, needed: number): number {
    const ahead = this.#ahead && (needed > 0 || available < this.#step / 4) ? this.#step : 0;
    const more = Math.max(ahead, needed);
    // What is overdrawn comes first.
    return more === 0 ? 0 : more + Math.max(0, -available);
  }

  /** So much was asked for, and given. */
  given(asked: number, given: number): void {
    if (asked === 0) return;
    this.#ahead = given >= asked;
    if (!this.#ahead) this.#step = this.#first;
    else if (asked >= this.#step) this.#step = Math.min(2 * this.#step, this.#last);
  }

  /** There is plenty, and little is needed: from the first step again. */
  restart(): void {
    this.#step = this.#first;
  }

  /** Others need it: no more than what is needed is asked for, until that is had easily. */
  shrink(): void {
    this.#ahead = false;
    this.#step = this.#first;
  }
}

/**
 * The numbers of awaited changes, by which the server tells them apart, and whether all of them were answered.
 */
export class ChangeNumbers {
  #last = 0;
  #answered = 0;

  /** The number of the next change. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }

  /** A change that had a number was answered. */
  answered(): void {
    this.#answered += 1;
  }

  /** The last number that was given; undefined: not all up to it were answered. */
  get settled(): number | undefined {
    return this.#answered === this.#last ? this.#last : undefined;
  }
}

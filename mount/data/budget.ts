/**
 * The memory of all data that nobody waits for yet: what was read ahead, and files fetched ahead.
 *
 * Invariant: together they hold at most the budget, beyond it only what a program waits for. Where there is no room, those
 * that were not used for longest lose what they have.
 */
const MiB = 1024 * 1024;

/** Bytes, in all files of a home in a mount. */
export const READ_BUDGET = 32 * MiB;

/** Someone whose data may be dropped: they can be asked for again. */
export interface Holder {
  /** Gives back all that it took. */
  drop(): void;
}

export class ReadBudget {
  readonly #limit: number;
  #held = 0;
  /** Those that may hold something, the longest ago used first. */
  readonly #holders = new Set<Holder>();

  constructor(limit = READ_BUDGET) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** Whether there are `bytes` more for it; others that were not used for longer lose theirs where needed. */
  take(bytes: number, holder: Holder): boolean {
    if (bytes > this.#limit) return false;
    for (const other of this.#holders) {
      if (this.#held + bytes <= this.#limit) break;
      if (other === holder) continue;
      this.#holders.delete(other);
      other.drop();
    }
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  /** Takes what a program waits for, whatever it is. */
  force(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }

  /** It was used just now. */
  used(holder: Holder): void {
    this.#holders.delete(holder);
    this.#holders.add(holder);
  }

  /** It holds nothing any more. */
  ended(holder: Holder): void {
    this.#holders.delete(holder);
  }
}

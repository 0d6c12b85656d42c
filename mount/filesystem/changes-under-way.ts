/**
 * Which units may have a change under way (or the opening that goes with one) that the server was asked for, and has not
 * answered.
 *
 * While a program's change waits for the server, the kernel holds the lock of its directory (or the page that is
 * written). A recall of that unit must not wait for the kernel to drop what it knows, which takes the same lock: the server
 * may be answering the change only after the recall. So it asks here.
 */
import { WHOLE_HOME } from '../../protocol/methods.js';

/** Who waits for a change of one of some units. */
interface Waiting {
  readonly isOne: (unit: bigint) => boolean;
  resolve(): void;
}

export class ChangesUnderWay {
  readonly #counts = new Map<bigint, number>();
  readonly #waiting = new Set<Waiting>();

  /** A change of these units begins; the returned function, to be called once, ends it. */
  begin(units: readonly bigint[]): () => void {
    const touched = new Set([...units, WHOLE_HOME]);
    for (const unit of touched) this.#counts.set(unit, (this.#counts.get(unit) ?? 0) + 1);
    for (const waiting of this.#waiting) if (some(touched, waiting.isOne)) waiting.resolve();
    return () => {
      for (const unit of touched) {
        const left = (this.#counts.get(unit) ?? 1) - 1;
        if (left === 0) this.#counts.delete(unit);
        else this.#counts.set(unit, left);
      }
    };
  }

  /** Resolves as soon as a change of a unit is under way of which `isOne` says so, or `until` has settled. */
  async any(isOne: (unit: bigint) => boolean, until: Promise<void>): Promise<void> {
    if (some(this.#counts.keys(), isOne)) return;
    let resolveBegun: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      resolveBegun = resolve;
    });
    const waiting: Waiting = { isOne, resolve: resolveBegun };
    this.#waiting.add(waiting);
    await Promise.race([begun, until]).finally(() => this.#waiting.delete(waiting));
  }
}

function some(units: Iterable<bigint>, isOne: (unit: bigint) => boolean): boolean {
  for (const unit of units) if (isOne(unit)) return true;
  return false;
}

/* What a test is told, in order, and a way to wait for it. */

/** Collects what is told, and wakes who waits for it. */
export class Told<T> {
  readonly all: T[] = [];
  readonly #waiting = new Set<() => void>();
  readonly push = (value: T): void => {
    this.all.push(value);
    for (const wake of this.#waiting) wake();
  };
  until(condition: (all: readonly T[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition(this.all)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

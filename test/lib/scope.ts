/*
 * Whatever a test starts is bound to a scope and ends with it: tap's `t` is one, and so is `OwnScope` for programs
 * that are no tests (the benchmark). A resource registers its own end when it is made, so a failure in between
 * leaks nothing; ends run in reverse order, because what came later stands on what came before.
 */

/** Something that ends: tap's test object satisfies it. */
export interface Scope {
  /** Registers what has to be undone at the end of the scope. Idempotent handlers only: they may find the work done. */
  teardown(handler: () => unknown): unknown;
}

/** A scope that its owner ends by hand. */
export class OwnScope implements Scope {
  readonly #handlers: (() => unknown)[] = [];

  teardown(handler: () => unknown): void {
    this.#handlers.push(handler);
  }

  /** Runs every handler, the last registered first, even when some fail; throws the first failure afterwards. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (let handler = this.#handlers.pop(); handler; handler = this.#handlers.pop()) {
      try {
        await handler();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

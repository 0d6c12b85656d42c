/**
 * Several jobs at once, but no more than so many: a tree of small files is bound by round trips, not by bytes.
 *
 * A job tells its own failures; one that it throws is fatal (the connection is lost, the person interrupts): no further
 * job is started, and `finished` throws it when all that ran have ended.
 */
import { Failure } from '../../protocol/failure.js';
import { EXIT_CONNECTION, EXIT_INTERRUPTED, exitCodeOf } from '../../protocol/login/exit-codes.js';

/** Enough to hide the round trips of small files; more large ones at once would not be faster. */
export const FILES_AT_ONCE = 8;

/** Whether nothing more can be done after this: the connection is lost, or the person interrupts. */
export function isFatal(thrown: unknown): boolean {
  const code = exitCodeOf(Failure.from(thrown));
  return code === EXIT_CONNECTION || code === EXIT_INTERRUPTED;
}

export class Lanes {
  readonly #width: number;
  readonly #running = new Set<Promise<void>>();
  #fatal: { readonly error: unknown } | undefined;

  constructor(width: number) {
    this.#width = width;
  }

  /** Starts the job as soon as a lane is free, and returns then. Throws what was fatal for an earlier one. */
  async run(job: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#width) await Promise.race(this.#running);
    if (this.#fatal !== undefined) throw this.#fatal.error;
    const running = job()
      .catch((error: unknown) => {
        this.#fatal ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async finished(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#fatal !== undefined) throw this.#fatal.error;
  }
}

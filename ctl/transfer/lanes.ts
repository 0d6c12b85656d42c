/**
 * Several jobs at once, but no more than so many: a tree of small files is bound by round trips, not by bytes.
 *
 * A job tells its own failures; one that it throws is fatal (the connection is lost, the person interrupts): no further
 * job is started, and `finished` throws it when all that ran have ended.
 */
import { Failure } from '../../protocol/failure.js';
import { EXIT_CONNECTION, EXIT_INTERRUPTED, exitCodeOf } from '../../program/exit-codes.js';

/** Large files: enough to hide the round trips between them; more at once would not be faster. */
export const FILES_AT_ONCE = 8;
/** Small files: enough to fill the messages that are under way (batches.ts), and 32 MiB of data at most. */
export const SMALL_FILES_AT_ONCE = 512;

/** Whether nothing more can be done after this: the connection is lost, or the person interrupts. */
export function isFatal(thrown: unknown): boolean {
  const code = exitCodeOf(Failure.from(thrown));
  return code === EXIT_CONNECTION || code === EXIT_INTERRUPTED;
}

export class Lanes {
  readonly #width: number;
  #running = 0;
  /** Who waits until fewer are running. */
  readonly #waiting: (() => void)[] = [];
  #fatal: { readonly error: unknown } | undefined;

  constructor(width: number) {
    this.#width = width;
  }

  /** Starts the job as soon as a lane is free, and returns then. Throws what was fatal for an earlier one. */
  async run(job: () => Promise<void>): Promise<void> {
    await this.#fewerThan(this.#width);
    if (this.#fatal !== undefined) throw this.#fatal.error;
    this.#running += 1;
    void job()
      .catch((error: unknown) => {
        this.#fatal ??= { error };
      })
      .finally(() => {
        this.#running -= 1;
        for (const resolve of this.#waiting.splice(0)) resolve();
      });
  }

  async finished(): Promise<void> {
    await this.#fewerThan(1);
    if (this.#fatal !== undefined) throw this.#fatal.error;
  }

  async #fewerThan(count: number): Promise<void> {
    while (this.#running >= count) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }
}

/** Resolves when nothing of these runs any more, whatever failed: who comes again must not meet those of before. */
export async function allFinished(...all: readonly Lanes[]): Promise<void> {
  const ends = await Promise.allSettled(all.map((lanes) => lanes.finished()));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

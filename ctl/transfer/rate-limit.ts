/**
 * The rate of --limit, over all files of a command: who wants to move bytes waits until those before it are paid for. So nothing
 * is saved up while nothing is moved, and turns come in the order in which they were asked for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../protocol/failure.js';

export class RateLimit {
  readonly #bytesPerMs: number;
  /** When what was moved is paid for (milliseconds of performance.now). */
  #paidAt = 0;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Resolves when so many bytes may be moved. ECANCELED. */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    const turn = this.#lastTurn.then(() => this.#wait(bytes, signal));
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    for (let left = this.#left(); left > 0 && !signal.aborted; left = this.#left()) {
      await delay(left, undefined, { signal }).catch(() => undefined);
    }
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    this.#paidAt = Math.max(this.#paidAt, performance.now()) + bytes / this.#bytesPerMs;
  }

  #left(): number {
    return this.#paidAt - performance.now();
  }
}

/**
 * When to connect again: the waits between tries.
 *
 * Only what the server says itself (`shutdown`) is final. All else may pass: the server is away or full, a firewall is being
 * changed, somebody else answers at its address for a while (who gets to see nothing: the key is compared first).
 */
import type { Failure, FailureKind } from '../../protocol/failure.js';

/** The first wait, doubled each time up to the last (milliseconds), until a connection lasts longer than the wait for it. */
const FIRST_MS = 200;
const LAST_MS = 5_000;

/**
 * The same for logins that were refused, by either side, and from when on that has lasted long. A password that is wrong counts as a guess
 * each time, and guesses keep the user out (EAGAIN): so these are few, and then fewer than the server forgets meanwhile.
 */
const FIRST_REFUSED_MS = 5_000;
const LAST_REFUSED_MS = 60_000;
const LONG_REFUSED_MS = 5 * 60_000;
const SLOW_MS = 6 * 60_000;

const REFUSED: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'HOSTKEY',
  'ENOKEY',
  'EKEYEXPIRED',
  'EKEYREJECTED',
  'EAGAIN',
]);

/** What is used of it. */
export type Waits = Pick<Backoff, 'next' | 'lasted' | 'refusedLong'>;

export class Backoff {
  readonly #random: () => number;
  readonly #now: () => number;
  #ms = FIRST_MS;
  /** The latest wait. */
  #waited = 0;
  #refusedMs = FIRST_REFUSED_MS;
  #refusedSince: number | undefined;

  /** `random`: from 0 to 1. `now`: milliseconds. */
  constructor(random: () => number = Math.random, now: () => number = () => performance.now()) {
    this.#random = random;
    this.#now = now;
  }

  /** The login has been refused for so long that a person should know. */
  get refusedLong(): boolean {
    return this.#refusedSince !== undefined && this.#now() - this.#refusedSince >= LONG_REFUSED_MS;
  }

  /** How long to wait after a try that failed, or (undefined) after the loss (milliseconds). */
  next(failure: Failure | undefined): number {
    // Spread out, so that a thousand mounts do not come back in the same moment.
    this.#waited = this.#base(failure) * (0.75 + this.#random() / 2);
    return this.#waited;
  }

  /**
   * A connection was up to date, and was lost after so long (milliseconds). A server that lets in and drops at once is not
   * asked more often than one that does not let in; one that was restarted is.
   */
  lasted(ms: number): void {
    if (ms <= this.#waited) return;
    this.#ms = FIRST_MS;
    this.#accepted();
  }

  #accepted(): void {
    this.#refusedSince = undefined;
    this.#refusedMs = FIRST_REFUSED_MS;
  }

  #base(failure: Failure | undefined): number {
    if (failure === undefined || !REFUSED.has(failure.kind)) {
      this.#accepted();
      return this.#double();
    }
    this.#refusedSince ??= this.#now();
    if (this.refusedLong) return SLOW_MS;
    const ms = this.#refusedMs;
    this.#refusedMs = Math.min(2 * ms, LAST_REFUSED_MS);
    return ms;
  }

  #double(): number {
    const ms = this.#ms;
    this.#ms = Math.min(2 * ms, LAST_MS);
    return ms;
  }
}

/** Resolves after so many milliseconds, or when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}

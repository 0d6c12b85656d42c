/**
 * One connection after the other: what the Remote needs of a connection, and when it makes the next.
 */
import type { Attributes } from '../../protocol/attributes.js';
import type { Failure, FailureKind } from '../../protocol/failure.js';
import type { Change, MethodName, Result } from '../../protocol/methods.js';

/** What a new connection has to tell the server, and whom it tells what the server says. */
export interface Hello {
  /** 16 random bytes that name this client to the server as long as it lives. */
  readonly clientId: Buffer;
  /** Requests below this id need no remembered answer any more. */
  readonly lowestUnanswered: number;
  /** The id of the first request on the connection: ids go on. */
  readonly firstId: number;
  readonly notifications: {
    changed(changes: Change[]): void;
    shutdown(reason: string, again: boolean): void;
  };
  /** Aborts when the Remote is closed. */
  readonly signal: AbortSignal;
}

/** A connection that is logged in: what is used of protocol/client.ts. */
export interface Connection {
  readonly session: {
    readonly bootVerifier: Buffer;
    readonly resumed: boolean;
    readonly root: Attributes;
  };
  request<M extends MethodName>(
    method: M,
    params: unknown[],
    data: Buffer | undefined,
    done: (failure: Failure | undefined, result: Result<M> | undefined) => void,
    options?: { id?: number },
  ): number;
  /** The id that the next request gets. */
  readonly nextId: number;
  /** Tells the server that an answer is not wanted any more; it still comes. */
  cancel(id: number): void;
  /** Whether requests can be answered; false before `done` of the requests that will not be is called. */
  readonly open: boolean;
  /** Resolves at the end, with the reason where there is one. */
  readonly closed: Promise<Failure | undefined>;
  close(): Promise<void>;
}

/** The first wait before connecting again, doubled each time up to the last (milliseconds). */
const FIRST_BACKOFF_MS = 200;
const LAST_BACKOFF_MS = 5_000;

/** Failures of connecting that trying again does not mend. */
const FATAL: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'ENOKEY',
  'EKEYREJECTED',
  'HOSTKEY',
  'EACCES',
  'USAGE',
]);

export function isFatal(failure: Failure): boolean {
  return FATAL.has(failure.kind);
}

/** The waits between tries, longer each time. */
export class Backoff {
  readonly #signal: AbortSignal;
  #ms = FIRST_BACKOFF_MS;

  /** An abort of the signal ends the wait. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  wait(): Promise<void> {
    // Spread out, so that a thousand mounts do not come back in the same moment.
    const ms = this.#ms * (0.75 + Math.random() / 2);
    this.#ms = Math.min(2 * this.#ms, LAST_BACKOFF_MS);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#signal.addEventListener('abort', end);
    });
  }
}

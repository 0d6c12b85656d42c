/** What the Remote needs of a connection to the server, and what it gives to make one. */
import type { NotificationHandlers } from '../../protocol/session/client.js';
import type { LoginResult } from '../../protocol/session/login-call.js';
import type { Failure } from '../../protocol/failure.js';
import type { MethodName, Result } from '../../protocol/methods.js';

/** Who connects, and who is told what the server says. */
export interface Hello {
  /** 16 random bytes that name this client to the server as long as it lives. */
  readonly clientId: Buffer;
  readonly notifications: NotificationHandlers;
  /** Aborts when the Remote is closed. */
  readonly signal: AbortSignal;
}

/** A connection that is logged in: what is used of protocol/session/client.ts. */
export interface Connection {
  readonly session: LoginResult;
  /** Buffers in the result are views, valid only during the call of `done`. Throws EOVERFLOW for what is too long. */
  request<M extends MethodName>(
    method: M,
    params: readonly unknown[],
    data: Buffer | undefined,
    done: (failure: Failure | undefined, result: Result<M> | undefined) => void,
  ): number;
  /** Tells the server that an answer is not wanted any more; it still comes. */
  cancel(id: number): void;
  /** Whether requests can be answered; false before `done` of the requests that will not be is called. */
  readonly open: boolean;
  /** Resolves at the end, with the reason where there is one. */
  readonly closed: Promise<Failure | undefined>;
  /** Closes in order. */
  close(): Promise<void>;
  /** Closes at once: the line is dead. */
  destroy(failure: Failure): void;
}

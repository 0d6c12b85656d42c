/*
 * What the parts of the daemon log to, on whatever thread: fields first, then what happened. Where the lines go is
 * log-file.ts, on the main thread; workers send theirs there, and so need not load pino.
 *
 * Invariant: no field is ever a password, a hash, a key or a credential as a whole; callers pass single fields. Errors are
 * logged by their messages and stacks, not by whatever else hangs on them.
 */
import { Failure } from '../protocol/failure.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Log = Record<LogLevel, (fields: Record<string, unknown>, message: string) => void>;

/** `error` as text fields; a Failure's cause is what a bug hunt needs. */
export function withError({ error, ...fields }: Record<string, unknown>): Record<string, unknown> {
  if (error === undefined) return fields;
  const thrown = error instanceof Failure && error.cause instanceof Error ? error.cause : error;
  if (!(thrown instanceof Error)) return { ...fields, error: String(thrown) };
  const expected = error instanceof Failure && error.cause === undefined;
  return { ...fields, error: (error as Error).message, ...(expected ? {} : { stack: thrown.stack }) };
}

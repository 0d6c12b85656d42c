/*
 * Transactions of the state whose failures are Failures: lmdb's own errors carry the system's text and no errno name, and
 * a full disk has to reach people as ENOSPC, not as a bug.
 */
import type { Database, RootDatabase } from 'lmdb';
import { Failure } from '../protocol/failure.js';

type Table = Database<unknown, string> | RootDatabase;

/** Runs `action` in one write transaction; on the disk when it returns. What `action` throws is thrown on, and nothing is changed. */
export function transact<T>(table: Pick<Table, 'transactionSync'>, action: () => T): T {
  try {
    return table.transactionSync(action);
  } catch (error) {
    throw stateFailure(error);
  }
}

/** Waits for a write that lmdb makes off the thread. */
export async function committed(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    // The reason is a promise of its own; left alone, its rejection would be unhandled and end the thread.
    const reason: unknown = error instanceof Error && 'commitError' in error ? error.commitError : error;
    throw stateFailure(await Promise.resolve(reason).catch((thrown: unknown) => thrown));
  }
}

/** What lmdb threw as a Failure: ENOSPC where the disk of the state is full. Anything else is returned as it is. */
export function stateFailure(error: unknown): unknown {
  const full = error instanceof Error && error.message.startsWith('No space left on device');
  return full ? new Failure('ENOSPC', "the disk of the server's state is full", { cause: error }) : error;
}

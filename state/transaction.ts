/*
 * Every write of the state goes through here: it is refused before lmdb sees it where the disk is full (room.ts), and what lmdb
 * throws is a Failure: its own errors carry the system's text and no errno name, and a full disk has to reach people as
 * ENOSPC, not as a bug.
 */
import type { RootDatabase } from 'lmdb';
import { Failure } from '../protocol/failure.js';
import type { Room } from './room.js';

export class Transactions {
  readonly #root: Pick<RootDatabase, 'transactionSync'>;
  readonly #room: Pick<Room, 'require'>;

  constructor(root: Pick<RootDatabase, 'transactionSync'>, room: Pick<Room, 'require'>) {
    this.#root = root;
    this.#room = room;
  }

  /**
   * Runs `action` in one write transaction, or in the one that it is called in; on the disk when it returns. What `action`
   * throws is thrown on, and nothing is changed. `more`: see Room.require(). ENOSPC.
   */
  run<T>(action: () => T, more = 0): T {
    this.#room.require(more);
    try {
      return this.#root.transactionSync(action);
    } catch (error) {
      throw stateFailure(error);
    }
  }

  /** Waits for a write that lmdb makes off the thread. ENOSPC. */
  async committed(write: () => Promise<unknown>): Promise<void> {
    this.#room.require();
    try {
      await write();
    } catch (error) {
      // The reason is a promise of its own; left alone, its rejection would be unhandled and end the thread.
      const reason: unknown = error instanceof Error && 'commitError' in error ? error.commitError : error;
      throw stateFailure(await Promise.resolve(reason).catch((thrown: unknown) => thrown));
    }
  }
}

/** What lmdb threw as a Failure: ENOSPC where the disk of the state is full. Anything else is returned as it is. */
export function stateFailure(error: unknown): unknown {
  const full = error instanceof Error && error.message.startsWith('No space left on device');
  return full ? new Failure('ENOSPC', "the disk of the server's state is full", { cause: error }) : error;
}

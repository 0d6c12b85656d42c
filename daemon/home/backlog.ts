/*
 * What the answers of one session hold in memory: those that wait for its peer to take them, and those of reads that wait for
 * the disk. All the sessions of a thread have one budget.
 *
 * Invariant: a session holds at most half of what the others leave of the budget, and one answer more; or SMALLEST_SHARE, so
 * that none is starved by those that read nothing. (64 sessions that asked for 64 MiB each and did not read took the daemon from 119
 * MiB to 392, and now to 224; Node 20.20.)
 */
import { Failure } from '../../protocol/failure.js';

/** Bytes of all sessions of this thread. */
const BUDGET = 32 * 1024 * 1024;
/** Bytes of one session: what keeps a fast line busy. */
export const LARGEST_SHARE = 4 * 1024 * 1024;
export const SMALLEST_SHARE = 256 * 1024;
/** What is less is not counted: it is on its way, and nothing may tell when it has gone. */
const UNCOUNTED = 64 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => Promise<void>;
  readonly refuse: (failure: Failure) => void;
}

/** Bytes that the sessions of this thread hold. */
let total = 0;

export class Backlog {
  /** Of answers that are sent, but for the peer to take. */
  #unsent = 0;
  /** Of answers that are being made. */
  #making = 0;
  #waiting: Waiting[] = [];
  #closed = false;

  /** The peer takes less than it asks for: nothing more should be asked of it. */
  get isFull(): boolean {
    return this.#unsent > this.#share();
  }

  /** To be called with the bytes that the peer has not taken yet, when it was sent something, and when it has taken all. */
  setUnsent(bytes: number): void {
    const counted = bytes > UNCOUNTED && !this.#closed ? bytes : 0;
    if (counted === this.#unsent) return;
    total += counted - this.#unsent;
    this.#unsent = counted;
    this.#beginNext();
  }

  /** Does `work`, which has an answer of so many bytes, once there is room for it. ECANCELED where the session ends before. */
  hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      if (this.#closed) return failed(ended());
      const begin = async (): Promise<void> => {
        this.#count(bytes);
        try {
          done(await work());
        } catch (error) {
          failed(error);
        }
        this.#count(-bytes);
        this.#beginNext();
      };
      this.#waiting.push({ bytes, begin, refuse: failed });
      this.#beginNext();
    });
  }

  /** The session has ended: what waits is not done. */
  close(): void {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.setUnsent(0);
    for (const { refuse } of waiting) refuse(ended());
  }

  #share(): number {
    const others = total - this.#unsent - this.#making;
    return Math.min(LARGEST_SHARE, Math.max(SMALLEST_SHARE, (BUDGET - others) / 2));
  }

  #count(bytes: number): void {
    this.#making += bytes;
    total += bytes;
  }

  /** In the order in which they came; one at least, where nothing is held. */
  #beginNext(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const held = this.#unsent + this.#making;
      if (held > 0 && held + next.bytes > this.#share()) return;
      this.#waiting.shift();
      void next.begin();
    }
  }
}

function ended(): Failure {
  return new Failure('ECANCELED', 'the session has ended');
}

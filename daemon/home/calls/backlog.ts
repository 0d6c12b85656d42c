/*
 * What one session holds in memory: answers that wait for its peer to take them, those of reads that wait for the disk, and
 * requests that wait. All the sessions of a thread have one budget of answers, and one of requests.
 *
 * Invariant: a session holds at most half of what the others leave of a budget, and one message more; or SMALLEST_SHARE, so
 * that none is starved by those that read nothing. (64 sessions that asked for 64 MiB each and did not read took the daemon from 119
 * MiB to 392, and now to 224; Node 20.20.)
 *
 * Who has more is not heard for a while; with requests only where they wait for the session's own log, or for a count: who
 * waits for what another client has may have to hear that the other waits for him. Two full windows of one session that is alone
 * are less than its share.
 */
import { Failure } from '../../../protocol/failure.js';

/** Bytes of answers of all sessions of this thread. */
const BUDGET = 32 * 1024 * 1024;
/** Bytes of their requests: one session alone may have half of it. */
export const REQUESTS_BUDGET = 128 * 1024 * 1024;
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

/** Bytes of answers that the sessions of this thread hold. */
let total = 0;
/** Bytes of requests. */
let requests = 0;

export class Backlog {
  /** Of answers that are sent, but for the peer to take. */
  #unsent = 0;
  /** Of answers that are being made. */
  #making = 0;
  /** Of requests that wait for the session's own log, or for the home to be counted. */
  #deferred = 0;
  /** Of others that are not answered yet. */
  #underway = 0;
  #waiting: Waiting[] = [];
  #closed = false;

  /** The peer takes less than it asks for: it should not be heard. */
  get isUnread(): boolean {
    return this.#unsent > this.#share();
  }

  /** The peer sent more than is carried out: it should not be heard, and that is no fault of its own. */
  get isBehind(): boolean {
    return this.#deferred > this.#shareOfRequests();
  }

  /** Bytes of a request that is put off; negative: it is not any more. */
  addDeferred(bytes: number): void {
    this.#deferred += bytes;
    requests += bytes;
  }

  /** Bytes of a request that is begun and answered later; negative: it is answered. */
  addUnderway(bytes: number): void {
    this.#underway += bytes;
    requests += bytes;
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

  /** The session has ended: what waits is not done, and what was sent and put off is forgotten. */
  close(): void {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.setUnsent(0);
    this.addDeferred(-this.#deferred);
    for (const { refuse } of waiting) refuse(ended());
  }

  #share(): number {
    const others = total - this.#unsent - this.#making;
    return Math.min(LARGEST_SHARE, Math.max(SMALLEST_SHARE, (BUDGET - others) / 2));
  }

  #shareOfRequests(): number {
    const others = requests - this.#deferred - this.#underway;
    return Math.max(SMALLEST_SHARE, (REQUESTS_BUDGET - others) / 2);
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

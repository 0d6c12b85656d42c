/*
 * Tells when accounts expire whose users are there: their sessions end then. It is told what may be the next to expire, and looks at
 * the accounts as they are when that time has come, for they may have been changed meanwhile.
 */
import type { UserName } from '../protocol/ids.js';
import { isExpired, type Account } from '../state/accounts.js';
import { CLOCK, type Clock } from './home/calls/clock.js';

/** The longest wait (milliseconds): clocks are set. */
const MAX_WAIT_MS = 60_000;

export interface ExpiryOptions {
  /** Of the users who are there. */
  readonly accounts: () => Iterable<Pick<Account, 'name' | 'expiresAt'>>;
  readonly onExpired: (name: UserName) => void;
  /** For tests. */
  readonly clock?: Clock;
}

export class Expiry {
  readonly #options: ExpiryOptions;
  readonly #clock: Clock;
  #next = Infinity;
  #callOff: () => void = () => undefined;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
  }

  /** An account whose user is there expires then. */
  expects(expiresAt: Account['expiresAt']): void {
    if (expiresAt === null || expiresAt >= this.#next) return;
    this.#next = expiresAt;
    this.#wait();
  }

  close(): void {
    this.#callOff();
  }

  #wait(): void {
    this.#callOff();
    const ms = Math.min(Math.max(this.#next - this.#clock.date(), 0), MAX_WAIT_MS);
    this.#callOff = this.#clock.after(ms, () => this.#look());
  }

  #look(): void {
    if (this.#clock.date() < this.#next) return this.#wait();
    this.#next = Infinity;
    for (const account of this.#options.accounts()) {
      if (isExpired(account, this.#clock.date())) this.#options.onExpired(account.name);
      else this.expects(account.expiresAt);
    }
  }
}

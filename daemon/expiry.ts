/*
 * Tells when accounts expire whose users are there: their sessions end then. It is told what may be the next to expire, and looks at
 * the accounts as they are when that time has come, for they may have been changed meanwhile.
 */
import type { UserName } from '../protocol/ids.js';
import { isExpired, type Account } from '../state/accounts.js';

/** The longest wait (milliseconds): clocks are set. */
const MAX_WAIT_MS = 60_000;

export interface ExpiryOptions {
  /** Of the users who are there. */
  readonly accounts: () => Iterable<Pick<Account, 'name' | 'expiresAt'>>;
  readonly onExpired: (name: UserName) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class Expiry {
  readonly #options: ExpiryOptions;
  #next = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** An account whose user is there expires then. */
  expects(expiresAt: Account['expiresAt']): void {
    if (expiresAt === null || expiresAt >= this.#next) return;
    this.#next = expiresAt;
    this.#wait();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const ms = Math.min(Math.max(this.#next - this.#now(), 0), MAX_WAIT_MS);
    this.#timer = setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    if (this.#now() < this.#next) return this.#wait();
    this.#next = Infinity;
    for (const account of this.#options.accounts()) {
      if (isExpired(account, this.#now())) this.#options.onExpired(account.name);
      else this.expects(account.expiresAt);
    }
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

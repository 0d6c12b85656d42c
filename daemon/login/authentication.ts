/*
 * Who someone is: by the static key that the handshake proved, or by password. Answers ENOKEY (a password is wanted) or
 * EKEYREJECTED and nothing finer; that an account has expired is for who has proved that it is his (EKEYEXPIRED).
 *
 * Invariant: an unknown, a disabled and a password-less account cost and answer what an account with another password
 * does: the same Argon2id parameters (DECOY_HASH), the same delays, the same lockout, the same words.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../protocol/failure.js';
import { userName } from '../../protocol/ids.js';
import { isExpired, type Account } from '../../state/accounts.js';
import { DECOY_HASH } from '../../state/password.js';
import { throttleKey, type Attempt, type Throttle } from './throttle.js';

export interface Credentials {
  /** As the client wrote it. */
  readonly user: string;
  readonly password: string | null;
  /** The client's static key, proved by the handshake: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Without port. */
  readonly address: string;
}

export interface Identity {
  readonly account: Account;
  /** Base64 of the key that was accepted; null after a password. */
  readonly key: string | null;
}

/** The time, so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal, ref: false }),
};

export interface PasswordChecker {
  /** See Argon2Thread.verify. */
  verify(hash: string, password: string, proceed: () => boolean): Promise<boolean | undefined>;
}

export interface AuthenticationOptions {
  /** The account of this name. */
  readonly lookUp: (name: Account['name']) => Account | undefined;
  readonly passwords: PasswordChecker;
  readonly throttle: Throttle;
  readonly clock?: Clock;
}

export class Authentication {
  readonly #lookUp: AuthenticationOptions['lookUp'];
  readonly #passwords: PasswordChecker;
  readonly #throttle: Throttle;
  readonly #clock: Clock;

  constructor(options: AuthenticationOptions) {
    this.#lookUp = options.lookUp;
    this.#passwords = options.passwords;
    this.#throttle = options.throttle;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Throws ENOKEY (no password given, and the key is not one of the user's), EKEYREJECTED, EKEYEXPIRED, or EAGAIN (too many failed: says
   * when to try again). `signal` ends the wait of a client that went away.
   */
  async authenticate(credentials: Credentials, signal: AbortSignal): Promise<Identity> {
    const { user, password, address, publicKey } = credentials;
    const account = this.#account(user);
    const key = Buffer.from(publicKey).toString('base64');
    const attempt = { user, address: throttleKey(address), device: key };
    if (account?.keys.some((one) => one.publicKey === key) === true) {
      return this.#accept({ account, key }, attempt);
    }
    if (password === null) throw new Failure('ENOKEY', 'this key is not known: log in by password');
    for (;;) {
      const checked = this.#account(user)?.passwordHash;
      if (!(await this.#checkPassword(attempt, password, checked ?? DECOY_HASH, signal))) {
        throw wrongLogin();
      }
      // Read anew: the check took a while, and the account may have been closed meanwhile, or have another password.
      const current = this.#account(user);
      if (current === undefined) throw wrongLogin();
      if (current.passwordHash !== checked) continue;
      return this.#accept({ account: current, key: null }, attempt);
    }
  }

  #accept(identity: Identity, attempt: Attempt): Identity {
    if (isExpired(identity.account)) {
      throw accountExpired();
    }
    this.#throttle.succeeded(attempt, Date.now());
    return identity;
  }

  /** An account that may log in. */
  #account(user: string): Account | undefined {
    try {
      const account = this.#lookUp(userName(user));
      return account?.disabled === false ? account : undefined;
    } catch (error) {
      if (error instanceof Failure && error.kind === 'EINVAL') return undefined;
      throw error;
    }
  }

  async #checkPassword(
    attempt: Attempt,
    password: string,
    hash: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (;;) {
      const verdict = this.#throttle.verdict(attempt, this.#clock.now());
      if (verdict.kind === 'locked') {
        throw new Failure('EAGAIN', `too many failed logins: try again in ${duration(verdict.ms)}`);
      }
      if (verdict.kind === 'wait') {
        await this.#clock.sleep(verdict.ms, signal);
        continue;
      }
      // Asked again when the turn comes: else tries in parallel would all pass before the first one failed.
      const proceed = () => this.#throttle.verdict(attempt, this.#clock.now()).kind === 'try';
      const matches = await this.#passwords.verify(hash, password, proceed);
      if (matches === undefined) {
        signal.throwIfAborted();
        continue;
      }
      if (!matches) this.#throttle.failed(attempt, this.#clock.now());
      return matches;
    }
  }
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

export function wrongLogin(): Failure {
  return new Failure('EKEYREJECTED', 'wrong user or password');
}

/** For who has proved that the account is his. */
export function accountExpired(): Failure {
  return new Failure('EKEYEXPIRED', 'the account has expired: ask who administers the server');
}

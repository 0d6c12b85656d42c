/*
 * The administrator of the web page, who has a password and no account: checked as users are (authentication.ts), with a
 * throttle of its own, so that whoever guesses here locks no user out.
 */
import { Failure } from '../protocol/failure.js';
import { userName } from '../protocol/ids.js';
import type { State } from '../state/store.js';
import { Authentication, type PasswordChecker } from './login/authentication.js';
import { Throttle, type ThrottleLimits } from './login/throttle.js';

const NAME = userName('administrator');
/** How long the delays after failures may hold a request up (milliseconds). */
const PATIENCE_MS = 20_000;
/** How many may wait: each costs a check at its end. */
const MAX_WAITING = 8;

export class Administrator {
  readonly #throttle: Throttle;
  readonly #authentication: Authentication;
  #waiting = 0;

  constructor(state: Pick<State, 'webPasswordHash'>, passwords: PasswordChecker, limits: ThrottleLimits) {
    this.#throttle = new Throttle(limits);
    this.#authentication = new Authentication({
      passwords,
      throttle: this.#throttle,
      lookUp: (name) => ({
        ...{ name, quotaBytes: 0, maxFiles: 0, keys: [], createdAt: 0, disabled: false, expiresAt: null },
        passwordHash: state.webPasswordHash ?? null,
      }),
    });
  }

  setLimits(limits: ThrottleLimits): void {
    this.#throttle.setLimits(limits);
  }

  /** EKEYREJECTED where it is not the password; EAGAIN. */
  async check(password: string, address: string): Promise<void> {
    // Nobody proves a key over HTTP: browsers are told apart by their addresses alone.
    const credentials = { user: NAME, password, publicKey: Buffer.from(address), address };
    const patience = AbortSignal.timeout(PATIENCE_MS);
    if (this.#waiting >= MAX_WAITING) throw tooMany();
    this.#waiting += 1;
    try {
      await this.#authentication.authenticate(credentials, patience);
    } catch (error) {
      throw patience.aborted && !(error instanceof Failure) ? tooMany() : error;
    } finally {
      this.#waiting -= 1;
    }
  }
}

function tooMany(): Failure {
  return new Failure('EAGAIN', 'too many wrong passwords: try again in a minute');
}

/*
 * Who is signed in at the page: tokens in the memory of the daemon, which its browsers hold as a cookie.
 *
 * Invariants: a session ends after SESSION_MS, with the daemon, and when the password is another one; there are at most
 * MAX_SESSIONS, of which the oldest goes first; each has a token of its own for its forms, so that no other site can send them.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';

const COOKIE = 'ftpmount';
const TOKEN_BYTES = 32;
const SESSION_MS = 8 * 60 * 60 * 1000;
const MAX_SESSIONS = 32;

/** What came of the last form, shown with the next page. */
export interface Notice {
  readonly text: string;
  readonly failed: boolean;
}

export interface SignedIn {
  /** Is in each form. */
  readonly formToken: string;
  /** ADDRESS, for the audit trail. */
  readonly address: string;
  notice: Notice | undefined;
}

interface Kept {
  readonly session: SignedIn;
  readonly passwordHash: string;
  readonly expiresAt: number;
}

export class SignIns {
  readonly #sessions = new Map<string, Kept>();
  readonly #passwordHash: () => string | undefined;

  /** `passwordHash`: of the administrator, at present. */
  constructor(passwordHash: () => string | undefined) {
    this.#passwordHash = passwordHash;
  }

  /** The password was right: the value of Set-Cookie. */
  open(address: string): string {
    const token = newToken();
    const passwordHash = this.#passwordHash() ?? '';
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined && this.#sessions.size >= MAX_SESSIONS) this.#sessions.delete(oldest);
    const session = { formToken: newToken(), address, notice: undefined };
    this.#sessions.set(token, { session, passwordHash, expiresAt: Date.now() + SESSION_MS });
    return cookie(token, SESSION_MS / 1000);
  }

  /** By the header Cookie of a request. */
  find(header: string | undefined): SignedIn | undefined {
    const token = tokenIn(header);
    const kept = this.#sessions.get(token);
    if (kept === undefined) return undefined;
    if (kept.expiresAt > Date.now() && kept.passwordHash === this.#passwordHash()) return kept.session;
    this.#sessions.delete(token);
    return undefined;
  }

  /** The value of Set-Cookie that forgets. */
  close(header: string | undefined): string {
    this.#sessions.delete(tokenIn(header));
    return cookie('', 0);
  }
}

/** Whether a form is of this session. */
export function isOwnForm({ formToken }: SignedIn, token: string): boolean {
  const [own, given] = [Buffer.from(formToken), Buffer.from(token)];
  return own.length === given.length && timingSafeEqual(own, given);
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

function cookie(token: string, seconds: number): string {
  return `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
}

function tokenIn(header = ''): string {
  const pairs = header.split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === COOKIE)?.[1] ?? '';
}

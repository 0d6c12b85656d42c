/*
 * What failed logins cost: a delay that doubles with each failure, then lockout for a time; counted per user name (whether
 * or not there is such a user) and per address. Pure: the time is an argument.
 *
 * Invariants: both tables are bounded, the entry that changed least recently goes first; a success clears the user's
 * entry but not the address's, or an attacker's own account would reset the count. Logins by key are not throttled: there
 * is nothing to guess, and nobody can lock a user with a key out by guessing that user's password.
 */

export interface ThrottleLimits {
  /** Failures after which nothing more is tried. */
  readonly lockoutFailures: number;
  /** How long after the last failure an entry is forgotten, and with it the lockout (milliseconds). */
  readonly lockoutMs: number;
}

/** The delay after one failure, and the longest (milliseconds). A person who types hardly notices the first ones. */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8000;

/** Entries of each table: some 100 bytes each. */
export const MAX_ENTRIES = 10_000;

interface Entry {
  failures: number;
  lastAt: number;
}

export type Verdict =
  { readonly kind: 'try' } | { readonly kind: 'wait'; readonly ms: number } | { readonly kind: 'locked' };

export class Throttle {
  #limits: ThrottleLimits;
  readonly #users = new Map<string, Entry>();
  readonly #addresses = new Map<string, Entry>();

  constructor(limits: ThrottleLimits) {
    this.#limits = limits;
  }

  setLimits(limits: ThrottleLimits): void {
    this.#limits = limits;
  }

  /** Whether a password may be tried now. */
  verdict(user: string, address: string, now: number): Verdict {
    let wait = 0;
    for (const entry of [this.#live(this.#users, user, now), this.#live(this.#addresses, address, now)]) {
      if (entry === undefined) continue;
      if (entry.failures >= this.#limits.lockoutFailures) return { kind: 'locked' };
      const delay = Math.min(FIRST_DELAY_MS * 2 ** (entry.failures - 1), LONGEST_DELAY_MS);
      wait = Math.max(wait, entry.lastAt + delay - now);
    }
    return wait > 0 ? { kind: 'wait', ms: wait } : { kind: 'try' };
  }

  failed(user: string, address: string, now: number): void {
    this.#count(this.#users, user, now);
    this.#count(this.#addresses, address, now);
  }

  succeeded(user: string): void {
    this.#users.delete(user);
  }

  #live(table: Map<string, Entry>, key: string, now: number): Entry | undefined {
    const entry = table.get(key);
    if (entry === undefined || now - entry.lastAt < this.#limits.lockoutMs) return entry;
    table.delete(key);
    return undefined;
  }

  #count(table: Map<string, Entry>, key: string, now: number): void {
    const failures = (this.#live(table, key, now)?.failures ?? 0) + 1;
    // Deleted and set again: a Map keeps the order of insertion, which so is the order of change.
    table.delete(key);
    if (table.size >= MAX_ENTRIES) {
      const [oldest] = table.keys();
      if (oldest !== undefined) table.delete(oldest);
    }
    table.set(key, { failures, lastAt: now });
  }
}

/** What counts as one address: an IPv4 address, or the /64 that an IPv6 host has to itself. */
export function throttleKey(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1).join('').split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

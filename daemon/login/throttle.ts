/*
 * What failed logins by password cost: a delay that doubles with each failure, then a lockout for a time. Pure: the time is
 * an argument.
 *
 * Failures are counted for a user at a *place*: the device (the static key that the handshake proved) from which that user was let in
 * before, else the address. What strangers do from anywhere is counted for the user, and for the address, besides.
 *
 * Invariants:
 * - a lockout is of one user at one place: who guesses keeps nobody out elsewhere, and nobody else where he is;
 * - whose place is known (a login succeeded from there) is not delayed by what strangers do;
 * - strangers are delayed, and never locked out, by what others do;
 * - a user that does not exist is counted as one that does;
 * - all tables are bounded; the entry that changed least recently goes first.
 */
import { ipv6Groups, plainAddress } from '../../protocol/transport/addresses.js';
import type { KnownPlaces, ThrottleRecord } from '../../state/throttle-file.js';

export interface ThrottleLimits {
  /** Failures of a user at a place after which nothing more is tried. */
  readonly lockoutFailures: number;
  /** How long after the last failure an entry is forgotten, and with it the lockout (milliseconds). */
  readonly lockoutMs: number;
}

/** Who tries, and from where. */
export interface Attempt {
  /** As the client wrote it. */
  readonly user: string;
  /** As throttleKey() has it. */
  readonly address: string;
  /** The client's static key, base64. */
  readonly device: string;
}

/** `ms`: until it may be tried. */
export type Verdict =
  | { readonly kind: 'try' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'locked'; readonly ms: number };

/** The delay after one failure, and the longest (milliseconds). A person who types hardly notices the first ones. */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8000;

/** Entries of each table: some 100 bytes each. */
export const MAX_ENTRIES = 10_000;
/** Addresses and devices of one user that are known. A client without a key file is another device each time it starts. */
const MAX_ADDRESSES = 16;
const MAX_DEVICES = 64;

interface Count {
  failures: number;
  lastAt: number;
}

const NOWHERE: KnownPlaces = { addresses: [], devices: [], lastLogin: 0 };

export class Throttle {
  #limits: ThrottleLimits;
  readonly #known = new Map<string, KnownPlaces>();
  readonly #counts = {
    places: new Map<string, Count>(),
    users: new Map<string, Count>(),
    addresses: new Map<string, Count>(),
  };

  constructor(limits: ThrottleLimits) {
    this.#limits = limits;
  }

  setLimits(limits: ThrottleLimits): void {
    this.#limits = limits;
  }

  /** Whether a password may be tried now. */
  verdict(attempt: Attempt, now: number): Verdict {
    const { place, isKnown } = this.#placeOf(attempt);
    const here = this.#live(this.#counts.places, placeKey(attempt.user, place), now);
    if (here !== undefined && here.failures >= this.#limits.lockoutFailures) {
      return { kind: 'locked', ms: here.lastAt + this.#limits.lockoutMs - now };
    }
    const counts = [here];
    if (!isKnown) {
      counts.push(this.#live(this.#counts.users, attempt.user, now));
      counts.push(this.#live(this.#counts.addresses, attempt.address, now));
    }
    const ms = Math.max(...counts.map((count) => (count === undefined ? 0 : readyAt(count) - now)));
    return ms > 0 ? { kind: 'wait', ms } : { kind: 'try' };
  }

  failed(attempt: Attempt, now: number): void {
    const { place, isKnown } = this.#placeOf(attempt);
    this.#count(this.#counts.places, placeKey(attempt.user, place), now);
    if (isKnown) return;
    this.#count(this.#counts.users, attempt.user, now);
    this.#count(this.#counts.addresses, attempt.address, now);
  }

  /** A login, by password or key: its device and its address are known from now on. `at`: milliseconds since 1970. */
  succeeded(attempt: Attempt, at: number): void {
    const { user, address, device } = attempt;
    this.#counts.places.delete(placeKey(user, this.#placeOf(attempt).place));
    const { addresses, devices } = this.#known.get(user) ?? NOWHERE;
    setLatest(this.#known, user, {
      addresses: withLatest(addresses, address, MAX_ADDRESSES),
      devices: withLatest(devices, device, MAX_DEVICES),
      lastLogin: at,
    });
  }

  /** Forgets the failures of a user, or from an address. Returns how many lockouts that lifts. */
  forgive(userOrAddress: string, now: number): number {
    this.#counts.users.delete(userOrAddress);
    this.#counts.addresses.delete(throttleKey(userOrAddress));
    const atAddress = placeKey('', addressPlace(throttleKey(userOrAddress)));
    let lifted = 0;
    for (const key of [...this.#counts.places.keys()]) {
      if (!key.startsWith(atAddress) && userOf(key) !== userOrAddress) continue;
      const count = this.#live(this.#counts.places, key, now);
      if (count !== undefined && count.failures >= this.#limits.lockoutFailures) lifted += 1;
      this.#counts.places.delete(key);
    }
    return lifted;
  }

  /** All that a restart must not forget. `at`: now, in milliseconds since 1970. */
  record(now: number, at: number): ThrottleRecord {
    const ages = (table: Map<string, Count>): [string, number, number][] =>
      [...table].map(([key, { failures, lastAt }]) => [key, failures, now - lastAt]);
    const { places, users, addresses } = this.#counts;
    const known = [...this.#known];
    return { at, known, places: ages(places), users: ages(users), addresses: ages(addresses) };
  }

  /** What a record tells, before anything else is counted. */
  restore(record: ThrottleRecord, now: number, at: number): void {
    for (const [user, places] of record.known) setLatest(this.#known, user, places);
    const since = Math.max(0, at - record.at);
    for (const name of ['places', 'users', 'addresses'] as const) {
      for (const [key, failures, age] of record[name]) {
        setLatest(this.#counts[name], key, { failures, lastAt: now - age - since });
      }
    }
  }

  #placeOf({ user, address, device }: Attempt): { place: string; isKnown: boolean } {
    const known = this.#known.get(user) ?? NOWHERE;
    if (known.devices.includes(device)) return { place: `device ${device}`, isKnown: true };
    return { place: addressPlace(address), isKnown: known.addresses.includes(address) };
  }

  #live(table: Map<string, Count>, key: string, now: number): Count | undefined {
    const count = table.get(key);
    if (count === undefined || now - count.lastAt < this.#limits.lockoutMs) return count;
    table.delete(key);
    return undefined;
  }

  #count(table: Map<string, Count>, key: string, now: number): void {
    setLatest(table, key, { failures: (this.#live(table, key, now)?.failures ?? 0) + 1, lastAt: now });
  }
}

function readyAt({ failures, lastAt }: Count): number {
  return lastAt + Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS);
}

function addressPlace(address: string): string {
  return `address ${address}`;
}

/** The place first: nothing in it looks like what follows it, while a user's name may be anything. */
function placeKey(user: string, place: string): string {
  return `${place}: ${user}`;
}

function userOf(key: string): string {
  return key.slice(key.indexOf(': ') + 2);
}

function withLatest(list: readonly string[], item: string, most: number): string[] {
  return [...list.filter((other) => other !== item), item].slice(-most);
}

/** A Map keeps the order of insertion, which so is the order of change. */
function setLatest<T>(table: Map<string, T>, key: string, value: T): void {
  table.delete(key);
  if (table.size >= MAX_ENTRIES) {
    const [oldest] = table.keys();
    if (oldest !== undefined) table.delete(oldest);
  }
  table.set(key, value);
}

/** What counts as one address: an IPv4 address, or the /64 that an IPv6 host has to itself. */
export function throttleKey(address: string): string {
  const plain = plainAddress(address);
  const groups = ipv6Groups(plain);
  return groups === undefined ? plain : `${groups.slice(0, 4).join(':')}::/64`;
}

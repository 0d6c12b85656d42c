/*
 * Who has which locks, of any number of files: POSIX locks by ranges, and flock. Both ends use it: the server for all clients
 * of a home, a mount for what is its own.
 *
 * As Linux has it: a POSIX lock takes the place of what its owner had in the range, at once; of flock the former lock goes
 * before the new one is looked at (flock(2)). What is held stands in the way, who waits does not. Who waits is looked at in
 * the order of coming whenever something is given back. POSIX locks that would wait for each other, over all files of the
 * table, are refused (EDEADLK), as far as SEARCH_STEPS show it; of flock nothing is found out.
 *
 * Pure: no clock, nothing is sent. Bounded for each party (a client), which all of its owners share. `done` of a wait is called
 * when the table is as it says, within the call that brought it about.
 */
import { Failure } from '../protocol/failure.js';
import { MAX_LOCK_WAITS, MAX_LOCKS } from '../protocol/limits.js';
import { F_UNLCK, LOCK_FLOCK, LOCK_POSIX, type Lock, type LockKind } from '../protocol/file-locks.js';
import { conflict, replaced } from './ranges.js';

/** A lock that an owner asks for. */
export interface LockRequest<Owner> {
  readonly owner: Owner;
  readonly kind: LockKind;
  readonly lock: Lock;
}

/** A lock that somebody has. */
export interface HeldLock<Owner> {
  readonly owner: Owner;
  readonly lock: Lock;
}

/** All locks of one kind that an owner has of a file. */
export interface OwnedLocks<Owner> {
  readonly owner: Owner;
  readonly kind: LockKind;
  readonly locks: readonly Lock[];
}

/** A request that waits. */
export interface LockWait<File, Owner> extends LockRequest<Owner> {
  readonly file: File;
  /** The lock is held; or EDEADLK, as somebody else got what it waited for, or ENOLCK. */
  readonly done: (failure: Failure | undefined) => void;
}

/**
 * How many locks one request may look at for a circle of waits; those that it does not get to are taken for none, as Linux
 * does after ten owners. Without it one client's few thousand locks and waits keep a worker busy for minutes.
 */
const SEARCH_STEPS = 20_000;

/** What is left of SEARCH_STEPS. */
interface Search {
  steps: number;
}

type ByOwner<Owner> = Map<Owner, readonly Lock[]>;

interface FileLocks<File, Owner> {
  /** By kind. Nobody is in it with an empty list. */
  readonly held: readonly [ByOwner<Owner>, ByOwner<Owner>];
  /** In the order of coming. */
  readonly waits: Set<LockWait<File, Owner>>;
}

/** What a party has in the table. */
interface Count {
  locks: number;
  waits: number;
}

export class LockTable<File, Owner> {
  readonly #partyOf: (owner: Owner) => unknown;
  readonly #files = new Map<File, FileLocks<File, Owner>>();
  /** POSIX locks that are waited for, by who waits. */
  readonly #waitsOf = new Map<Owner, Set<LockWait<File, Owner>>>();
  readonly #counts = new Map<unknown, Count>();

  /** `partyOf`: with whom an owner shares its bounds. */
  constructor(partyOf: (owner: Owner) => unknown) {
    this.#partyOf = partyOf;
  }

  /** Whether there is anything of a file. */
  has(file: File): boolean {
    return this.#files.has(file);
  }

  /** How many more locks a party has, of MAX_LOCKS, when a request has taken the place of what was in its range. */
  growth(file: File, { owner, kind, lock }: LockRequest<Owner>): number {
    const before = this.locksOf(file, owner, kind);
    return Math.max(0, replaced(before, lock).length - before.length);
  }

  /** Whether a party can have so many more locks. */
  hasRoom(owner: Owner, more: number): boolean {
    return more <= 0 || this.#countOf(owner).locks + more <= MAX_LOCKS;
  }

  /** Everything that is held of a file. */
  *held(file: File): Generator<OwnedLocks<Owner>> {
    const there = this.#files.get(file);
    if (there === undefined) return;
    for (const kind of [LOCK_POSIX, LOCK_FLOCK] as const) {
      for (const [owner, locks] of there.held[kind]) yield { owner, kind, locks };
    }
  }

  locksOf(file: File, owner: Owner, kind: LockKind): readonly Lock[] {
    return this.#files.get(file)?.held[kind].get(owner) ?? [];
  }

  /** Who waits for a lock of a file, in the order of coming. */
  waits(file: File): Iterable<LockWait<File, Owner>> {
    return this.#files.get(file)?.waits ?? [];
  }

  /** Locks of others that stand in the way of a request, one of each owner. */
  *opponents(file: File, { owner, kind, lock }: LockRequest<Owner>): Generator<HeldLock<Owner>> {
    if (lock.type === F_UNLCK) return;
    for (const [other, locks] of this.#files.get(file)?.held[kind] ?? []) {
      if (other === owner) continue;
      const found = locks.find((each) => conflict(each, lock));
      if (found !== undefined) yield { owner: other, lock: found };
    }
  }

  /** Takes a lock, or gives it back. False where others are in the way. ENOLCK. */
  take(file: File, request: LockRequest<Owner>): boolean {
    const { owner, kind, lock } = request;
    if (kind === LOCK_FLOCK) {
      const [former] = this.locksOf(file, owner, kind);
      if (former?.type === lock.type) return true;
      this.#set(file, owner, kind, []);
    }
    const free = this.#isFree(file, request);
    try {
      if (free) this.put(file, request);
    } finally {
      this.#retry(file);
    }
    return free;
  }

  /** As take(), for who knows that nothing is in the way. */
  put(file: File, { owner, kind, lock }: LockRequest<Owner>): void {
    this.#set(file, owner, kind, replaced(this.locksOf(file, owner, kind), lock));
    this.#tidy(file);
  }

  /** An owner has exactly these locks of a file, in order. False where others are in the way: then it has what it had. ENOLCK. */
  replace(file: File, owner: Owner, kind: LockKind, locks: readonly Lock[]): boolean {
    if (!locks.every((lock) => this.#isFree(file, { owner, kind, lock }))) return false;
    this.#set(file, owner, kind, locks.reduce<readonly Lock[]>(replaced, []));
    this.#retry(file);
    return true;
  }

  /** An owner has none of these any more. */
  release(file: File, owner: Owner, kind: LockKind): void {
    this.#set(file, owner, kind, []);
    this.#retry(file);
  }

  /** Nobody who is meant has or wants anything of a file any more; who of them waits is not told. */
  drop(file: File, isMeant: (owner: Owner) => boolean): void {
    for (const wait of [...this.waits(file)]) if (isMeant(wait.owner)) this.#unlist(wait);
    for (const { owner, kind } of [...this.held(file)]) if (isMeant(owner)) this.#set(file, owner, kind, []);
    this.#retry(file);
  }

  /** Waits for a lock that take() has refused. EDEADLK, ENOLCK. */
  wait(
    file: File,
    request: LockRequest<Owner>,
    done: (failure: Failure | undefined) => void,
  ): LockWait<File, Owner> {
    const { owner, kind, lock } = request;
    const wait: LockWait<File, Owner> = { file, owner, kind, lock, done };
    if (this.#isCircle(wait, { steps: SEARCH_STEPS })) throw deadlock();
    if (this.#countOf(owner).waits >= MAX_LOCK_WAITS) throw new Failure('ENOLCK', 'too many wait for locks');
    this.#count(owner, 0, 1);
    this.#fileOf(file).waits.add(wait);
    if (kind === LOCK_POSIX) {
      const others = this.#waitsOf.get(owner);
      if (others === undefined) this.#waitsOf.set(owner, new Set([wait]));
      else others.add(wait);
    }
    return wait;
  }

  /** It does not wait any more. */
  withdraw(wait: LockWait<File, Owner>): void {
    this.#unlist(wait);
    this.#tidy(wait.file);
  }

  #isFree(file: File, request: LockRequest<Owner>): boolean {
    for (const _ of this.opponents(file, request)) return false;
    return true;
  }

  /** Gives those who wait what they can have now. */
  #retry(file: File): void {
    const ended: (() => void)[] = [];
    const search: Search = { steps: SEARCH_STEPS };
    for (let again = true; again;) {
      again = false;
      for (const wait of [...this.waits(file)]) {
        const failure = this.#tryWaiting(wait, search);
        if (failure === null) continue;
        this.#unlist(wait);
        ended.push(() => wait.done(failure));
        // What it had in the range may have stood in the way of one before it.
        again = true;
      }
    }
    this.#tidy(file);
    for (const end of ended) end();
  }

  /** How a wait ends; null: not yet. */
  #tryWaiting(wait: LockWait<File, Owner>, search: Search): Failure | undefined | null {
    try {
      if (!this.#isFree(wait.file, wait)) return this.#isCircle(wait, search) ? deadlock() : null;
      this.put(wait.file, wait);
      return undefined;
    } catch (error) {
      return Failure.from(error);
    }
  }

  /** Whether one of those whom a request would wait for waits, by way of others, for its own owner. */
  #isCircle(request: LockRequest<Owner> & { readonly file: File }, search: Search): boolean {
    if (request.kind !== LOCK_POSIX) return false;
    const seen = new Set<Owner>();
    const open = [request];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const [other, locks] of this.#files.get(next.file)?.held[LOCK_POSIX] ?? []) {
        search.steps -= 1;
        if (search.steps < 0) return false;
        if (other === next.owner || seen.has(other)) continue;
        search.steps -= locks.length;
        const wanted = next.lock;
        if (!locks.some((lock) => conflict(lock, wanted))) continue;
        if (other === request.owner) return true;
        seen.add(other);
        open.push(...(this.#waitsOf.get(other) ?? []));
      }
    }
    return false;
  }

  #set(file: File, owner: Owner, kind: LockKind, locks: readonly Lock[]): void {
    const before = this.locksOf(file, owner, kind).length;
    const more = locks.length - before;
    if (!this.hasRoom(owner, more)) throw tooMany();
    if (locks.length === 0) this.#files.get(file)?.held[kind].delete(owner);
    else this.#fileOf(file).held[kind].set(owner, locks);
    this.#count(owner, more, 0);
  }

  #unlist(wait: LockWait<File, Owner>): void {
    if (this.#files.get(wait.file)?.waits.delete(wait) !== true) return;
    this.#count(wait.owner, 0, -1);
    const others = this.#waitsOf.get(wait.owner);
    others?.delete(wait);
    if (others?.size === 0) this.#waitsOf.delete(wait.owner);
  }

  #fileOf(file: File): FileLocks<File, Owner> {
    let there = this.#files.get(file);
    if (there === undefined) {
      there = { held: [new Map(), new Map()], waits: new Set() };
      this.#files.set(file, there);
    }
    return there;
  }

  #tidy(file: File): void {
    const there = this.#files.get(file);
    if (there === undefined || there.waits.size > 0) return;
    if (there.held.every(({ size }) => size === 0)) this.#files.delete(file);
  }

  #countOf(owner: Owner): Count {
    return this.#counts.get(this.#partyOf(owner)) ?? { locks: 0, waits: 0 };
  }

  #count(owner: Owner, locks: number, waits: number): void {
    const party = this.#partyOf(owner);
    const count = this.#counts.get(party) ?? { locks: 0, waits: 0 };
    count.locks += locks;
    count.waits += waits;
    if (count.locks === 0 && count.waits === 0) this.#counts.delete(party);
    else this.#counts.set(party, count);
  }
}

/** A party has MAX_LOCKS. */
export function tooMany(): Failure {
  return new Failure('ENOLCK', `more than ${MAX_LOCKS} locks`);
}

function deadlock(): Failure {
  return new Failure('EDEADLK', 'who has the lock waits for this one');
}

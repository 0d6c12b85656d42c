/*
 * The locks of a home: those of all clients that the server decides about. Those of a client that owns a file's unit for
 * writing are decided by itself, and come here with the recall (`relock`).
 *
 * Invariants:
 * - where a client has locks here, or waits for some, no other client holds the file's unit for writing: whose request touches
 *   the unit lowers it first, and leases.ts gives it to nobody else; a file that comes into another unit takes that along;
 * - a client that is silent keeps others waiting for the term after its last word at most: then all that it has here is
 *   taken from it, its connection is closed, and what it says again is refused. One that is connected is asked for a word before;
 * - a wait ends with its call, whose session ends it.
 */
import { Failure } from '../../protocol/failure.js';
import { F_UNLCK, LOCK_POSIX, type Lock, type LockKind } from '../../protocol/file-locks.js';
import type { FileRef } from '../../protocol/references.js';
import { LEASE_READ, LEASE_WRITE } from '../../protocol/methods.js';
import { LockTable, type LockRequest, type LockWait } from '../../locks/lock-table.js';
import type { Log } from '../log.js';
import type { Call } from './calls/call.js';
import type { Clock } from './calls/clock.js';
import { requireRegular } from './files/file-access.js';
import type { Grace } from './leases/grace.js';
import type { HomeClient } from './home-client.js';
import type { Identities } from './files/identities.js';
import type { LeaseHolder } from './leases/lease-table.js';
import type { LockedUnits, Leases } from './leases/leases.js';
import type { Located } from './disk/located.js';
import { unitOfFile } from './leases/units.js';

/** How long after a time when the term did not run it is looked at again (milliseconds). */
const AFTER_FREEZE_MS = 1000;

/** Files of one piece of what is looked at for a client that ends: a microsecond each. */
const ENDED_AT_ONCE = 256;

/** A client and one of its owners, as a key. */
type Owner = `${string} ${bigint}`;

/** A file with locks, or that somebody waits for. */
interface LockedFile {
  unit: bigint;
  clients: ReadonlySet<string>;
}

export interface HomeLocksOptions {
  readonly identities: Identities;
  readonly leases: () => Leases;
  readonly grace: () => Grace;
  readonly clock: Clock;
  /** How long a client that is away is waited for (milliseconds). */
  readonly termMs: number;
  /** The home cannot be changed: the term does not run. */
  readonly isFrozen: () => boolean;
  readonly log: Log;
}

export class HomeLocks implements LockedUnits {
  readonly #options: HomeLocksOptions;
  readonly #table = new LockTable<bigint, Owner>(clientIdOf);
  readonly #files = new Map<bigint, LockedFile>();
  readonly #filesOf = new Map<bigint, Set<bigint>>();
  /** Those who have or want something. */
  readonly #clients = new Map<string, HomeClient>();
  /** Those who are connected, and were asked for a word: when. */
  readonly #asked = new Map<HomeClient, number>();
  #due = Infinity;
  #callOff: (() => void) | undefined;

  constructor(options: HomeLocksOptions) {
    this.#options = options;
  }

  /** Takes a lock, or gives it back: at once, or when others have given it back. EAGAIN, EDEADLK, ENOLCK, ECANCELED. */
  lock(
    client: HomeClient,
    located: Located,
    asked: { owner: bigint; kind: LockKind; lock: Lock },
    wait: boolean,
    call: Call,
  ): null | Promise<null> {
    requireRegular(located.status);
    const { ino } = located.status;
    const request = { ...asked, owner: ownerOf(client, asked.owner) };
    this.#takeFromSilent(ino, request);
    if (this.#take(client, located, request)) return null;
    if (!wait) throw new Failure('EAGAIN', 'another one has it locked');
    return this.#wait(client, located, request, call);
  }

  /** Gives a lock back, wherever its file is by now. */
  unlock(client: HomeClient, ref: FileRef, asked: { owner: bigint; kind: LockKind; lock: Lock }): null {
    const ino = ref.ino ?? this.#options.identities.file(ref).status.ino;
    this.#table.take(ino, { ...asked, owner: ownerOf(client, asked.owner) });
    this.#noted(ino);
    return null;
  }

  /** A POSIX lock that is in the way. Processes of other clients are not told. */
  find(client: HomeClient, located: Located, owner: bigint, lock: Lock): Lock | null {
    requireRegular(located.status);
    const request = { owner: ownerOf(client, owner), kind: LOCK_POSIX, lock } as const;
    this.#takeFromSilent(located.status.ino, request);
    for (const found of this.#table.opponents(located.status.ino, request)) {
      return clientIdOf(found.owner) === client.id ? found.lock : { ...found.lock, pid: 0 };
    }
    return null;
  }

  /** An owner has exactly these locks: the client says what was so all the time. ENOLCK, EAGAIN; ESTALE. */
  relock(client: HomeClient, ref: FileRef, owner: bigint, kind: LockKind, locks: readonly Lock[]): null {
    const { identities, grace, leases } = this.#options;
    const located = identities.file(ref);
    const isSo =
      client.keepsLocks ||
      grace().isMissing(client.id) ||
      leases().mode(client, unitOfFile(located)) === LEASE_WRITE;
    if (!isSo) throw new Failure('ENOLCK', 'others may have had it locked meanwhile');
    requireRegular(located.status);
    if (!this.#table.replace(located.status.ino, ownerOf(client, owner), kind, locks)) {
      throw new Failure('EAGAIN', 'another one has it locked');
    }
    this.#entered(client, located);
    return null;
  }

  /** A name of a file was made, moved or removed. */
  moved(ino: bigint): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    const located = this.#options.identities.place(ino);
    this.#setUnit(ino, file, located === undefined ? ino : unitOfFile(located));
  }

  ofOthers(client: LeaseHolder, unit: bigint): boolean {
    for (const ino of this.#filesOf.get(unit) ?? []) {
      for (const id of this.#files.get(ino)?.clients ?? []) if (this.#clients.get(id) !== client) return true;
    }
    return false;
  }

  unitsOfOthers(client: LeaseHolder): bigint[] {
    return [...this.#filesOf.keys()].filter((unit) => this.ofOthers(client, unit));
  }

  /** A client has lost its leases: what it decided under them is lost as well. */
  lost(holder: LeaseHolder): void {
    const client = holder as HomeClient;
    client.locksTaken();
    this.ended(client);
  }

  /** A client ends: it has nothing any more. */
  ended(client: HomeClient): void {
    for (const _ of this.ending(client));
  }

  /** As ended(), piece by piece. None of the same id may come before the last. */
  *ending(client: HomeClient): Generator<void> {
    if (this.#clients.get(client.id) !== client) return;
    let looked = 0;
    for (const [ino, file] of [...this.#files]) {
      looked += 1;
      if (looked % ENDED_AT_ONCE === 0) yield;
      if (!file.clients.has(client.id)) continue;
      this.#table.drop(ino, (owner) => clientIdOf(owner) === client.id);
      this.#noted(ino);
    }
    this.#clients.delete(client.id);
    this.#asked.delete(client);
  }

  /** A client went away, or somebody began to wait: sees to it that nobody waits for longer than the term. */
  watch(waits: Iterable<LockWait<bigint, Owner>> = this.#waits()): void {
    const { clock, isFrozen } = this.#options;
    const deadline = this.#nextDeadline(waits);
    if (deadline >= this.#due) return;
    this.close();
    this.#due = deadline;
    const ms = Math.max(deadline - clock.now(), isFrozen() ? AFTER_FREEZE_MS : 0);
    this.#callOff = clock.after(ms, () => {
      this.close();
      if (!isFrozen()) this.#look();
      this.watch();
    });
  }

  close(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#due = Infinity;
  }

  #take(client: HomeClient, located: Located, request: LockRequest<Owner>): boolean {
    const taken = this.#table.take(located.status.ino, request);
    // Others may have got what it gave up for another type.
    if (taken) this.#entered(client, located);
    else this.#noted(located.status.ino);
    return taken;
  }

  #wait(client: HomeClient, located: Located, request: LockRequest<Owner>, call: Call): Promise<null> {
    const { ino } = located.status;
    return new Promise((resolve, reject) => {
      const wait = this.#table.wait(ino, request, (failure) => {
        call.onCancel = undefined;
        this.#noted(ino);
        if (failure === undefined) resolve(null);
        else reject(failure);
      });
      call.waitsForOthers = true;
      call.onCancel = () => {
        this.#table.withdraw(wait);
        this.#noted(ino);
        reject(new Failure('ECANCELED', 'cancelled'));
      };
      this.#entered(client, located);
      this.watch([wait]);
    });
  }

  /** A client has or wants something of a file. */
  #entered(client: HomeClient, located: Located): void {
    const { ino } = located.status;
    this.#clients.set(client.id, client);
    client.locks();
    let file = this.#files.get(ino);
    if (file === undefined) {
      file = { unit: -1n, clients: new Set() };
      this.#files.set(ino, file);
    }
    this.#noted(ino);
    if (this.#files.has(ino)) this.#setUnit(ino, file, unitOfFile(located));
  }

  /** Who has or wants a file may have changed. */
  #noted(ino: bigint): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    const clients = new Set<string>();
    for (const { owner } of this.#table.held(ino)) clients.add(clientIdOf(owner));
    for (const { owner } of this.#table.waits(ino)) clients.add(clientIdOf(owner));
    file.clients = clients;
    if (clients.size > 0) return;
    this.#files.delete(ino);
    this.#leaveUnit(ino, file.unit);
  }

  #setUnit(ino: bigint, file: LockedFile, unit: bigint): void {
    if (file.unit === unit) return;
    this.#leaveUnit(ino, file.unit);
    file.unit = unit;
    const files = this.#filesOf.get(unit);
    if (files === undefined) this.#filesOf.set(unit, new Set([ino]));
    else files.add(ino);
    this.#options.leases().lockedByOthers(unit);
  }

  #leaveUnit(ino: bigint, unit: bigint): void {
    const files = this.#filesOf.get(unit);
    if (files?.delete(ino) === true && files.size === 0) this.#filesOf.delete(unit);
  }

  // Clients that are silent

  /** Who is in the way of a request, and was not heard for the term, has nothing any more. */
  #takeFromSilent(ino: bigint, request: LockRequest<Owner>): void {
    const { clock, log } = this.#options;
    for (const { owner } of [...this.#table.opponents(ino, request)]) {
      const client = this.#clients.get(clientIdOf(owner));
      if (client === undefined || (client.present && !this.#isAsked(client))) continue;
      if (this.#deadlineOf(client) > clock.now()) continue;
      log.warn({ client: client.id }, 'the locks of a client that is silent were given to others');
      this.lost(client);
    }
  }

  /** Takes from those who were silent for too long, and asks those for a word who are connected, and were silent for long. */
  #look(): void {
    const now = this.#options.clock.now();
    for (const wait of this.#waits()) {
      this.#takeFromSilent(wait.file, wait);
      for (const { owner } of this.#table.opponents(wait.file, wait)) {
        const client = this.#clients.get(clientIdOf(owner));
        if (client?.present !== true || this.#isAsked(client) || this.#deadlineOf(client) > now) continue;
        this.#asked.set(client, now);
        // It cannot hold more, as others wait; and answers that it does not.
        client.recall([[this.#files.get(wait.file)?.unit ?? wait.file, LEASE_READ]]);
      }
    }
  }

  /** Whether a client was asked for a word, and has said nothing since. */
  #isAsked(client: HomeClient): boolean {
    return client.lastHeard < (this.#asked.get(client) ?? -Infinity);
  }

  /** When something is to be done about a client that is in the way. */
  #deadlineOf(client: HomeClient): number {
    const { termMs } = this.#options;
    if (!client.present) return client.lastHeard + termMs;
    return Math.max(client.lastHeard, this.#asked.get(client) ?? -Infinity) + termMs / 2;
  }

  *#waits(): Generator<LockWait<bigint, Owner>> {
    for (const ino of [...this.#files.keys()]) yield* [...this.#table.waits(ino)];
  }

  #nextDeadline(waits: Iterable<LockWait<bigint, Owner>>): number {
    let first = Infinity;
    for (const wait of waits) {
      for (const { owner } of this.#table.opponents(wait.file, wait)) {
        const client = this.#clients.get(clientIdOf(owner));
        if (client !== undefined) first = Math.min(first, this.#deadlineOf(client));
      }
    }
    return first;
  }
}

/** Whether a request gives back. */
export function isUnlock({ type }: Lock): boolean {
  return type === F_UNLCK;
}

function ownerOf({ id }: HomeClient, owner: bigint): Owner {
  return `${id} ${owner}`;
}

function clientIdOf(owner: Owner): string {
  return owner.slice(0, owner.indexOf(' '));
}

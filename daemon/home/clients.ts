/*
 * The clients of a home. A client outlives its connection: a new one with the same id takes its place, and what is open,
 * held, leased and granted is still there.
 *
 * Invariants: a client ends with `logout`, RESUME_MS after its last connection, or when MAX_AWAY others have left since; one
 * with nothing to come back for ends with its connection. The marks of a client go with it; only when the home closes do
 * they stay, for the daemon that opens it next. A disk that refuses to be tidied keeps no client from ending.
 */
import { RESUME_MS } from '../../protocol/limits.js';
import { LEASE_NONE, LEASE_READ, LEASE_WRITE, type LeaseMode } from '../../protocol/methods.js';
import type { Clock } from './calls/clock.js';
import type { ConfinedTree } from './disk/confined.js';
import type { Grace } from './leases/grace.js';
import type { Grants } from './quota/grants.js';
import { HandleTable, type Handle, type HandleCount } from './handles.js';
import type { HeldFiles } from './files/held-files.js';
import { HomeClient, type ClientSession } from './home-client.js';
import type { HomeLocks } from './home-locks.js';
import type { LeaseWaits } from './leases/lease-waits.js';
import type { Leases } from './leases/leases.js';
import { Marks } from './operations/marks.js';
import { ProvisionalCount } from './files/provisional-ids.js';
import type { Turns } from './calls/turns.js';

/** Clients without a session that are kept for one home; the one that left first goes first. */
const MAX_AWAY = 64;

export interface ClientsOptions {
  readonly tree: ConfinedTree;
  readonly held: HeldFiles;
  readonly grants: Grants;
  readonly leases: Leases;
  readonly waits: LeaseWaits;
  readonly locks: HomeLocks;
  readonly grace: Grace;
  readonly turns: Turns;
  readonly clock: Clock;
  /** Ids of the clients that have marks of an earlier daemon. */
  readonly marked: Iterable<string>;
  readonly closeHandle: (handle: Handle) => void;
  /** A session or a client has gone. */
  readonly onLeft: () => void;
  /** The disk refused what was to be done for a client: its marks, or tidying behind it. */
  readonly onError: (error: unknown) => void;
}

/** What a client is told when it logs in. */
export interface Attached {
  readonly client: HomeClient;
  /** It was known: its handles and held files are still there. */
  readonly resumed: boolean;
  /** Its leases are still its own. */
  readonly leased: boolean;
  /** So is what its log is about, which it sends next: it is leased, or comes back in grace. */
  readonly covered: boolean;
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #clients = new Map<string, HomeClient>();
  /** Calls the end of clients without a session off, in the order of leaving. */
  readonly #away = new Map<string, () => void>();
  readonly #marked: Set<string>;
  /** Those that have ended, and still have locks or leases to give back: what is left of that, by their ids. */
  readonly #leaving = new Map<string, Generator<void>>();
  /** All of that, and files that are held. None rejects. */
  readonly #lettingGo = new Set<Promise<void>>();
  readonly #count: HandleCount = {
    total: 0,
    requireDescriptor: () => this.#options.tree.requireDescriptor(),
  };
  readonly #provisional = new ProvisionalCount(() => {
    for (const id of this.#away.keys()) this.#clients.get(id)?.provisional.forget();
  });

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#marked = new Set(options.marked);
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Clients that are connected. */
  get present(): number {
    return this.#clients.size - this.#away.size;
  }

  get handles(): number {
    return this.#count.total;
  }

  [Symbol.iterator](): IterableIterator<HomeClient> {
    return this.#clients.values();
  }

  attach(id: Uint8Array, session: ClientSession, wanted: LeaseMode): Attached {
    const { leases, grace } = this.#options;
    const key = Buffer.from(id).toString('hex');
    const known = this.#clients.get(key);
    // Else what this one gets would be taken for what the former one had.
    for (const _ of this.#leaving.get(key) ?? []);
    const client = known ?? this.#newClient(session, key, id);
    this.#clients.set(key, client);
    this.#away.get(key)?.();
    this.#away.delete(key);
    const allowed = session.isReadOnly ? (Math.min(wanted, LEASE_READ) as LeaseMode) : wanted;
    const wants = this.#canHold(client, allowed) ? allowed : LEASE_NONE;
    if (wants !== client.wants) leases.leave(client);
    client.enter(session, wants, known !== undefined);
    const leased =
      known === undefined
        ? wants === LEASE_WRITE && client.marks?.leased === true && grace.isAlone(key)
        : leases.keeps(client);
    if (known !== undefined && !leased) client.loseGrant();
    return { client, resumed: known !== undefined, leased, covered: leased || grace.isMissing(key) };
  }

  /** The login was answered: the client may be told what it holds. */
  entered(client: HomeClient): void {
    this.#offer(client);
    client.tellDurable();
  }

  /** These did not come back after a restart: whatever they were leased is over. */
  missed(ids: Iterable<string>): void {
    for (const id of ids) {
      if (!this.#clients.has(id))
        this.#trying(() => this.#withMarksOf(id, (marks) => marks.setLeased(false)));
    }
  }

  /** Clients that had to wait for others may be leased something now. */
  graceChanged(): void {
    for (const client of this.#clients.values()) {
      if (client.present && !this.#options.leases.keeps(client)) this.#offer(client);
    }
  }

  /** A sync of the home failed: nothing that is not durable is applied, of those who are away neither. */
  syncFailed(error: unknown): void {
    for (const client of this.#clients.values()) this.#trying(() => client.syncFailed(error));
    for (const id of this.#marked) {
      if (!this.#clients.has(id)) this.#trying(() => this.#withMarksOf(id, (marks) => marks.rewind()));
    }
  }

  detach(client: HomeClient, session: ClientSession): void {
    if (!client.leave(session)) return;
    const { id } = client;
    for (const stream of client.handles.takeStreams()) this.#options.closeHandle(stream);
    if (!client.isNeeded) {
      this.#end(id, true);
    } else {
      this.#away.set(
        id,
        this.#options.clock.after(RESUME_MS, () => this.#end(id, true)),
      );
      if (this.#away.size > MAX_AWAY) {
        for (const oldest of this.#away.keys()) {
          this.#end(oldest, true);
          break;
        }
      }
    }
    this.#options.onLeft();
  }

  /** The client says that it ends. */
  logout(client: HomeClient): void {
    this.#end(client.id, true);
  }

  /** Resolves when no client that has ended has anything any more. */
  async allLetGo(): Promise<void> {
    await Promise.all(this.#lettingGo);
  }

  /** Lets go of all clients; their marks stay. */
  close(): void {
    for (const id of [...this.#clients.keys()]) this.#end(id, false);
  }

  /** Marks that could be opened are what a client needs to hold leases: else it works without. */
  #canHold(client: HomeClient, wanted: LeaseMode): boolean {
    if (wanted === LEASE_NONE) return false;
    try {
      client.mark();
      return true;
    } catch (error) {
      this.#options.onError(error);
      return false;
    }
  }

  /** Marks of a client of an earlier daemon that has not come back. */
  #withMarksOf(id: string, act: (marks: Marks) => void): void {
    const marks = Marks.open(this.#options.tree, Buffer.from(id, 'hex'));
    try {
      act(marks);
    } finally {
      marks.close();
    }
  }

  /** Tidying that the disk refuses is left undone, and keeps nothing else from being done. */
  #trying(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** While others have their turns. */
  #letGo(client: HomeClient): void {
    const { id, held } = client;
    const leaving = this.#giveBack(client);
    this.#leaving.set(id, leaving);
    this.#inTurns(leaving, () => {
      if (this.#leaving.get(id) === leaving) this.#leaving.delete(id);
    });
    this.#inTurns(held.closing());
  }

  *#giveBack(client: HomeClient): Generator<void> {
    const { locks, leases } = this.#options;
    yield* locks.ending(client);
    yield* leases.leaving(client);
  }

  #inTurns(pieces: Generator<void>, done?: () => void): void {
    const { turns, onError } = this.#options;
    const letGo = turns
      .goThrough(pieces)
      .catch(onError)
      .finally(() => {
        this.#lettingGo.delete(letGo);
        done?.();
      });
    this.#lettingGo.add(letGo);
  }

  #offer(client: HomeClient): void {
    if (!this.#options.grace.holdsUp(client.id)) this.#options.leases.enter(client);
  }

  #newClient({ user, isReadOnly }: ClientSession, id: string, bytes: Uint8Array): HomeClient {
    const { tree, held, grants, clock } = this.#options;
    const client = new HomeClient({
      user,
      isReadOnly,
      id,
      handles: new HandleTable(this.#count),
      held: held.client(),
      provisional: this.#provisional,
      newGrant: () => grants.client(),
      openMarks: () => Marks.open(tree, bytes),
      now: () => clock.now(),
      trying: (act) => this.#trying(act),
    });
    if (this.#marked.has(id)) client.mark();
    return client;
  }

  #end(id: string, forGood: boolean): void {
    const client = this.#clients.get(id);
    if (client === undefined) return;
    const { grace, locks, waits, closeHandle, onLeft } = this.#options;
    this.#clients.delete(id);
    this.#away.get(id)?.();
    const wasAway = this.#away.delete(id);
    for (const handle of client.handles.end()) this.#trying(() => closeHandle(handle));
    if (!forGood) this.#trying(() => client.held.close());
    client.end(forGood);
    waits.ended(client);
    if (!forGood) return locks.ended(client);
    this.#letGo(client);
    this.#marked.delete(id);
    grace.back(id);
    if (wasAway) onLeft();
  }
}

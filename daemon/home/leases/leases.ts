/*
 * Which client is leased which unit of a home (protocol.md, Leases): the policy of recalling and giving.
 * Pure: no sockets, no files, and the clock is given.
 *
 * Invariants:
 * - while readers hold a unit nobody writes to it;
 * - a client's mode is lowered only by its own word (returned), or with all of its leases, when it did not give back what
 *   was recalled within the term, or was silent for so long; it is raised only by a `lease` that is sent at that moment;
 * - the table is bounded: MAX_LEASES of a client, of which the oldest are recalled, as many entries without a holder, and
 *   MAX_LEASES_OF_HOME in all, before which those who are away lose theirs.
 */
import {
  LEASE_NONE,
  LEASE_READ,
  LEASE_WRITE,
  WHOLE_HOME,
  type LeaseItem,
  type LeaseMode,
} from '../../../protocol/methods.js';
import { count } from '../../measures.js';
import {
  holdersOf,
  LeaseTable,
  modeIn,
  type Holding,
  type LeaseHolder,
  type Recall,
  type Touch,
  type Unit,
} from './lease-table.js';

/** Units of one client; an entry takes some 300 bytes. Where it does not give back, no more than twice as many are given. */
export const MAX_LEASES = 32_768;
/** Of all clients of a home together: workers have a bounded heap, which homes share. */
const MAX_LEASES_OF_HOME = 4 * MAX_LEASES;
/** How many of the oldest are recalled when a client has too many. */
const TRIMMED = MAX_LEASES / 16;
/** For so long after a recall a unit is given to nobody for writing: who shares it works by single changes (milliseconds). */
export const CONTESTED_MS = 1000;

/** Locks that clients have at the server, or wait for (home-locks.ts). */
export interface LockedUnits {
  /** Whether others than the client have some in a unit. */
  ofOthers(client: LeaseHolder, unit: bigint): boolean;
  /** The units in which others than the client have some. */
  unitsOfOthers(client: LeaseHolder): Iterable<bigint>;
  /** A client has lost its leases, and so its locks. */
  lost(client: LeaseHolder): void;
}

export interface LeaseOptions {
  /** Where others have locks, a client holds nothing for writing: it would decide about its own by itself. */
  readonly locks: LockedUnits;
  /** How long a client that does not give back, or is silent, is waited for (milliseconds). */
  readonly termMs: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Leases were lost, or a client went: what waits for any unit may go on. */
  readonly onFreed: () => void;
  /** Something was recalled: expire() is to be called at nextDeadline(). */
  readonly onRecalled: () => void;
  /** Requests wait for a unit: it is given to nobody. */
  readonly isWaitedFor: (unit: bigint) => boolean;
}

/** Units of which a client gave something back. */
export interface Returned {
  /** Of these it held more before. */
  readonly lowered: bigint[];
  /** Of them these were recalled for nobody. */
  readonly forNobody: bigint[];
}

export class Leases {
  readonly #termMs: number;
  readonly #now: () => number;
  readonly #onFreed: () => void;
  readonly #onRecalled: () => void;
  readonly #isWaitedFor: (unit: bigint) => boolean;
  readonly #locks: LockedUnits;
  /** Clients have a holding from entering until they leave, or their leases are lost. */
  readonly #table = new LeaseTable();

  constructor(options: LeaseOptions) {
    this.#termMs = options.termMs;
    this.#now = options.now;
    this.#onFreed = options.onFreed;
    this.#onRecalled = options.onRecalled;
    this.#isWaitedFor = options.isWaitedFor;
    this.#locks = options.locks;
  }

  /** Whether the client entered before, and what it held then is still its own. */
  keeps(client: LeaseHolder): boolean {
    return this.#table.holdings.has(client);
  }

  /** A client is connected: it may get the home, and is told again what it has not given back. */
  enter(client: LeaseHolder): void {
    if (client.wants === LEASE_NONE) return;
    const { recalls } = this.#table.enter(client);
    if (this.#table.defaultHolder === undefined && client.wants === LEASE_WRITE) this.#makeDefault(client);
    if (recalls.size > 0) client.recall([...recalls].map(([unit, { mode }]) => [unit, mode]));
  }

  /** A client wants other leases than before: what it held is free. */
  leave(client: LeaseHolder): void {
    for (const _ of this.leaving(client));
  }

  /** A client has gone for good: what it held is free, piece by piece, and who waits for any of it may go on behind the last. */
  *leaving(client: LeaseHolder): Generator<void> {
    if (!this.keeps(client)) return;
    yield* this.#table.leaving(client);
    this.#freed();
  }

  /** Units that clients hold; a home that one has whole is one. */
  get held(): number {
    return this.#table.held + (this.#table.defaultHolder === undefined ? 0 : 1);
  }

  /** What a client holds of a unit. */
  mode(client: LeaseHolder, unit: bigint): LeaseMode {
    return this.#table.mode(client, unit);
  }

  /** Whether every unit is leased to the client for writing. */
  holdsAll(client: LeaseHolder): boolean {
    return this.#table.defaultHolder === client && this.#table.units.size === 0;
  }

  /** Whether nobody else holds a unit for writing. */
  mayRead(client: LeaseHolder, unit: bigint): boolean {
    return this.#table.opponents(client, { unit, write: false }).length === 0;
  }

  /**
   * Whether nothing stands in the way of a request. Else what does is recalled, and the request is to be tried again when
   * something was given back or lost.
   */
  touch(client: LeaseHolder, touches: readonly Touch[]): boolean {
    this.#loseSilent(client, touches);
    const recalled = new Map<LeaseHolder, LeaseItem[]>();
    let free = true;
    for (const touch of touches) {
      for (const holder of this.#table.opponents(client, touch)) {
        free = false;
        this.#recall(holder, touch.unit, touch.write ? LEASE_NONE : LEASE_READ, recalled);
      }
    }
    this.#sendRecalls(recalled);
    return free;
  }

  /** Gives a client what it may have of units that it touches, after touch() was true. */
  grant(client: LeaseHolder, touches: readonly Touch[]): void {
    this.#give(client, touches, () => true);
  }

  /**
   * A client is told of files in these units without having touched them: it may believe what nobody holds for writing, and
   * learns which units are not its own.
   */
  mention(client: LeaseHolder, units: Iterable<bigint>): void {
    const touches = [...units].map((unit) => ({ unit, write: false }));
    this.#give(client, touches, (touch) => this.#table.opponents(client, touch).length === 0);
  }

  /** These units were changed by nobody who is known here: what is believed of them is taken back. */
  takeBack(units: Iterable<bigint>): void {
    const recalled = new Map<LeaseHolder, LeaseItem[]>();
    for (const unit of units) {
      for (const holder of this.#table.opponents(undefined, { unit, write: true })) {
        this.#recall(holder, unit, LEASE_NONE, recalled, true);
      }
    }
    this.#sendRecalls(recalled);
  }

  /** Others lock files in this unit by now, which was left to who holds it for writing: it decides about no locks any more. */
  lockedByOthers(unit: bigint): void {
    const recalled = new Map<LeaseHolder, LeaseItem[]>();
    for (const holder of this.#table.opponents(undefined, { unit, write: false })) {
      if (this.#locks.ofOthers(holder, unit)) this.#recall(holder, unit, LEASE_READ, recalled, true);
    }
    this.#sendRecalls(recalled);
  }

  /** Nobody waits for these units, which were given back: what the holder of the home gave is its own again. */
  vacated(units: Iterable<bigint>): void {
    const items: LeaseItem[] = [];
    for (const unit of units) {
      if (!this.#table.vacant.has(unit) || this.#isLocked(unit)) continue;
      this.#table.forget(unit);
      items.push([unit, LEASE_WRITE]);
    }
    if (items.length > 0) this.#table.defaultHolder?.lease(items);
  }

  /**
   * A client holds no more than this of these units. What is not recalled (any more) is passed over, but for the home: it may
   * have been given again before this came, or be another unit by now.
   */
  returned(client: LeaseHolder, items: readonly LeaseItem[]): Returned {
    const lowered: bigint[] = [];
    const forNobody: bigint[] = [];
    if (!this.keeps(client)) return { lowered, forNobody };
    const recalls = this.#table.holdings.get(client)?.recalls;
    for (const [number, mode] of items) {
      if (mode >= LEASE_WRITE) continue;
      if (number === WHOLE_HOME) {
        if (this.#table.defaultHolder === client) this.#table.setDefault(undefined);
        continue;
      }
      const recall = recalls?.get(number);
      const unit = this.#table.units.get(number);
      if (recall === undefined || unit === undefined) continue;
      if (recall.forNobody) forNobody.push(number);
      const held = modeIn(unit, client);
      if (mode < held) lowered.push(number);
      this.#table.setMode(client, number, unit, Math.min(mode, held) as LeaseMode);
      this.#table.tidy(number, unit);
    }
    this.#giveVacantBack();
    return { lowered, forNobody };
  }

  /**
   * A client made a new unit, which nobody else can know, below `parent`. Without `told` the client sees by itself that it
   * holds what it makes in what it holds.
   */
  made(client: LeaseHolder, parent: bigint, number: bigint, told: boolean): void {
    const table = this.#table;
    const holdsParent = told || table.units.get(parent)?.writer === client;
    const isOwn = holdsParent && client.wants !== LEASE_NONE && table.defaultHolder !== client;
    if (!isOwn || !this.keeps(client)) return this.removed(number);
    const excepted = this.#end(number, client);
    const unit = table.make(number);
    unit.excepted = excepted;
    const mode = this.#locks.ofOthers(client, number) ? LEASE_READ : client.wants;
    table.setMode(client, number, unit, mode);
    if (told) client.lease([[number, mode]]);
  }

  /** A unit is no more: its number may be another's soon. `by`: who sees by itself that it does not hold it any more. */
  removed(number: bigint, by?: LeaseHolder): void {
    const excepted = this.#end(number, undefined, by);
    if (excepted) this.#table.defaultHolder?.lease([[number, LEASE_WRITE]]);
    this.lockedByOthers(number);
  }

  /**
   * Ends the entry of a unit that is no more, or is another one of the same number, which `next` holds; `by` is not told so.
   * Returns whether the default holder knows that the number is not its own by default.
   */
  #end(number: bigint, next: LeaseHolder | undefined, by = next): boolean {
    const unit = this.#table.units.get(number);
    if (unit === undefined) return false;
    const { defaultHolder } = this.#table;
    // It is told below, or by who calls, where it holds the number by default from now on.
    const holders = holdersOf(unit).filter(
      (holder) => holder !== by && (holder !== defaultHolder || next !== undefined),
    );
    this.#table.forget(number);
    for (const holder of holders) holder.lease([[number, LEASE_NONE]]);
    // What was recalled of it is forgotten: who waits for that would wait for ever.
    if (this.#isWaitedFor(number)) this.#onFreed();
    return unit.excepted;
  }

  /** When the first client will have lost its leases if it gives nothing back; undefined where nothing is recalled. */
  nextDeadline(): number | undefined {
    let first: number | undefined;
    for (const [client, { recalls }] of this.#table.holdings) {
      const deadline = this.#deadlineOf(client, recalls);
      if (deadline !== undefined && (first === undefined || deadline < first)) first = deadline;
    }
    return first;
  }

  /** When the client loses its leases: the term after the oldest recall, or after its last word if it is away. */
  #deadlineOf(client: LeaseHolder, recalls: ReadonlyMap<bigint, Recall>): number | undefined {
    for (const { since } of recalls.values()) {
      return (client.present ? since : Math.min(since, client.lastHeard)) + this.#termMs;
    }
    return undefined;
  }

  /** Takes the leases of those who did not give back in time. */
  expire(): void {
    const now = this.#now();
    for (const [client, { recalls }] of [...this.#table.holdings]) {
      const deadline = this.#deadlineOf(client, recalls);
      if (deadline !== undefined && deadline <= now) this.#lose(client);
    }
  }

  // Recalling

  #recall(
    holder: LeaseHolder,
    number: bigint,
    mode: LeaseMode,
    recalled: Map<LeaseHolder, LeaseItem[]>,
    forNobody = false,
  ): void {
    const recalls = this.#table.holdings.get(holder)?.recalls;
    const sent = recalls?.get(number);
    if (recalls === undefined || (sent !== undefined && sent.mode <= mode)) return;
    const unit = this.#table.units.get(number) ?? this.#table.except(number);
    unit.recalledAt = this.#now();
    if (sent === undefined) recalls.set(number, { mode, since: unit.recalledAt, forNobody });
    else sent.mode = mode;
    const items = recalled.get(holder);
    if (items === undefined) recalled.set(holder, [[number, mode]]);
    else items.push([number, mode]);
  }

  #sendRecalls(recalled: ReadonlyMap<LeaseHolder, LeaseItem[]>): void {
    if (recalled.size === 0) return;
    for (const [holder, items] of recalled) {
      count('leasesRecalled', items.length);
      holder.recall(items);
    }
    this.#onRecalled();
  }

  /** Who was not heard for the term has nothing any more, and need not be asked. */
  #loseSilent(client: LeaseHolder, touches: readonly Touch[]): void {
    const over = this.#now() - this.#termMs;
    for (const touch of touches) {
      for (const holder of this.#table.opponents(client, touch)) {
        if (!holder.present && holder.lastHeard <= over && this.keeps(holder)) this.#lose(holder);
      }
    }
  }

  #lose(client: LeaseHolder): void {
    for (const _ of this.#table.leaving(client));
    client.leasesLost();
    this.#locks.lost(client);
    this.#freed();
  }

  #freed(): void {
    this.#offerDefault();
    this.#giveVacantBack();
    this.#onFreed();
  }

  // Giving

  /** Gives a client what it may have of units that nothing stands in the way of, as far as `may`, and tells it. */
  #give(client: LeaseHolder, touches: readonly Touch[], may: (touch: Touch) => boolean): void {
    const holding = this.#table.holdings.get(client);
    if (holding === undefined) return;
    const items: LeaseItem[] = [];
    for (const touch of touches) {
      const mode = this.#given(client, holding, touch, may);
      if (mode !== undefined) items.push([touch.unit, mode]);
    }
    if (items.length > 0) client.lease(items);
    this.#trim(client, holding);
  }

  /** The mode of a unit that a client is to be told; undefined: as it knows. */
  #given(
    client: LeaseHolder,
    holding: Holding,
    touch: Touch,
    may: (touch: Touch) => boolean,
  ): LeaseMode | undefined {
    const table = this.#table;
    const number = touch.unit;
    const existing = table.units.get(number);
    if (existing === undefined && table.defaultHolder !== undefined) return undefined;
    if (holding.recalls.has(number)) return undefined;
    const isDefault = client === table.defaultHolder;
    const mayBeGiven = !this.#isWaitedFor(number) && may(touch);
    const unit = existing ?? table.make(number);
    const held = modeIn(unit, client);
    const mode = mayBeGiven ? this.#offered(client, number, unit, touch.write) : LEASE_NONE;
    if (isDefault && mode === LEASE_WRITE) {
      table.forget(number);
      return LEASE_WRITE;
    }
    const hasRoom = holding.units.size < 2 * MAX_LEASES && table.held < MAX_LEASES_OF_HOME;
    if (mode > held && hasRoom) {
      table.setMode(client, number, unit, mode);
      unit.excepted ||= isDefault;
      return mode;
    }
    table.tidy(number, unit);
    if (!isDefault || unit.excepted) return undefined;
    unit.excepted = true;
    return held;
  }

  /** What a client may have of a unit that nothing stands in the way of. */
  #offered(client: LeaseHolder, number: bigint, unit: Unit, write: boolean): LeaseMode {
    const alone = holdersOf(unit).every((holder) => holder === client);
    const calm = this.#now() - unit.recalledAt > CONTESTED_MS;
    if (!alone || !calm || this.#locks.ofOthers(client, number)) return LEASE_READ;
    return write || client === this.#table.defaultHolder ? client.wants : LEASE_READ;
  }

  /** Gives a client the home, and tells it what is not its own in it. */
  #makeDefault(client: LeaseHolder): void {
    this.#table.setDefault(client);
    for (const number of this.#locks.unitsOfOthers(client)) {
      if (!this.#table.units.has(number)) this.#table.make(number);
    }
    const items: LeaseItem[] = [[WHOLE_HOME, LEASE_WRITE]];
    const recalls = this.#table.holdings.get(client)?.recalls;
    for (const [number, unit] of this.#table.units) {
      if (recalls?.has(number) === true) {
        unit.excepted = true;
      } else if (unit.writer === client) {
        this.#table.forget(number);
      } else {
        unit.excepted = true;
        items.push([number, modeIn(unit, client)]);
      }
    }
    client.lease(items);
  }

  /** Where one client is left that wants the home, it gets it. */
  #offerDefault(): void {
    if (this.#table.defaultHolder !== undefined) return;
    const [only, ...others] = [...this.#table.holdings.keys()].filter(
      ({ wants, present }) => wants === LEASE_WRITE && present,
    );
    if (only !== undefined && others.length === 0) this.#makeDefault(only);
  }

  // Bounds

  #trim(client: LeaseHolder, { units, recalls }: Holding): void {
    if (this.#table.held >= MAX_LEASES_OF_HOME) this.#loseOneAway();
    if (units.size <= MAX_LEASES || recalls.size >= TRIMMED) return;
    const recalled = new Map<LeaseHolder, LeaseItem[]>();
    let count = 0;
    for (const number of units) {
      if (count === TRIMMED) break;
      count += 1;
      this.#recall(client, number, LEASE_NONE, recalled);
    }
    this.#sendRecalls(recalled);
  }

  /** Takes the leases of the one that is away for the longest time, if it was silent for the term. */
  #loseOneAway(): void {
    const over = this.#now() - this.#termMs;
    const [longest] = [...this.#table.holdings]
      .filter(([{ present, lastHeard }, { units }]) => !present && lastHeard <= over && units.size > 0)
      .toSorted(([a], [b]) => a.lastHeard - b.lastHeard);
    if (longest !== undefined) this.#lose(longest[0]);
  }

  /** Whether the default holder cannot have a unit back for the locks of others. */
  #isLocked(unit: bigint): boolean {
    const { defaultHolder } = this.#table;
    return defaultHolder !== undefined && this.#locks.ofOthers(defaultHolder, unit);
  }

  /** What the default holder gave back and nobody has goes back to it, the oldest first, before there is too much of that. */
  #giveVacantBack(): void {
    const items: LeaseItem[] = [];
    for (const oldest of this.#table.vacant) {
      if (this.#table.vacant.size <= MAX_LEASES) break;
      if (this.#isLocked(oldest)) continue;
      this.#table.forget(oldest);
      items.push([oldest, LEASE_WRITE]);
    }
    if (items.length > 0) this.#table.defaultHolder?.lease(items);
  }
}

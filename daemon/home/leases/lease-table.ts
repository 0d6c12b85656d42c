/*
 * The table of leases: which unit is held by whom, and what is recalled from whom. What is given to whom and when is
 * decided in leases.ts.
 *
 * A unit with an entry is held by those whom the entry names; one without belongs to the default holder for writing, if
 * there is one. So one client that is alone with a home costs no entries at all.
 * Invariants: a unit that one client holds for writing is held by no other; what a client holds by entries is exactly
 * what its holding lists; an entry that nobody holds is kept only while the default holder knows it as an exception.
 */
import {
  LEASE_NONE,
  LEASE_READ,
  LEASE_WRITE,
  type LeaseItem,
  type LeaseMode,
} from '../../../protocol/methods.js';

/** Units of one piece of what a client leaves: less than a microsecond each. */
const LEFT_AT_ONCE = 256;

/** A client, as the holder of leases. */
export interface LeaseHolder {
  /** The highest mode that it wants. */
  readonly wants: LeaseMode;
  /** Whether it is connected. */
  readonly present: boolean;
  /** When its last message came, by the clock of the leases. */
  readonly lastHeard: number;
  /** It has gone for good: nothing is done for it any more. */
  readonly ended: boolean;
  lease(items: readonly LeaseItem[]): void;
  recall(items: readonly LeaseItem[]): void;
  /** It holds nothing any more: others have waited for the term. It has to come back to be told. */
  leasesLost(): void;
}

/** A unit that a request reads, or changes. */
export interface Touch {
  readonly unit: bigint;
  readonly write: boolean;
}

export interface Unit {
  writer: LeaseHolder | undefined;
  readonly readers: Set<LeaseHolder>;
  recalledAt: number;
  /** The default holder knows that the unit is not its own by default. */
  excepted: boolean;
}

/** A recall that was sent and not answered. */
export interface Recall {
  mode: LeaseMode;
  readonly since: number;
  /** No client has asked for the unit: what is believed of it is old. */
  readonly forNobody: boolean;
}

/** What the table knows of a client. */
export interface Holding {
  /** The oldest first. */
  readonly units: Set<bigint>;
  /** By unit; the oldest first. */
  readonly recalls: Map<bigint, Recall>;
}

export class LeaseTable {
  readonly #units = new Map<bigint, Unit>();
  readonly #holdings = new Map<LeaseHolder, Holding>();
  /** Units with an entry that nobody holds: not even the default holder. The oldest first. */
  readonly #vacant = new Set<bigint>();
  #default: LeaseHolder | undefined;
  #held = 0;

  get defaultHolder(): LeaseHolder | undefined {
    return this.#default;
  }

  /** Units in all holdings. */
  get held(): number {
    return this.#held;
  }

  get holdings(): ReadonlyMap<LeaseHolder, Holding> {
    return this.#holdings;
  }

  /** Units with an entry that nobody holds, the oldest first. */
  get vacant(): ReadonlySet<bigint> {
    return this.#vacant;
  }

  /** The units with entries. */
  get units(): ReadonlyMap<bigint, Unit> {
    return this.#units;
  }

  /** A client may hold something from now on. */
  enter(client: LeaseHolder): Holding {
    let holding = this.#holdings.get(client);
    if (holding === undefined) {
      holding = { units: new Set(), recalls: new Map() };
      this.#holdings.set(client, holding);
    }
    return holding;
  }

  /** A client holds nothing any more, piece by piece: of what is left it is in the way of others meanwhile. */
  *leaving(client: LeaseHolder): Generator<void> {
    if (this.#default === client) this.setDefault(undefined);
    const { units } = this.enter(client);
    // First: else each of thousands of units would be taken out of it.
    this.#holdings.delete(client);
    this.#held -= units.size;
    let left = 0;
    for (const number of units) {
      const unit = this.#units.get(number);
      if (unit === undefined) continue;
      this.setMode(client, number, unit, LEASE_NONE);
      this.tidy(number, unit);
      left += 1;
      if (left % LEFT_AT_ONCE === 0) yield;
    }
  }

  /** Who is told of the exceptions, as it becomes the default holder, is for the caller to see to. */
  setDefault(client: LeaseHolder | undefined): void {
    this.#default = client;
    if (client !== undefined) return;
    for (const number of this.#vacant) this.#units.delete(number);
    this.#vacant.clear();
    for (const unit of this.#units.values()) unit.excepted = false;
  }

  /** What a client holds of a unit. */
  mode(client: LeaseHolder, number: bigint): LeaseMode {
    const unit = this.#units.get(number);
    if (unit !== undefined) return modeIn(unit, client);
    return this.#default === client ? LEASE_WRITE : LEASE_NONE;
  }

  /** Who has to give something back before a client touches a unit; undefined: before something else does. */
  opponents(client: LeaseHolder | undefined, { unit: number, write }: Touch): LeaseHolder[] {
    const unit = this.#units.get(number);
    const writer = unit === undefined ? this.#default : unit.writer;
    if (writer !== undefined) return writer === client ? [] : [writer];
    if (unit === undefined || !write) return [];
    return [...unit.readers].filter((reader) => reader !== client);
  }

  /** Makes the entry of a unit that has none. */
  make(number: bigint): Unit {
    const unit: Unit = { writer: undefined, readers: new Set(), recalledAt: -Infinity, excepted: false };
    this.#units.set(number, unit);
    return unit;
  }

  /** Makes the entry of a unit that the default holder is to give back. */
  except(number: bigint): Unit {
    const unit = this.make(number);
    unit.excepted = true;
    if (this.#default !== undefined) this.setMode(this.#default, number, unit, LEASE_WRITE);
    return unit;
  }

  setMode(client: LeaseHolder, number: bigint, unit: Unit, mode: LeaseMode): void {
    if (unit.writer === client) unit.writer = undefined;
    unit.readers.delete(client);
    if (mode === LEASE_WRITE) unit.writer = client;
    if (mode === LEASE_READ) unit.readers.add(client);
    if (mode > LEASE_NONE) this.#vacant.delete(number);
    const holding = this.#holdings.get(client);
    if (holding === undefined) return;
    this.#held -= holding.units.size;
    if (mode > LEASE_NONE) holding.units.add(number);
    else holding.units.delete(number);
    this.#held += holding.units.size;
    const recall = holding.recalls.get(number);
    if (recall !== undefined && mode <= recall.mode) holding.recalls.delete(number);
  }

  /** Somebody gave back: an entry that nobody holds is needed only where the default holder knows of it. */
  tidy(number: bigint, unit: Unit): void {
    if (unit.writer !== undefined || unit.readers.size > 0) return;
    if (this.#default !== undefined && unit.excepted) this.#vacant.add(number);
    else this.forget(number);
  }

  /** Deletes an entry: nobody holds the unit, or all who did hold it by default from now on. */
  forget(number: bigint): void {
    const unit = this.#units.get(number);
    if (unit === undefined) return;
    for (const holder of holdersOf(unit)) this.setMode(holder, number, unit, LEASE_NONE);
    this.#units.delete(number);
    this.#vacant.delete(number);
  }
}

export function modeIn(unit: Unit, client: LeaseHolder): LeaseMode {
  if (unit.writer === client) return LEASE_WRITE;
  return unit.readers.has(client) ? LEASE_READ : LEASE_NONE;
}

export function holdersOf(unit: Unit): LeaseHolder[] {
  return unit.writer === undefined ? [...unit.readers] : [unit.writer];
}

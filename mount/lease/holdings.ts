/**
 * Which units are leased to this mount: what may be believed, and what may be changed here and told later.
 *
 * The mode of the whole home holds for every unit that is not listed: so a holder of the home has a list of exceptions,
 * another one a list of what it has. What is recalled counts as given back for whoever asks here, from
 * the moment of the recall; for the server it is held until `returned` was sent.
 *
 * Pure: no clock but the term's, nothing is sent. Bounded: a server that tells of more than MAX_LEASED_UNITS means harm.
 */
import { Failure } from '../../protocol/failure.js';
import { MAX_LEASED_UNITS } from '../../protocol/limits.js';
import {
  LEASE_NONE,
  LEASE_READ,
  LEASE_WRITE,
  WHOLE_HOME,
  type LeaseItem,
  type LeaseMode,
} from '../../protocol/methods.js';

/** A recall that is being answered. */
export interface Recall {
  /** What is to be given back. */
  readonly items: readonly LeaseItem[];
}

export class Leases {
  readonly #term: { readonly over: boolean };
  #home: LeaseMode = LEASE_NONE;
  /** Units whose mode is not that of the home. */
  readonly #units = new Map<bigint, LeaseMode>();
  /** What was recalled and is not returned: down to which mode. */
  readonly #recalled = new Map<bigint, LeaseMode>();
  /** Those that are being answered. */
  readonly #recalls = new Set<{ items: readonly LeaseItem[] }>();
  #generation = 0;

  /** While the term is over nothing counts, but nothing is forgotten: the server may say that it is ours still. */
  constructor(term: { readonly over: boolean }) {
    this.#term = term;
  }

  /** What the server holds for this mount. */
  mode(unit: bigint): LeaseMode {
    return unit === WHOLE_HOME ? this.#home : (this.#units.get(unit) ?? this.#home);
  }

  /** Whether what the server said of the unit is true until it says otherwise. */
  believes(unit: bigint): boolean {
    return this.#usable(unit) >= LEASE_READ && !this.#term.over;
  }

  /** Whether nobody else believes or changes anything of the unit. */
  owns(unit: bigint): boolean {
    return this.#usable(unit) === LEASE_WRITE && !this.#term.over;
  }

  /** Rises with whatever the server says of leases: what was held before, and is, was held all the time if this is as it was. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether anything is held: then the term has to be renewed. */
  get any(): boolean {
    return this.#home !== LEASE_NONE || this.#units.size > 0;
  }

  /** How many units have another mode than the home. */
  get size(): number {
    return this.#units.size;
  }

  /**
   * The server said what is held from now on, which may be less than before. It says so of no unit that it waits for: a recall
   * of one that is being answered is over. PROTOCOL.
   */
  leased(items: Iterable<LeaseItem>): void {
    this.#generation += 1;
    for (const [unit, mode] of items) {
      if (unit !== WHOLE_HOME) this.#callOff(unit);
      this.#set(unit, mode);
    }
    checkBound(this.#units.size);
  }

  /** A recall: from now on the units count for no more than the modes given. To be answered by returned(). PROTOCOL. */
  returning(items: readonly LeaseItem[]): Recall {
    this.#generation += 1;
    for (const [unit, mode] of items) {
      this.#recalled.set(unit, lower(mode, this.#recalled.get(unit) ?? LEASE_WRITE));
    }
    checkBound(this.#recalled.size);
    const recall = { items };
    this.#recalls.add(recall);
    return recall;
  }

  /** `returned` was sent. A recall that asked for more meanwhile is still to be answered. */
  returned(recall: Recall): void {
    this.#recalls.delete(recall);
    for (const [unit, mode] of recall.items) {
      this.#set(unit, lower(mode, this.mode(unit)));
      const recalled = this.#recalled.get(unit);
      if (recalled !== undefined && recalled >= mode) this.#recalled.delete(unit);
    }
  }

  /**
   * A unit was made by this mount's own change, out of what is in `parent`: a directory, or a file that got a second name. The
   * server makes the same of it: it is held as the parent is.
   */
  entered(unit: bigint, parent: bigint): void {
    // What was known of the number was another unit's: numbers are used again. So was what is being given back of it: who
    // waited for that has the server touch the unit that there is now.
    this.#callOff(unit);
    this.#set(unit, this.mode(parent));
  }

  /** What is being given back of a unit is not. */
  #callOff(unit: bigint): void {
    if (!this.#recalled.delete(unit)) return;
    for (const recall of this.#recalls) recall.items = recall.items.filter(([other]) => other !== unit);
  }

  /** A unit that is no more, and was not held as part of the home, needs no memory. */
  removed(unit: bigint): void {
    if (this.#home === LEASE_NONE) this.#units.delete(unit);
  }

  /** The server holds nothing for this mount any more. */
  clear(): void {
    this.#generation += 1;
    this.#home = LEASE_NONE;
    this.#units.clear();
    this.#recalled.clear();
  }

  #usable(unit: bigint): LeaseMode {
    const own = this.#units.get(unit);
    const mode = own ?? this.#home;
    if (this.#recalled.size === 0) return mode;
    const recalled =
      this.#recalled.get(unit) ?? (own === undefined ? this.#recalled.get(WHOLE_HOME) : undefined);
    return recalled === undefined ? mode : lower(mode, recalled);
  }

  #set(unit: bigint, mode: LeaseMode): void {
    if (unit === WHOLE_HOME) this.#setHome(mode);
    else if (mode === this.#home) this.#units.delete(unit);
    else this.#units.set(unit, mode);
  }

  #setHome(mode: LeaseMode): void {
    this.#home = mode;
    for (const [unit, own] of this.#units) if (own === mode) this.#units.delete(unit);
  }
}

function checkBound(units: number): void {
  if (units > MAX_LEASED_UNITS) {
    throw new Failure('PROTOCOL', `more than ${MAX_LEASED_UNITS} units of leases`);
  }
}

function lower(a: LeaseMode, b: LeaseMode): LeaseMode {
  return a < b ? a : b;
}

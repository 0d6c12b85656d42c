/*
 * The table of leases with its waits and a clock, without a home; clients who hold what they ask for; and their requests.
 */
import { LEASE_TERM_MS } from '../../../protocol/limits.js';
import { LEASE_WRITE, type LeaseItem, type LeaseMode } from '../../../protocol/methods.js';
import { Failure } from '../../../protocol/failure.js';
import { Call } from '../../../daemon/home/calls/call.js';
import { LeaseWaits } from '../../../daemon/home/leases/lease-waits.js';
import type { LeaseHolder } from '../../../daemon/home/leases/lease-table.js';
import { Leases } from '../../../daemon/home/leases/leases.js';
import { Turns } from '../../../daemon/home/calls/turns.js';
import { ManualClock } from '../../lib/manual-clock.js';

/** A table with its waits and a clock, and nothing else. */
export class Desk {
  readonly clock = new ManualClock();
  readonly leases: Leases;
  readonly waits: LeaseWaits;
  readonly turns: Turns;
  frozen = false;

  /** `quantumMs`: how long a turn is; default: for all. */
  constructor(quantumMs = Infinity) {
    this.turns = new Turns(quantumMs);
    this.leases = new Leases({
      locks: { ofOthers: () => false, unitsOfOthers: () => [], lost: () => undefined },
      termMs: LEASE_TERM_MS,
      now: () => this.clock.now(),
      onFreed: () => this.waits.freed(),
      onRecalled: () => this.waits.watch(),
      isWaitedFor: (unit) => this.waits.isWaitedFor(unit),
    });
    this.waits = new LeaseWaits({
      leases: this.leases,
      clock: this.clock,
      turns: this.turns,
      isHeldUp: () => false,
      onShort: () => undefined,
      cover: () => false,
      isFrozen: () => this.frozen,
    });
  }

  /** A client that has logged in. */
  client(wants: LeaseMode = LEASE_WRITE): Holder {
    const client = new Holder(this, wants);
    this.leases.enter(client);
    return client;
  }
}

export class Holder implements LeaseHolder {
  readonly wants: LeaseMode;
  present = true;
  lastHeard = 0;
  readonly ended = false;
  lost = 0;
  readonly #desk: Desk;
  #leased: LeaseItem[] = [];
  #recalled: LeaseItem[] = [];

  constructor(desk: Desk, wants: LeaseMode) {
    this.#desk = desk;
    this.wants = wants;
  }

  lease(items: readonly LeaseItem[]): void {
    this.#leased.push(...items);
  }

  recall(items: readonly LeaseItem[]): void {
    this.#recalled.push(...items);
  }

  leasesLost(): void {
    this.lost += 1;
    this.present = false;
  }

  /** What it was leased since this was asked last. */
  leased(): LeaseItem[] {
    return this.#leased.splice(0);
  }

  /** What was recalled since this was asked last. */
  recalled(): LeaseItem[] {
    return this.#recalled.splice(0);
  }

  mode(unit: bigint): LeaseMode {
    return this.#desk.leases.mode(this, unit);
  }

  returned(...items: LeaseItem[]): void {
    this.#desk.waits.returned(this, items);
  }

  /** Makes a request: what became of it by now. */
  request(write: boolean, ...units: bigint[]): Request {
    return new Request(this.#desk, this, write, units);
  }

  read(...units: bigint[]): Request {
    return this.request(false, ...units);
  }

  write(...units: bigint[]): Request {
    return this.request(true, ...units);
  }

  /** Vanishes without a word. */
  vanish(): void {
    this.present = false;
    this.lastHeard = this.#desk.clock.now();
  }
}

/** The names of the requests in the order in which they ran. */
export const order: string[] = [];

export class Request {
  state: 'waits' | 'done' | 'cancelled' = 'waits';
  name = '';
  /** How often it was looked at. */
  tries = 0;
  readonly #call = new Call();

  constructor(desk: Desk, client: Holder, write: boolean, units: bigint[]) {
    const result = desk.waits.run({
      client,
      call: this.#call,
      prepare: () => {
        this.tries += 1;
        return {
          touches: units.map((unit) => ({ unit, write })),
          run: () => {
            this.state = 'done';
            order.push(this.name);
          },
        };
      },
      keep: () => undefined,
    });
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (Failure.from(error).kind === 'ECANCELED') this.state = 'cancelled';
      });
    }
  }

  cancel(): void {
    this.#call.cancel();
  }
}

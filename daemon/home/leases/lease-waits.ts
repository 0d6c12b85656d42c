/*
 * Requests that wait until others have given back what they touch (leases.ts), or what they need of the quota
 * (room-recalls.ts).
 *
 * Invariants:
 * - between the look that nothing stands in the way and the request's own work nothing else happens: both are one stretch;
 * - a request holds nothing while it waits, and nobody's giving back waits for a request; so no two can wait for each other.
 *   Who is being recalled is served on what it still holds, and gives back nevertheless;
 * - while somebody waits for a unit it is given to nobody, so those who come later and can go at once delay nobody. Those
 *   who waited go in the order in which they came;
 * - each wait ends: by giving back, by the term, with the call itself, or with its client.
 */
import { Failure } from '../../../protocol/failure.js';
import type { LeaseItem } from '../../../protocol/methods.js';
import type { Call } from '../calls/call.js';
import type { Clock } from '../calls/clock.js';
import { GrantedAway, type ClientGrant } from '../quota/grants.js';
import type { LeaseHolder, Touch } from './lease-table.js';
import type { Leases } from './leases.js';
import type { Turns } from '../calls/turns.js';
import { Unfinished } from '../calls/unfinished.js';

/** A request that was looked at: what it touches, and its work, to be done in the same turn. */
export interface Prepared<T> {
  readonly touches: readonly Touch[];
  /** GrantedAway, Unfinished: it is to be prepared again when there may be room, or when other work has ended. */
  run(): T;
}

/** A request. */
export interface Request<T> {
  readonly client: LeaseHolder;
  readonly call: Call;
  /** Looks at the files it is about; called again after each wait. */
  prepare(): Prepared<T>;
  /** It will wait: what it needs of its message is to be copied. */
  keep(): void;
}

interface Waiting {
  readonly client: LeaseHolder;
  /** What it waits for; empty: not for leases. */
  units: readonly bigint[];
  /** Tries again. */
  tryAgain(): void;
}

export interface LeaseWaitsOptions {
  readonly leases: Leases;
  readonly clock: Clock;
  /** Nothing of this client may be done yet: others come back first (grace.ts). */
  readonly isHeldUp: (client: LeaseHolder) => boolean;
  /** A request waits for room that is granted, to others than this if that is given. */
  readonly onShort: (by: ClientGrant | undefined) => void;
  /** Sees to it that what it is told of stays true; whether that is only so from now on (disk-watch.ts). */
  readonly cover: (client: LeaseHolder, touches: readonly Touch[]) => boolean;
  readonly turns: Turns;
  /** The home cannot be changed, nor anything be given back: the term does not run. */
  readonly isFrozen: () => boolean;
}

/** What those wait for that wait for room: no inode has this number. */
const ROOM = -1n;
/** What those wait for that wait for work on another thread. */
const WORK = -2n;
/** How long after a time when the term did not run it is looked at again (milliseconds). */
const AFTER_FREEZE_MS = 1000;

export class LeaseWaits {
  readonly #options: LeaseWaitsOptions;
  /** In the order of coming. */
  readonly #waiting = new Set<Waiting>();
  readonly #ofUnit = new Map<bigint, Set<Waiting>>();
  /** Who is to try again in this turn. */
  #freed = new Set<Waiting>();
  #callOff: (() => void) | undefined;
  #closed = false;
  #roomFreed = false;

  constructor(options: LeaseWaitsOptions) {
    this.#options = options;
  }

  /** How many requests wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Does the work of a request: at once where nothing stands in its way, else later. ECANCELED; ECONNABORTED where its client
   * has ended.
   */
  run<T>(request: Request<T>): T | Promise<Awaited<T>> {
    const tried = this.#try(request);
    if ('result' in tried) return tried.result;
    const { client, call } = request;
    call.throwIfCancelled();
    request.keep();
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        client,
        units: tried.units,
        tryAgain: () => {
          this.#unlist(waiting);
          // The request may go on to wait for something else.
          call.onCancel = undefined;
          try {
            const again = this.#try(request);
            if ('result' in again) {
              this.#waiting.delete(waiting);
              resolve(again.result as Awaited<T>);
            } else {
              waiting.units = again.units;
              call.onCancel = cancel;
              this.#list(waiting);
            }
          } catch (error) {
            this.#waiting.delete(waiting);
            reject(error);
          }
        },
      };
      const cancel = (): void => {
        this.#unlist(waiting);
        this.#waiting.delete(waiting);
        reject(new Failure('ECANCELED', 'cancelled'));
      };
      call.onCancel = cancel;
      this.#waiting.add(waiting);
      this.#list(waiting);
    });
  }

  /** Does what touches nothing and may be refused for want of room: at once, or when others have given some back. As run(). */
  whenRoom<T>(client: LeaseHolder, call: Call, attempt: () => T, keep: () => void): T | Promise<Awaited<T>> {
    return this.run({ client, call, prepare: () => ({ touches: [], run: attempt }), keep });
  }

  /** Whether a request waits for a unit: who got it now would only be asked for it. */
  isWaitedFor(unit: bigint): boolean {
    return this.#ofUnit.has(unit);
  }

  returned(client: LeaseHolder, items: readonly LeaseItem[]): void {
    const { leases } = this.#options;
    const { lowered, forNobody } = leases.returned(client, items);
    for (const unit of lowered) this.#freeAll(unit);
    leases.vacated(forNobody.filter((unit) => !this.#ofUnit.has(unit)));
  }

  /** Something was freed that any of them may wait for. */
  freed(): void {
    for (const waiting of this.#waiting) this.#free(waiting);
  }

  /** There may be room in the quota, or nobody has any to give back. */
  roomFreed(): void {
    if (this.#roomFreed || !this.#ofUnit.has(ROOM)) return;
    // Once for all that comes at once: who gives back byte by byte must not make others try again for each.
    this.#roomFreed = true;
    setImmediate(() => {
      this.#roomFreed = false;
      this.#freeAll(ROOM);
    });
  }

  /** Nothing is done for a client any more. */
  ended(client: LeaseHolder): void {
    for (const waiting of this.#waiting) if (waiting.client === client) this.#free(waiting);
  }

  /** Nothing is done any more. */
  close(): void {
    this.#closed = true;
    this.freed();
    this.#callOff?.();
    this.#callOff = undefined;
  }

  /** Something was recalled: sees to it that it is given back in time, or lost. */
  watch(): void {
    const { leases, clock, isFrozen } = this.#options;
    if (this.#callOff !== undefined) return;
    const deadline = leases.nextDeadline();
    if (deadline === undefined) return;
    const ms = Math.max(deadline - clock.now(), isFrozen() ? AFTER_FREEZE_MS : 0);
    this.#callOff = clock.after(ms, () => {
      this.#callOff = undefined;
      if (!isFrozen()) leases.expire();
      this.watch();
    });
  }

  #try<T>({ client, prepare }: Request<T>): { result: T } | { units: readonly bigint[] } {
    const { leases, isHeldUp, cover, onShort } = this.#options;
    if (client.ended || this.#closed) throw new Failure('ECONNABORTED', 'the client has gone');
    if (isHeldUp(client)) return { units: [] };
    let prepared = prepare();
    while (cover(client, prepared.touches)) prepared = prepare();
    const { touches, run } = prepared;
    if (!leases.touch(client, touches)) return { units: touches.map(({ unit }) => unit) };
    leases.grant(client, touches);
    try {
      return { result: run() };
    } catch (error) {
      if (error instanceof Unfinished) {
        void error.until.then(() => this.#freeAll(WORK));
        return { units: [WORK] };
      }
      if (!(error instanceof GrantedAway)) throw error;
      onShort(error.by);
      return { units: [ROOM] };
    }
  }

  #list(waiting: Waiting): void {
    for (const unit of waiting.units) {
      const others = this.#ofUnit.get(unit);
      if (others === undefined) this.#ofUnit.set(unit, new Set([waiting]));
      else others.add(waiting);
    }
  }

  #unlist(waiting: Waiting): void {
    for (const unit of waiting.units) {
      const others = this.#ofUnit.get(unit);
      if (others?.delete(waiting) === true && others.size === 0) this.#ofUnit.delete(unit);
    }
  }

  #freeAll(unit: bigint): void {
    for (const waiting of this.#ofUnit.get(unit) ?? []) this.#free(waiting);
  }

  #free(waiting: Waiting): void {
    if (this.#freed.size === 0) queueMicrotask(() => this.#tryFreed());
    this.#freed.add(waiting);
  }

  #tryFreed(): void {
    const freed = this.#freed;
    this.#freed = new Set();
    this.#tryEach([...this.#waiting].filter((waiting) => freed.has(waiting)));
  }

  /** Those for which the turn is too short are the first of the next one: before what came behind them. */
  #tryEach(freed: readonly Waiting[]): void {
    const { turns } = this.#options;
    for (const [at, waiting] of freed.entries()) {
      if (at > 0 && turns.isOver && !this.#closed) {
        void turns.putOff(() => this.#tryEach(freed.slice(at)), 'first');
        return;
      }
      // Not one that was cancelled since.
      if (this.#waiting.has(waiting)) turns.spend(() => waiting.tryAgain());
    }
  }
}

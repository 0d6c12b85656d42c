/*
 * Requests that wait until others have given back what they touch (leases.ts).
 *
 * Invariants:
 * - between the look that nothing stands in the way and the request's own work nothing else happens: both are one stretch;
 * - a request holds nothing while it waits, and nobody's giving back waits for a request; so no two can wait for each other.
 *   Who is being recalled is served on what it still holds, and gives back nevertheless;
 * - while somebody waits for a unit it is given to nobody, so those who come later and can go at once delay nobody. Those
 *   who waited go in the order in which they came;
 * - each wait ends: by giving back, by the term, or with the call itself.
 */
import { Failure } from '../../protocol/failure.js';
import type { LeaseItem } from '../../protocol/methods.js';
import type { Call } from './call.js';
import type { Clock } from './clock.js';
import type { LeaseHolder, Touch } from './lease-table.js';
import type { Leases } from './leases.js';

/** A request that was looked at: what it touches, and its work, to be done in the same turn. */
export interface Prepared<T> {
  readonly touches: readonly Touch[];
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
  /** Sees to it that what it is told of stays true; whether that is only so from now on (disk-watch.ts). */
  readonly cover: (client: LeaseHolder, touches: readonly Touch[]) => boolean;
  /** The home cannot be changed, nor anything be given back: the term does not run. */
  readonly isFrozen: () => boolean;
}

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

  constructor(options: LeaseWaitsOptions) {
    this.#options = options;
  }

  /** How many requests wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Does the work of a request: at once where nothing stands in its way, else later. ECANCELED. */
  run<T>(request: Request<T>): T | Promise<Awaited<T>> {
    const tried = this.#try(request);
    if ('result' in tried) return tried.result;
    request.keep();
    return new Promise((resolve, reject) => {
      const { call } = request;
      const waiting: Waiting = {
        units: tried.units,
        tryAgain: () => {
          this.#unlist(waiting);
          try {
            const again = this.#try(request);
            if ('result' in again) {
              end();
              resolve(again.result as Awaited<T>);
            } else {
              waiting.units = again.units;
              this.#list(waiting);
            }
          } catch (error) {
            end();
            reject(error);
          }
        },
      };
      const end = (): void => {
        call.onCancel = undefined;
        this.#waiting.delete(waiting);
      };
      call.onCancel = () => {
        this.#unlist(waiting);
        end();
        reject(new Failure('ECANCELED', 'cancelled'));
      };
      this.#waiting.add(waiting);
      this.#list(waiting);
    });
  }

  returned(client: LeaseHolder, items: readonly LeaseItem[]): void {
    const { leases } = this.#options;
    const forNobody = leases.returned(client, items);
    for (const [unit] of items) for (const waiting of this.#ofUnit.get(unit) ?? []) this.#free(waiting);
    leases.vacated(forNobody.filter((unit) => !this.#ofUnit.has(unit)));
  }

  /** Something was freed that any of them may wait for. */
  freed(): void {
    for (const waiting of this.#waiting) this.#free(waiting);
  }

  close(): void {
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
    const { leases, isHeldUp, cover } = this.#options;
    if (isHeldUp(client)) return { units: [] };
    let prepared = prepare();
    while (cover(client, prepared.touches)) prepared = prepare();
    const { touches, run } = prepared;
    if (!leases.touch(client, touches)) return { units: touches.map(({ unit }) => unit) };
    leases.grant(client, touches, (unit) => this.#ofUnit.has(unit));
    return { result: run() };
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

  #free(waiting: Waiting): void {
    if (this.#freed.size === 0) queueMicrotask(() => this.#tryFreed());
    this.#freed.add(waiting);
  }

  #tryFreed(): void {
    const freed = this.#freed;
    this.#freed = new Set();
    for (const waiting of [...this.#waiting]) {
      // Not one that was cancelled since.
      if (freed.has(waiting) && this.#waiting.has(waiting)) waiting.tryAgain();
    }
  }
}

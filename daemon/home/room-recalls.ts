/*
 * Room of the quota that clients were granted and that others need, or that lowered limits no longer have: clients are asked
 * to give it back (`ungrant`).
 *
 * Invariants: a request that waits is refused for want of room only when nobody has any that it does not need; who is asked
 * answers, or loses all that it was granted: when the term is over since it was asked, or, while it is away, since its last
 * word. Giving back never waits.
 */
import { LEASE_WRITE, type Params } from '../../protocol/methods.js';
import type { Call } from './calls/call.js';
import type { Clock } from './calls/clock.js';
import type { ClientGrant, Granted } from './quota/grants.js';
import type { HomeClient } from './home-client.js';
import type { LeaseWaits } from './leases/lease-waits.js';
import type { Quota } from './quota/quota.js';

/** How long after a time when the term did not run it is looked at again (milliseconds). */
const AFTER_FREEZE_MS = 1000;

export interface RoomRecallsOptions {
  readonly quota: Quota;
  readonly clients: () => Iterable<HomeClient>;
  readonly clock: Clock;
  /** How long an answer is waited for: the term of the leases (milliseconds). */
  readonly termMs: number;
  /** Where requests wait that need room. */
  readonly waits: LeaseWaits;
  /** Nothing can be given back: the term does not run. */
  readonly isFrozen: () => boolean;
}

export class RoomRecalls {
  readonly #options: RoomRecallsOptions;
  /** Who was asked and has not answered, since when. */
  readonly #asked = new Map<HomeClient, number>();
  #callOff: (() => void) | undefined;
  /** Calls off the end of the time in which clients may give back what is granted beyond lowered limits. */
  #lowering: (() => void) | undefined;

  constructor(options: RoomRecallsOptions) {
    this.#options = options;
  }

  /** The answer of `grant`: later where a client needs what others have, or where nothing is granted yet (grace.ts). */
  grant(client: HomeClient, asked: Params<'grant'>, call: Call): unknown[] | Promise<unknown[]> {
    const [bytes, files, regular, directories, neededBytes, neededFiles, received] = asked;
    if (client.wants < LEASE_WRITE) return [0, 0, [], []];
    if (received !== null) client.grant.inodes.received(received);
    client.grant.take(Math.min(0, bytes), Math.min(0, files), 0, 0);
    if (bytes <= 0 && files <= 0 && regular + directories === 0) {
      this.#answered(client, bytes === 0 && files === 0);
      return [0, 0, [], []];
    }
    const more = [Math.max(0, bytes), Math.max(0, files), regular, directories] as const;
    const needed = { bytes: neededBytes ?? 0, files: neededFiles ?? 0 };
    const take = (): unknown[] => packed(client.grant.take(...more, needed));
    return this.#options.waits.whenRoom(client, call, take, () => undefined);
  }

  /** A request needs room: asks all who may have some that they do not need, but the one who needs it. */
  ask(by?: ClientGrant): void {
    const { clients, clock } = this.#options;
    for (const client of clients()) {
      const { bytes, files } = client.grant.spare;
      if (client.grant === by || bytes + files === 0 || this.#asked.has(client)) continue;
      this.#asked.set(client, clock.now());
      client.tellUngrant();
    }
    this.#watch();
  }

  /** A client is connected again: it may not have been told. */
  entered(client: HomeClient): void {
    if (this.#asked.has(client)) client.tellUngrant();
  }

  /** Asks for what is granted beyond the limits, and takes all when the term is over and that was not enough. */
  limitsChanged(): void {
    const { clock, clients, termMs } = this.#options;
    if (!this.#isBeyondLimits()) return;
    this.ask();
    this.#lowering ??= clock.after(termMs, () => {
      this.#lowering = undefined;
      if (this.#isBeyondLimits()) for (const { grant } of clients()) takeBack(grant);
    });
  }

  close(): void {
    this.#callOff?.();
    this.#lowering?.();
  }

  #answered(client: HomeClient, allNeeded: boolean): void {
    const wasAsked = this.#asked.delete(client);
    if (allNeeded) client.grant.allNeeded();
    if (wasAsked) this.#options.waits.roomFreed();
  }

  #watch(): void {
    const { clock, isFrozen } = this.#options;
    if (this.#callOff !== undefined || this.#asked.size === 0) return;
    const first = Math.min(...[...this.#asked].map((entry) => this.#deadlineOf(entry)));
    const ms = Math.max(first - clock.now(), isFrozen() ? AFTER_FREEZE_MS : 0);
    this.#callOff = clock.after(ms, () => {
      this.#callOff = undefined;
      if (!isFrozen()) this.#expire();
      this.#watch();
    });
  }

  #expire(): void {
    const now = this.#options.clock.now();
    for (const entry of this.#asked) {
      if (this.#deadlineOf(entry) > now) continue;
      const [client] = entry;
      this.#asked.delete(client);
      takeBack(client.grant);
    }
    this.#options.waits.roomFreed();
  }

  #deadlineOf([client, since]: readonly [HomeClient, number]): number {
    return (client.present ? since : client.lastHeard) + this.#options.termMs;
  }

  #isBeyondLimits(): boolean {
    const { used, granted, limits } = this.#options.quota;
    const isBeyond = (limit: number, taken: number, ahead: number): boolean =>
      limit !== 0 && ahead > 0 && taken + ahead > limit;
    return (
      isBeyond(limits.bytes, used.bytes, granted.bytes) || isBeyond(limits.files, used.files, granted.files)
    );
  }
}

/** Takes what a client did not give back in time; its next `apply` tells it. */
function takeBack(grant: ClientGrant): void {
  const { bytes, files } = grant.left;
  grant.take(-bytes, -files, 0, 0);
}

function packed([bytes, files, ...ids]: Granted): unknown[] {
  return [bytes, files, ...ids.map((some) => some.map(({ ino, birth }) => [ino, birth]))];
}

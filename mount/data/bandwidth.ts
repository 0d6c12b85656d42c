/**
 * How fast the line to the server is, and so how much is worth asking for before it is needed.
 *
 * Measured as BBR does (Cardwell and others, 2016): the rate is the highest one at which data arrived while a request was
 * under way, the round trip is the shortest time that a request took, both of the last seconds. Twice their product keeps
 * the line busy; and while the line is not full, it doubles with each round trip. What waited behind other answers, or
 * is long itself, can only shorten the round trip, never lengthen it, or the window would grow by its own queue.
 * A rate is that of the line only where the line was busy for as long as the round trip took; any other tells how little was
 * asked for.
 *
 * Invariant: what nobody waits for yet, and what the kernel reads ahead of one file, is under way only within `window`, so that a
 * read that somebody waits for finds a line that is free after some milliseconds, and most of the session's window.
 */
import { MAX_BYTES_IN_FLIGHT, MAX_DATA } from '../../protocol/limits.js';

const KiB = 1024;

/** Of the session's window; the rest is for what is waited for. */
const MAX_WINDOW = (3 / 4) * MAX_BYTES_IN_FLIGHT;
const MIN_WINDOW = 128 * KiB;
/** How long the line may be busy beyond the round trips with what nobody waits for: what both ends' pauses need (ms). */
const SLACK_MS = 10;
/** What one request may ask for, in the time that the line needs for it (ms). */
const PIECE_MS = 20;
const MIN_PIECE = 64 * KiB;

/** Until something was measured: bytes in a millisecond, milliseconds. */
const ASSUMED_RATE = 10 * KiB;
const ASSUMED_ROUND_TRIP_MS = 10;
/** Fewer bytes say how far the server is, and not how fast the line: they can only raise the rate. */
const TELLING_BYTES = 128 * KiB;
/** So few say how far the server is: they take no time by themselves. */
const SMALL_BYTES = 16 * KiB;
/** A rate as near to the highest one is taken for the same: what is measured over a short time varies. */
const ALIKE = 0.5;
/** How long a measurement counts, at least; up to twice as long (ms). */
const EPOCH_MS = 5_000;
/** The clock's grain, where an answer seems to have taken no time (ms). */
const MIN_ELAPSED_MS = 0.05;

/** A request under way. */
export interface Flight {
  /** Its answer has come, with so many bytes. Called once. */
  arrived(bytes: number): void;
}

export class Bandwidth {
  /** The clock (milliseconds). */
  readonly now: () => number;
  readonly #rate = new Extreme(Math.max);
  /** Of those, rates of a line that was busy. */
  readonly #busyRate = new Extreme(Math.max);
  readonly #roundTrip = new Extreme(Math.min);
  /** All bytes that have arrived. */
  #delivered = 0;
  /** Requests under way. */
  #requests = 0;
  /** Bytes asked for; and of those, what nobody waited for then. */
  #underWay = 0;
  #ahead = 0;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** A request for `bytes` is sent. `ahead`: nobody waits for them. */
  sent(bytes: number, ahead: boolean): Flight {
    const sentAt = this.now();
    const deliveredBefore = this.#delivered;
    const alone = this.#requests === 0;
    this.#requests++;
    this.#underWay += bytes;
    if (ahead) this.#ahead += bytes;
    return {
      arrived: (received) => {
        this.#requests--;
        this.#underWay -= bytes;
        if (ahead) this.#ahead -= bytes;
        this.#delivered += received;
        if (received > 0) this.#measured(sentAt, alone, this.#delivered - deliveredBefore);
      },
    };
  }

  #measured(sentAt: number, alone: boolean, delivered: number): void {
    const now = this.now();
    const elapsed = Math.max(now - sentAt, MIN_ELAPSED_MS);
    const rate = delivered / elapsed;
    if (delivered < TELLING_BYTES) this.#rate.extend(rate);
    else {
      this.#rate.add(rate, now);
      if (elapsed >= 2 * this.#roundTripMs) this.#busyRate.add(rate, now);
    }
    if ((alone && delivered <= SMALL_BYTES) || this.#roundTrip.value === undefined) {
      this.#roundTrip.add(elapsed, now);
    } else {
      this.#roundTrip.extend(elapsed);
    }
  }

  /** Whether so many bytes may be asked for that nobody waits for. */
  admits(bytes: number): boolean {
    return this.#ahead === 0 || (this.#ahead + bytes <= this.window && !this.isFull(bytes));
  }

  /** Whether so many bytes more would only wait at the line's other end, as far as is known. */
  isFull(bytes: number): boolean {
    return this.isKnown && this.#underWay + bytes > this.window;
  }

  /** Whether the rate is that of the line, and not what was asked for. */
  get isKnown(): boolean {
    return (this.#busyRate.value ?? 0) >= ALIKE * this.#bytesPerMs;
  }

  /** Milliseconds until `bytes` that are asked for now have come; as the window grows, where the line was never busy. */
  timeFor(bytes: number): number {
    const atThisRate = this.#roundTripMs + bytes / this.#bytesPerMs;
    if (this.isKnown) return atThisRate;
    const doublings = Math.ceil(Math.log2(bytes / this.window + 1));
    return Math.min(atThisRate, doublings * this.#roundTripMs);
  }

  /** Bytes that keep the line busy. */
  get window(): number {
    const bytes = this.#bytesPerMs * (2 * this.#roundTripMs + SLACK_MS);
    return Math.floor(Math.min(Math.max(bytes, MIN_WINDOW), MAX_WINDOW));
  }

  /** Bytes whose transfer takes as long as one wait for the server. */
  get worthOneRoundTrip(): number {
    return Math.floor(this.#bytesPerMs * this.#roundTripMs);
  }

  /** How much one request should ask for where nobody waits for it: a power of two. */
  get piece(): number {
    const bytes = Math.min(Math.max(this.#bytesPerMs * PIECE_MS, MIN_PIECE), MAX_DATA);
    return 2 ** Math.floor(Math.log2(bytes));
  }

  get #bytesPerMs(): number {
    return this.#rate.value ?? ASSUMED_RATE;
  }

  get #roundTripMs(): number {
    return this.#roundTrip.value ?? ASSUMED_ROUND_TRIP_MS;
  }
}

/** The highest or lowest of the values of the last EPOCH_MS or more; of those before, while there are no new ones. */
class Extreme {
  readonly #better: (a: number, b: number) => number;
  #before: number | undefined;
  #current: number | undefined;
  #since = Number.NEGATIVE_INFINITY;

  constructor(better: (a: number, b: number) => number) {
    this.#better = better;
  }

  get value(): number | undefined {
    return this.#of(this.#before, this.#current);
  }

  add(value: number, now: number): void {
    if (now - this.#since > EPOCH_MS) {
      this.#since = now;
      this.#before = this.#current;
      this.#current = undefined;
    }
    this.#current = this.#of(this.#current, value);
  }

  /** Counts where there is a value already and it is better. */
  extend(value: number): void {
    if (this.#current !== undefined) this.#current = this.#better(this.#current, value);
  }

  #of(a: number | undefined, b: number | undefined): number | undefined {
    if (a === undefined || b === undefined) return a ?? b;
    return this.#better(a, b);
  }
}

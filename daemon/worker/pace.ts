/*
 * The bandwidth of a user: when so much came and went in the user's sessions that the rate is passed, none of them is read from
 * until it is not. What is not read waits at the client (TCP), which asks for no more than its window allows meanwhile.
 *
 * The bandwidth of all users together is shared by those who would use more of it than their share: each has the same one, on
 * whatever thread, and how many they are is all that threads tell each other (Line). So it may be passed by as much as those use
 * who stay below their share.
 */
import { CLOCK, type Clock } from '../home/calls/clock.js';

/** For so long (milliseconds) at its rate a user who was idle may move at once: small calls never wait. */
const BURST_MS = 500;
/**
 * Sessions rest for no longer at a time (milliseconds): terms of leases are longer. Then a message more is heard, whatever is owed:
 * the least bandwidth that can be had (state/bandwidth.ts) is more than that.
 */
const MAX_REST_MS = 5_000;

/** KiB a second for all users (0: no limit), and behind it of each worker how many of its users share them. */
export type LineCells = Int32Array<SharedArrayBuffer>;

export function makeLine(workers: number): LineCells {
  return new Int32Array(new SharedArrayBuffer((1 + workers) * Int32Array.BYTES_PER_ELEMENT));
}

/** Bytes a second. */
export function setLineRate(cells: LineCells, bytes: number): void {
  Atomics.store(cells, 0, Math.ceil(bytes / 1024));
}

/** What the threads of the daemon share, as one of the workers has it. */
export class Line {
  readonly #cells: LineCells;
  readonly #own: number;

  /** A worker that takes the place of one that was lost begins anew. */
  constructor(cells: LineCells, worker: number) {
    this.#cells = cells;
    this.#own = 1 + worker;
    Atomics.store(cells, this.#own, 0);
  }

  /** Bytes a second; 0: no limit. */
  get rate(): number {
    return 1024 * Atomics.load(this.#cells, 0);
  }

  /** Bytes a second of each user who shares it. */
  get share(): number {
    let users = 0;
    for (let worker = 1; worker < this.#cells.length; worker++) users += Atomics.load(this.#cells, worker);
    return this.rate / Math.max(1, users);
  }

  /** One more user shares it, or one less. */
  joined(): void {
    Atomics.add(this.#cells, this.#own, 1);
  }

  left(): void {
    Atomics.sub(this.#cells, this.#own, 1);
  }
}

/** A session: it hears its peer, but while it is held back. */
export interface Paced {
  holdBack(): void;
  letGo(): void;
}

/** Of one user. */
export class Pace {
  readonly #line: Line;
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #sessions = new Set<Paced>();
  #own = 0;
  /** That of all users, as it was when something was last moved. */
  #lineRate = 0;
  /** When what was moved would have been moved at the rate of its time. */
  #paidAt = -Infinity;
  #holding = false;
  #callOffWait = (): void => undefined;
  /** It is one of those who share the line. */
  #shares = false;

  constructor(line: Line, clock: Pick<Clock, 'now' | 'after'> = CLOCK) {
    this.#line = line;
    this.#clock = clock;
  }

  /** Bytes a second of this user; 0: no limit. */
  set own(bytes: number) {
    if (bytes === this.#own) return; // As each login sets it.
    this.#own = bytes;
    // What was moved at another rate is forgiven.
    this.#paidAt = -Infinity;
    if (this.#holding) this.#letGo();
  }

  get isLimited(): boolean {
    return this.#own > 0 || this.#line.rate > 0;
  }

  join(session: Paced): void {
    this.#sessions.add(session);
    if (this.#holding) session.holdBack();
  }

  leave(session: Paced): void {
    this.#sessions.delete(session);
  }

  /** So many bytes came and went in a session. */
  moved(bytes: number): void {
    const own = this.#own === 0 ? Infinity : this.#own;
    const { rate: all } = this.#line;
    if (all !== this.#lineRate) this.#paidAt = -Infinity;
    this.#lineRate = all;
    const share = all === 0 ? Infinity : this.#line.share;
    const rate = Math.min(own, share);
    if (rate === Infinity) return;
    const now = this.#clock.now();
    this.#paidAt = Math.max(this.#paidAt, now - BURST_MS) + (1000 * bytes) / rate;
    if (this.#holding || this.#paidAt <= now) return;
    if (share < own) this.#share();
    this.#holding = true;
    for (const session of this.#sessions) session.holdBack();
    this.#wait();
  }

  /** Until it was not held back for a while. */
  #share(): void {
    if (this.#shares) return;
    this.#shares = true;
    this.#line.joined();
    const look = (): void => {
      this.#shares = this.#holding || this.#clock.now() - this.#paidAt < BURST_MS;
      if (this.#shares) this.#clock.after(BURST_MS, look);
      else this.#line.left();
    };
    this.#clock.after(BURST_MS, look);
  }

  #wait(): void {
    const ms = Math.min(Math.max(this.#paidAt - this.#clock.now(), 1), MAX_REST_MS);
    this.#callOffWait = this.#clock.after(ms, () => this.#letGo());
  }

  #letGo(): void {
    this.#callOffWait();
    this.#holding = false;
    for (const session of this.#sessions) session.letGo();
  }
}

/*
 * The turns of one user on a thread: in each round of the event loop the work of all the sessions of a home is done for
 * QUANTUM_MS, and then others have their turns, however many sessions a user has and however much each of them sent.
 *
 * Invariant: what is put off is done in the order in which it was put off, a piece in each round at least. A session that used
 * up a turn has its own place in that order, behind the one of the others that rest meanwhile: they are heard before.
 */

/** Milliseconds, and the piece that was begun: for so long a user holds up the others in each round. */
const QUANTUM_MS = 2;

/** A session: it hears its peer, but while it rests. */
export interface TurnTaker {
  rest(): void;
  goOn(): void;
}

export class Turns {
  readonly #quantumMs: number;
  readonly #now: () => number;
  readonly #takers = new Set<TurnTaker>();
  /** Those that used up a turn, and wait for the next one of their own. */
  readonly #sated = new Set<TurnTaker>();
  /** The others rest. */
  #resting = false;
  /** Each tells whether takers go on: what they hear comes before the next step. */
  readonly #steps: (() => boolean)[] = [];
  #expected = false;
  /** Milliseconds of this turn, but for what is being done. */
  #taken = 0;
  /** When what is being done began. */
  #began: number | undefined;

  /** For tests: `quantumMs`, 0: a piece each turn; `now`: milliseconds. */
  constructor(quantumMs = QUANTUM_MS, now: () => number = () => performance.now()) {
    this.#quantumMs = quantumMs;
    this.#now = now;
  }

  /** To be asked after each piece: the next ones should be put off. */
  get isOver(): boolean {
    const underWay = this.#began === undefined ? 0 : this.#now() - this.#began;
    return this.#taken + underWay >= this.#quantumMs;
  }

  join(taker: TurnTaker): void {
    this.#takers.add(taker);
  }

  leave(taker: TurnTaker): void {
    this.#takers.delete(taker);
    this.#sated.delete(taker);
  }

  /** Does some work now, of a taker or of what was put off. All takers rest once the turn is over. */
  spend<T>(work: () => T, taker?: TurnTaker): T {
    if (this.#began !== undefined) return work();
    this.#began = this.#now();
    try {
      return work();
    } finally {
      this.#taken += this.#now() - this.#began;
      this.#began = undefined;
      if (this.isOver) this.#rest(taker);
    }
  }

  /** Does a piece of work of which more follow: now, or in one of the next turns where this one is over. */
  async take<T>(work: () => T): Promise<Awaited<T>> {
    return await (this.isOver ? this.putOff(work) : this.spend(work));
  }

  /** Goes through pieces of work: those that this turn has time for at once, one at least, and the others in the next turns. */
  async goThrough(pieces: Iterator<unknown>): Promise<void> {
    const areDone = (): boolean => {
      do {
        if (pieces.next().done === true) return true;
      } while (!this.isOver);
      return false;
    };
    let done = this.spend(areDone);
    while (!done) done = await this.putOff(areDone);
  }

  /** Does a piece of work in one of the next turns: after what was put off before, or before it. */
  putOff<T>(work: () => T, place: 'last' | 'first' = 'last'): Promise<T> {
    return new Promise((resolve, reject) => {
      const step = (): boolean => {
        try {
          resolve(this.spend(work));
        } catch (error) {
          reject(error);
        }
        return false;
      };
      if (place === 'last') this.#steps.push(step);
      else this.#steps.unshift(step);
      this.#expect();
    });
  }

  /** `by`: who used up the turn, where it was a taker. */
  #rest(by: TurnTaker | undefined): void {
    const sated = by !== undefined && this.#takers.has(by) ? by : undefined;
    for (const taker of this.#takers) if (!this.#sated.has(taker)) taker.rest();
    if (sated !== undefined) this.#sated.add(sated);
    if (!this.#resting && this.#sated.size < this.#takers.size) {
      this.#resting = true;
      this.#steps.push(() => {
        this.#resting = false;
        for (const taker of this.#takers) if (!this.#sated.has(taker)) taker.goOn();
        return true;
      });
    }
    if (sated !== undefined) {
      this.#steps.push(() => {
        if (this.#sated.delete(sated)) sated.goOn();
        return true;
      });
    }
    this.#expect();
  }

  #expect(): void {
    if (this.#expected) return;
    this.#expected = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#expected = false;
    this.#taken = 0;
    let areHeard: boolean;
    do {
      const step = this.#steps.shift();
      if (step === undefined) return;
      areHeard = step();
    } while (!areHeard && !this.isOver);
    if (this.#steps.length > 0) this.#expect();
  }
}

/**
 * For how long what is leased may be used: the server keeps it for a term (its login tells it) after it last heard of this
 * mount, and then may give it to others without a word.
 *
 * It heard of us when it had a request that it answered, so after that request was sent: from there the term counts. It
 * ends here some time earlier, in which the kernel is made to forget what it was told.
 *
 * Invariant: once it is over while something is held, it stays so, whatever is answered, until begin(): the leases may be
 * another's by then, which only a new login tells.
 *
 * Who holds nothing need not be heard. What is leased then comes before the answer of the request that it is for, so it counts from
 * that answer, or of a ping: a server that had taken it back meanwhile would have dropped the connection.
 */
import { bootTime } from '../remote/boot-time.js';

/** What is left of the server's term when it is over here: 5 s of 30. */
const MARGIN = 1 / 6;

export interface TermOptions {
  /** When the request that was answered last had been sent (Remote.lastHeardSentAt). */
  heard(): number;
  /** Sends something that is answered. */
  ping(): void;
  /** The term is over while something is held: nothing may be believed any more, in the kernel neither. */
  ranOut(): void;
  /** Milliseconds; the clock of `heard`. */
  readonly now?: () => number;
  /** The server's (milliseconds). */
  readonly termMs: number;
}

export class Term {
  readonly #options: TermOptions;
  readonly #now: () => number;
  #ms: number;
  #over = false;
  #holding = false;
  /** It was not over since something is held. */
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TermOptions) {
    this.#options = options;
    this.#now = options.now ?? bootTime;
    this.#ms = own(options.termMs);
  }

  get over(): boolean {
    if (this.#over) return true;
    const over = this.#left() <= 0;
    if (!over) this.#running = this.#holding;
    else if (this.#running) this.#over = true;
    return over;
  }

  /** A login has just said what is held, and the server's term: it counts anew. */
  begin(termMs: number): void {
    this.#ms = own(termMs);
    this.#over = false;
    this.#running = false;
    this.#watch();
  }

  /** Whether anything is held: only then there is a timer, pings, and an end that is told. */
  hold(holding: boolean): void {
    if (holding === this.#holding) return;
    this.#holding = holding;
    this.#running = false;
    if (!this.#over) this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#holding) return;
    const waits = this.over;
    if (this.#over) {
      this.#options.ranOut();
      return;
    }
    const left = this.#left();
    const third = this.#ms / 3;
    const quiet = left <= 2 * third;
    if (quiet) this.#options.ping();
    // What is sent now renews it; if it does not, there is time for another try.
    const wait = waits ? third : quiet ? Math.min(left, third) : left - 2 * third;
    this.#timer = setTimeout(() => this.#watch(), Math.ceil(wait)).unref();
  }

  #left(): number {
    return this.#options.heard() + this.#ms - this.#now();
  }
}

/** Of the server's term, how long it is here. */
function own(termMs: number): number {
  return termMs * (1 - MARGIN);
}

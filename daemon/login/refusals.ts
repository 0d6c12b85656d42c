/*
 * Lines of a log about those who were not let in. Strangers make thousands a second of them if they like, and must not fill the
 * disk, nor push out what else is told: in each PERIOD_MS the first MAX_LINES are written, and the others counted in one line.
 */
import type { Log, LogLevel } from '../log.js';

const PERIOD_MS = 10_000;
const MAX_LINES = 100;

export class Refusals {
  readonly #log: Log;
  readonly #summary: string;
  #lines = 0;
  #count = 0;
  #last = '';
  #timer: NodeJS.Timeout | undefined;

  /** `summary`: what the line of those that were only counted says. */
  constructor(log: Log, summary: string) {
    this.#log = log;
    this.#summary = summary;
  }

  /** Writes a line, or counts it. `fields`: with the `peer`. */
  write(level: LogLevel, fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#lines += 1;
    if (this.#lines > MAX_LINES) return this.count(`${String(fields['peer'])}: ${message}`);
    this.#log[level](fields, message);
    this.#begin();
  }

  /** Counts what gets no line of its own. The last one is told. */
  count(last: string): void {
    this.#count += 1;
    this.#last = last;
    this.#begin();
  }

  /** Writes what was counted. To be called at the end, too. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lines = 0;
    if (this.#count > 0) this.#log.warn({ count: this.#count, last: this.#last }, this.#summary);
    this.#count = 0;
  }

  #begin(): void {
    this.#timer ??= setTimeout(() => this.flush(), PERIOD_MS).unref();
  }
}

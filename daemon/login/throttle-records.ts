/*
 * What is known of failed logins, kept over a restart: read at the start, and written some time after each change, and at the end.
 *
 * Invariant: neither a record that cannot be read nor one that cannot be written keeps anybody from logging in.
 */
import { readThrottle, writeThrottle } from '../../state/throttle-file.js';
import type { Log } from '../log.js';
import type { Throttle } from './throttle.js';

/** So long after a change all that came meanwhile is written (milliseconds). */
const RECORD_MS = 10_000;

export class ThrottleRecords {
  readonly #throttle: Throttle;
  readonly #path: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #written: Promise<void> = Promise.resolve();

  /** Tells `throttle` what was recorded at `path`. Where that is damaged, who was locked out gets a new start. */
  constructor(throttle: Throttle, path: string, log: Log) {
    this.#throttle = throttle;
    this.#path = path;
    this.#log = log;
    try {
      const record = readThrottle(path);
      if (record !== undefined) throttle.restore(record, performance.now(), Date.now());
    } catch (error) {
      log.warn({ error }, 'what was known of failed logins is lost: lockouts begin anew');
      this.writeSoon();
    }
  }

  /** To be called when something changed. */
  writeSoon(): void {
    this.#timer ??= setTimeout(() => void this.write(), RECORD_MS).unref();
  }

  /** Resolves when all that is known now is on the disk, or could not be written. */
  write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#written = this.#written.then(async () => {
      try {
        await writeThrottle(this.#path, this.#throttle.record(performance.now(), Date.now()));
      } catch (error) {
        this.#log.warn({ error }, 'what is known of failed logins could not be written');
      }
    });
    return this.#written;
  }
}

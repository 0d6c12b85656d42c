/*
 * When a home's partial uploads are looked through for those that nobody came back for: as it opens, and then every CHECK_MS, as a
 * home that is always in use is never opened again.
 */
import type { HomeName } from '../../protocol/ids.js';
import type { Log } from '../log.js';
import type { Clock } from './clock.js';
import type { Uploads } from './uploads.js';

/** What expires is removed so much later at most (milliseconds). */
export const CHECK_MS = 3_600_000;

export class UploadExpiry {
  readonly #parts: { uploads: Uploads; clock: Clock; home: HomeName; log: Log };
  #callOff: () => void = () => undefined;
  #closed = false;

  constructor(parts: { uploads: Uploads; clock: Clock; home: HomeName; log: Log }) {
    this.#parts = parts;
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #check(): void {
    const { uploads, clock, home, log } = this.#parts;
    try {
      uploads.removeExpired();
    } catch (error) {
      log.warn({ error, home }, 'expired uploads were not removed');
    }
    this.#callOff = clock.after(CHECK_MS, () => {
      void uploads.whenChangeable().then(() => {
        if (!this.#closed) this.#check();
      });
    });
  }
}

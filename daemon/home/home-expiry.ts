/*
 * When a home is looked through for what has expired, partial uploads that nobody came back for and what has been in the trash for its
 * time: as it opens, and then every CHECK_MS, as a home that is always in use is never opened again.
 */
import type { HomeName } from '../../protocol/ids.js';
import type { Log } from '../log.js';
import type { Clock } from './calls/clock.js';
import type { Trash } from './trash/trash.js';
import type { Uploads } from './uploads.js';

/** What expires is removed so much later at most (milliseconds). */
export const CHECK_MS = 3_600_000;

interface Parts {
  readonly uploads: Pick<Uploads, 'removeExpired' | 'whenChangeable'>;
  readonly trash: Pick<Trash, 'removeExpired'>;
  readonly clock: Clock;
  readonly home: HomeName;
  readonly log: Log;
}

export class HomeExpiry {
  readonly #parts: Parts;
  #callOff: () => void = () => undefined;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #check(): void {
    const { uploads, trash, clock, home, log } = this.#parts;
    try {
      uploads.removeExpired();
    } catch (error) {
      log.warn({ error, home }, 'expired uploads were not removed');
    }
    trash.removeExpired().catch((error: unknown) => {
      log.warn({ error, home }, 'what expired in the trash was not removed');
    });
    this.#callOff = clock.after(CHECK_MS, () => {
      void uploads.whenChangeable().then(() => {
        if (!this.#closed) this.#check();
      });
    });
  }
}

/*
 * The paces of the users who have sessions on one worker, of whatever homes: a user has one there.
 */
import type { UserName } from '../../protocol/ids.js';
import { Pace, type Line } from './pace.js';

interface Entry {
  readonly pace: Pace;
  /** Sessions that use it. */
  uses: number;
}

export class Paces {
  readonly #line: Line;
  readonly #entries = new Map<UserName, Entry>();

  constructor(line: Line) {
    this.#line = line;
  }

  /** Runs something with the pace of a user. `bandwidth`: see Pace.own. */
  async use<T>(user: UserName, bandwidth: number, run: (pace: Pace) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(user) ?? { pace: new Pace(this.#line), uses: 0 };
    this.#entries.set(user, entry);
    entry.uses += 1;
    entry.pace.own = bandwidth;
    try {
      return await run(entry.pace);
    } finally {
      entry.uses -= 1;
      if (entry.uses === 0) this.#entries.delete(user);
    }
  }

  /** The user has another bandwidth now. */
  set(user: UserName, bandwidth: number): void {
    const entry = this.#entries.get(user);
    if (entry !== undefined) entry.pace.own = bandwidth;
  }
}

/**
 * The changes of inodes that the server has not carried out, in the order of the log; so an inode knows its own, and
 * holds on to none that is settled: an entry may carry megabytes of data.
 *
 * Invariant: entries settle in the order in which they were made, but for those that are cancelled or fail; these wait.
 */
import type { Entry } from '../log/entry.js';

/** From how many settled changes on they are cut off. */
const CUT = 1024;

interface Change {
  /** The entries of the inode. */
  readonly entries: Entry[];
  readonly entry: Entry;
}

export class Unsettled {
  #changes: Change[] = [];
  #settled = 0;

  /** An entry changes what these are the entries of. */
  add(entries: Entry[], entry: Entry): void {
    this.settle();
    // A write that became part of the latest one.
    if (entries.at(-1) === entry) return;
    entries.push(entry);
    this.#changes.push({ entries, entry });
  }

  /** Lets go of what the log has settled. */
  settle(): void {
    for (;;) {
      const oldest = this.#changes[this.#settled];
      if (oldest === undefined || isUnsettled(oldest.entry)) break;
      oldest.entries.shift();
      this.#settled++;
    }
    if (this.#settled === this.#changes.length || this.#settled >= CUT) {
      this.#changes = this.#changes.slice(this.#settled);
      this.#settled = 0;
    }
  }
}

/** Whether the server has still to carry it out. */
export function isUnsettled({ state }: Entry): boolean {
  return state === 'unsent' || state === 'sent';
}

/**
 * The changes of inodes that the server has not carried out, in the order of the log; so an inode knows its own, and
 * holds on to none that is settled: an entry may carry megabytes of data.
 *
 * Invariant: entries settle in the order in which they were made, but for those that are cancelled or fail; these wait.
 */
import type { Entry } from '../log/entry.js';

/** From how many settled changes on they are cut off. */
const CUT = 1024;

/** An inode, as far as its changes go. */
export interface Changed {
  /** In the order of the log; without those that are settled. Replaced, where there are none, as most files have none. */
  entries: Entry[];
  /** The log has settled an entry of it. */
  settled(entry: Entry): void;
}

/** What has no changes shares this, which stays empty: an array that was emptied keeps room for 17. */
export const NO_ENTRIES: Entry[] = [];

interface Change<T> {
  readonly inode: T;
  readonly entry: Entry;
}

export class Unsettled<T extends Changed> {
  #changes: Change<T>[] = [];
  #settled = 0;

  /** An entry changes the inode. */
  add(inode: T, entry: Entry): void {
    this.settle();
    // A write that became part of the latest one.
    if (inode.entries.at(-1) === entry) return;
    if (inode.entries.length === 0) inode.entries = [entry];
    else inode.entries.push(entry);
    this.#changes.push({ inode, entry });
  }

  /** The inodes that it holds changes of; some more than once. */
  *inodes(): Iterable<T> {
    this.settle();
    for (const { inode } of this.#changes.slice(this.#settled)) yield inode;
  }

  /** Lets go of what the log has settled. */
  settle(): void {
    for (;;) {
      const oldest = this.#changes[this.#settled];
      if (oldest === undefined || isUnsettled(oldest.entry)) break;
      const { inode, entry } = oldest;
      inode.entries.shift();
      if (inode.entries.length === 0) inode.entries = NO_ENTRIES;
      inode.settled(entry);
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

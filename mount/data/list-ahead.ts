/**
 * Which listings are asked for before a program wants them: those of the directories below one that it lists.
 *
 * A `list` brings along whole listings of directories below, breadth first, within a number of entries. While a program
 * uses what came along, it is going through the tree, and the directories where that ended are listed in its back, more at
 * once each time. Where it does not, less comes along.
 *
 * Invariant: what came along and was not used is bounded, and nothing more is asked for while it is not used.
 */
import { MAX_PAGE_ENTRIES } from '../../protocol/limits.js';

/** One directory's own listing is to come with one request all the same. */
const MIN_ENTRIES = 128;
/** Requests under way that no program waits for. */
const MAX_LISTS = 8;
/** Directories whose listings came along and were not used. */
const MAX_UNUSED = 1024;
/** Directories that are known of, and whose listings are not. */
const MAX_FRONTIER = 4096;

export interface ListAheadParts<D> {
  /** The directories in its listing, in order. */
  readonly below: (directory: D) => Iterable<D>;
  /** Whether its listing may be asked for ahead, and is neither known nor under way. */
  readonly wanted: (directory: D) => boolean;
  /** Lists it; what came is told by came(), then `done` is called, once, also where it failed; not before it has returned. */
  readonly list: (directory: D, entries: number, done: () => void) => void;
}

export class ListAhead<D extends object> {
  readonly #parts: ListAheadParts<D>;
  #entries = MAX_PAGE_ENTRIES;
  /** Requests that may be under way. */
  #lists = 0;
  #underWay = 0;
  readonly #unused = new Set<D>();
  /** What came along was used since a program last waited. */
  #useful = true;
  /** Where the listings end, those that are likely to be wanted first at the front. */
  #frontier = new Set<D>();
  /** Those that are being listed because a program waits. */
  readonly #awaited = new WeakSet<D>();

  constructor(parts: ListAheadParts<D>) {
    this.#parts = parts;
  }

  /** How many entries to ask for in the `list` of a directory that a program waits for. */
  entries(directory: D): number {
    this.#awaited.add(directory);
    if (this.#frontier.delete(directory) || this.#useful) {
      this.#entries = Math.min(2 * this.#entries, MAX_PAGE_ENTRIES);
    } else if (this.#unused.size > 0) {
      this.#entries = Math.max(this.#entries / 2, MIN_ENTRIES);
      this.#lists = 0;
      this.#unused.clear();
      this.#frontier.clear();
    }
    this.#useful = false;
    return this.#entries;
  }

  /** These are listed now, by one request: the one that was asked for, and what came along. */
  came(listed: readonly D[]): void {
    for (const directory of listed) {
      this.#frontier.delete(directory);
      const awaited = this.#awaited.delete(directory);
      if (!awaited && this.#unused.size < MAX_UNUSED) this.#unused.add(directory);
    }
    const [first] = listed;
    if (first === undefined) return;
    const ends = this.#endsBelow(first, new Set(listed));
    if (ends.length > 0) this.#frontier = new Set([...ends, ...this.#frontier].slice(0, MAX_FRONTIER));
  }

  /** Where the listings end below a directory, in the order in which programs walk: depth first. */
  #endsBelow(directory: D, listed: ReadonlySet<D>): D[] {
    const { below, wanted } = this.#parts;
    const ends: D[] = [];
    const ahead = [directory];
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      if (listed.has(next)) ahead.push(...[...below(next)].toReversed());
      else if (wanted(next)) ends.push(next);
    }
    return ends;
  }

  /** A program listed the directory, or looked for names in it. */
  used(directory: D): void {
    if (!this.#unused.delete(directory)) return;
    this.#useful = true;
    this.#lists = Math.min(Math.max(2 * this.#lists, 1), MAX_LISTS);
    this.#listMore();
  }

  #listMore(): void {
    const { wanted, list } = this.#parts;
    for (const directory of this.#frontier) {
      if (this.#underWay >= this.#lists || this.#unused.size >= MAX_UNUSED) return;
      this.#frontier.delete(directory);
      if (!wanted(directory)) continue;
      this.#underWay++;
      list(directory, this.#entries, () => {
        this.#underWay--;
      });
    }
  }
}

/**
 * How much is kept: names, and names known not to exist, of all directories together. Beyond the limit, the directories
 * listed longest ago lose what nothing needs.
 *
 * Invariant: directories of which something is kept are in the order, others are not.
 *
 * A search looks at every name, so it has to find a sixteenth of them; then it costs each name a constant. Where most is needed
 * (the kernel holds it, or the log), some of it is asked back, and it is tried again only when a sixteenth has come, or is not
 * needed any more: until then the limit is passed. (70,000 files, listed twice: 85 s, of which 32 went into searches that found
 * one name each; 16 s so.)
 */
import type { DirectoryInode } from './inode.js';

/** How large a part a search has to find; or has to come or to be spared before it is made again. */
const PAUSE = 16;

/** From which part of the limit on. */
const CROWDED = 0.75;

export class Budget {
  readonly #limit: number;
  readonly #evict: (directory: DirectoryInode, growing: DirectoryInode) => void;
  readonly #askBack: (directories: Iterable<DirectoryInode>, most: number) => void;
  /** The one listed longest ago first. */
  readonly #order = new Set<DirectoryInode>();
  #kept = 0;
  #searchBeyond: number;

  constructor(parts: {
    limit: number;
    /** Drops what a directory can spare; not `growing`. */
    evict: (directory: DirectoryInode, growing: DirectoryInode) => void;
    /** Sees to it that so many names are not needed any more, later; of the first directories above all. */
    askBack: (directories: Iterable<DirectoryInode>, most: number) => void;
  }) {
    const { limit } = parts;
    this.#limit = limit;
    this.#evict = parts.evict;
    this.#askBack = parts.askBack;
    this.#searchBeyond = limit;
  }

  /** Names, and names known not to exist. */
  get kept(): number {
    return this.#kept;
  }

  /** Whether what is not likely to be wanted again had better go. */
  get crowded(): boolean {
    return this.#kept > CROWDED * this.#limit;
  }

  /** `more` (or less) is kept of this directory. */
  add(directory: DirectoryInode, more: number): void {
    this.#kept += more;
    const { names, absent } = directory.directory;
    if (names.size + absent.size === 0) this.#order.delete(directory);
    else this.#order.add(directory);
  }

  /** Something that was needed is not needed any more. */
  spared(): void {
    if (this.#searchBeyond > this.#limit) this.#searchBeyond--;
  }

  /** The directory is listed: it is the last one to lose names. */
  listed(directory: DirectoryInode): void {
    if (this.#order.delete(directory)) this.#order.add(directory);
  }

  /** To be called before one more is kept of a directory: what is learned then is not dropped at once. */
  makeRoom(growing: DirectoryInode): void {
    if (this.#kept < this.#searchBeyond) return;
    const part = Math.ceil(this.#kept / PAUSE);
    const enough = this.#limit - part;
    let left = this.#order.size;
    for (const oldest of this.#order) {
      if (this.#kept <= enough || left-- === 0) break;
      this.#evict(oldest, growing);
      // What it has left is needed; others come first the next time.
      this.listed(oldest);
    }
    if (this.#kept <= enough) {
      this.#searchBeyond = this.#limit;
      return;
    }
    this.#searchBeyond = Math.max(this.#limit, this.#kept + part);
    this.#askBack(this.#order, part);
  }
}

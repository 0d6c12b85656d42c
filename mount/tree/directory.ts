/**
 * What is known of the names in one directory.
 *
 * Invariants:
 * - Where `complete`, a name that is not in `names` does not exist, and all of them are confirmed. Own changes keep it so; a
 *   doubt or an eviction ends it.
 * - `names` is in the order of the positions.
 * - `absent` holds names that do not exist where `complete` does not say so already. It is bounded; the oldest goes.
 */

/** Names that are known not to exist, a directory. */
const MAX_ABSENT = 1024;

/** Names that this mount changes while a directory is listed; where there are more, the listing is given up. */
const MAX_OVERTAKEN = 4096;

/** `N`: what stands for a name (inode.ts: Name). */
export class Directory<N> {
  /** By key: the bytes of a name as a latin1 string. */
  readonly names = new Map<string, N>();
  readonly absent = new Set<string>();
  #positions = 0;
  complete = false;
  /** Counts changes of the set of names. */
  version = 0;
  /** The listing that is being learned, page by page; also one that was not gone on with. */
  listing: Listing<N> | undefined;

  /** The position of a name that is new. It is never given twice, so a listing can go on behind it whatever comes and goes. */
  nextPosition(): number {
    this.#positions += 1;
    return this.#positions;
  }

  /** A name does not exist. Returns by how much there are more of them now. */
  addAbsent(key: string): number {
    if (this.complete || this.absent.has(key)) return 0;
    this.absent.add(key);
    if (this.absent.size <= MAX_ABSENT) return 1;
    for (const oldest of this.absent) {
      this.absent.delete(oldest);
      break;
    }
    return 0;
  }

  /** A name came, went, or leads elsewhere: by whatever was learned or done. */
  changed(): void {
    this.version++;
  }

  /** A name was changed for this mount: what a listing under way says of it may be older. */
  overtake(key: string): void {
    if (this.listing === undefined) return;
    this.listing.overtaken.add(key);
    if (this.listing.overtaken.size > MAX_OVERTAKEN) this.listing = undefined;
  }

  /** It is not known any more which names there are, nor will a listing under way tell. */
  doubt(): void {
    this.complete = false;
    if (this.listing !== undefined) this.listing.doubted = true;
  }

  /** There is a name that is not known: a listing under way tells nobody but who asked for it. */
  giveUpListing(): void {
    this.complete = false;
    this.listing = undefined;
  }

  begin(): Listing<N> {
    this.listing = { untold: new Set(this.names.values()), overtaken: new Set(), doubted: false };
    return this.listing;
  }
}

/** A listing of which the first page came. */
export interface Listing<N> {
  /** The names that were known when it began and still are, and that it has not told. */
  readonly untold: Set<N>;
  /** Keys of names that this mount changed since it began: what it says of them may be older. */
  readonly overtaken: Set<string>;
  /** What it told was not believed all the time: it tells no more than single names. */
  doubted: boolean;
}

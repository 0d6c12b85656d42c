/**
 * What is known of the names in one directory.
 *
 * Invariant: where `complete`, a name that is not in `names` did not exist at `listedAt`, and none was created here
 * since; own operations keep it so, and changes elsewhere set `listedAt` to NEVER.
 */
import type { Load } from './listing.js';
import { NEVER } from './freshness.js';
import type { Name } from './nodes.js';

/** Names that are known not to exist, a directory; where there are more, all are forgotten. */
const MAX_ABSENT = 1024;

export class DirectoryState {
  readonly names = new Map<string, Name>();
  /** Names that do not exist, and when the server said so (Clock). */
  readonly absent = new Map<string, number>();
  complete = false;
  listedAt = NEVER;
  /** Counts changes of the set of names. */
  version = 0;
  /** The version that the kernel has in its own cache of listings. */
  kernelVersion: number | undefined;
  /** A first page did not hold it all: listing it to answer a lookup costs more than the lookup. */
  huge = false;
  /** Lookups that had to be asked for one by one since the directory was last listed. */
  misses = 0;
  /** Answers to requests up to this one came before a change of names that was told since. */
  doubtedUpTo = 0;
  /** The listing under way. */
  load: Load | undefined;
  /** Own operations changed it since its attributes were last told. */
  changedHere = false;
  /** The request for its attributes that follows the latest own change of its names. */
  following: Promise<void> | undefined;
  /** Names removed here while a listing is under way, with the sequence number of the removal. */
  removed: Map<string, number> | undefined;

  /** A name does not exist, by the answer to request `asOf`. */
  addAbsent(key: string, asOf: number, now: number): void {
    if (asOf <= this.doubtedUpTo) return;
    if (this.absent.size >= MAX_ABSENT) this.absent.clear();
    this.absent.set(key, now);
  }

  /** The names changed, nobody said which. */
  age(): void {
    this.listedAt = NEVER;
    this.kernelVersion = undefined;
    this.absent.clear();
    for (const name of this.names.values()) name.confirmedAt = NEVER;
  }

  /** A name changed elsewhere, or may have: what answers to requests up to `sequence` say of it is out of date. */
  doubt(key: string, sequence: number): void {
    this.listedAt = NEVER;
    this.kernelVersion = undefined;
    this.doubtedUpTo = sequence;
    this.absent.delete(key);
    const name = this.names.get(key);
    if (name !== undefined) name.confirmedAt = NEVER;
  }
}

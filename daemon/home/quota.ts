/*
 * The live account of one home: apparent bytes and inodes, against limits that may change at any time.
 *
 * Invariant: what a change may add is reserved before the change, and what it did not add is released after it, in the
 * same synchronous stretch; so whenever anyone else looks, `used` is exactly what the home holds. `granted` is what clients
 * were given ahead (grants.ts): nobody else gets it, and it is no use of the home until they use it. The two
 * together pass a limit only where the limit was lowered below them; where there is no limit, nothing is set aside.
 * Reserving nothing is never refused, so that a home over its limit can still be read, written in place, and emptied.
 */
import { Failure } from '../../protocol/failure.js';
import type { Use } from '../../state/ledger.js';

/** What a change is charged to. */
export interface Account {
  /** To be called before a change of the home that may release but adds nothing. */
  prepare(): void;
  /** Whether reserve() would be granted. */
  hasRoom(bytes: number, files: number): boolean;
  /** How many of these bytes reserve() would grant. */
  fitting(bytes: number): number;
  /** EDQUOT, EFBIG where reserve() would be refused. */
  requireRoom(bytes: number, files: number): void;
  /** Charges before a change. EDQUOT, and nothing is charged; EFBIG where the sum could not be counted any more. */
  reserve(bytes: number, files: number): void;
  /** Gives back after a change. */
  release(bytes: number, files: number): void;
}

export class Quota implements Account {
  #used: Use;
  #granted: Use = { bytes: 0, files: 0 };
  #limits: Use;
  readonly #beforeChange: () => void;
  readonly #onRoom: () => void;
  readonly #onUsed: (bytes: number) => void;

  /**
   * `beforeChange` is called before each change of the home; if it throws, the change is not made. `onRoom`: there may be
   * more room than before. `onUsed`: the use is another one. Limit 0: none.
   */
  constructor(
    used: Use,
    limits: Use,
    beforeChange: () => void,
    onRoom: () => void = () => undefined,
    onUsed: (bytes: number) => void = () => undefined,
  ) {
    this.#used = { bytes: used.bytes, files: used.files };
    this.#limits = limits;
    this.#beforeChange = beforeChange;
    this.#onRoom = onRoom;
    this.#onUsed = onUsed;
  }

  get used(): Use {
    return this.#used;
  }

  /** What clients have been granted and have not used. */
  get granted(): Use {
    return this.#granted;
  }

  get limits(): Use {
    return this.#limits;
  }

  setLimits(limits: Use): void {
    this.#limits = limits;
    this.#onRoom();
  }

  /** What is neither used nor set aside, of bytes and of files. */
  get room(): Use {
    const { bytes, files } = this.#limits;
    return {
      bytes: roomBelow(bytes, this.#used.bytes, this.#granted.bytes),
      files: roomBelow(files, this.#used.files, this.#granted.files),
    };
  }

  prepare(): void {
    this.#beforeChange();
  }

  hasRoom(bytes: number, files: number): boolean {
    const room = this.room;
    return (bytes === 0 || bytes <= room.bytes) && (files === 0 || files <= room.files);
  }

  fitting(bytes: number): number {
    return Math.min(bytes, this.room.bytes);
  }

  requireRoom(bytes: number, files: number): void {
    if (this.hasRoom(bytes, files)) return;
    if (this.#used.bytes + bytes > Number.MAX_SAFE_INTEGER)
      throw new Failure('EFBIG', 'the home would pass 2^53 bytes');
    const what = this.hasRoom(bytes, 0) ? 'number of files' : 'disk space';
    throw new Failure('EDQUOT', `the quota of ${what} is used up`);
  }

  reserve(bytes: number, files: number): void {
    this.charge(bytes, files, { bytes: 0, files: 0 });
  }

  /** reserve(), with a part of it out of what was granted. */
  charge(bytes: number, files: number, ofGranted: Use): void {
    this.#beforeChange();
    this.requireRoom(bytes - ofGranted.bytes, files - ofGranted.files);
    this.#used = add(this.#used, bytes, files);
    this.#granted = add(this.#granted, -ofGranted.bytes, -ofGranted.files);
    this.#onUsed(this.#used.bytes);
  }

  release(bytes: number, files: number): void {
    this.giveBack(bytes, files);
  }

  /**
   * release() that tells what was given back. Not below 0: a file that grew behind the daemon's back gives back what it
   * never paid.
   */
  giveBack(bytes: number, files: number): Use {
    const given = {
      bytes: Math.min(bytes, this.#used.bytes),
      files: Math.min(files, this.#used.files),
    };
    this.#used = add(this.#used, -given.bytes, -given.files);
    this.#onUsed(this.#used.bytes);
    this.#onRoom();
    return given;
  }

  /** Sets aside what there is room for, up to this. */
  grant(bytes: number, files: number): Use {
    const { room } = this;
    const granted = { bytes: Math.min(bytes, room.bytes), files: Math.min(files, room.files) };
    this.#granted = add(this.#granted, granted.bytes, granted.files);
    return granted;
  }

  /** The inverse of grant(). */
  ungrant({ bytes, files }: Use): void {
    this.#granted = add(this.#granted, -bytes, -files);
    this.#onRoom();
  }

  /** Replaces the use by a count of the tree. */
  correct({ bytes, files }: Use): void {
    this.#beforeChange();
    this.#used = { bytes, files };
    this.#onUsed(bytes);
    this.#onRoom();
  }
}

function add(use: Use, bytes: number, files: number): Use {
  return { bytes: use.bytes + bytes, files: use.files + files };
}

/** What a limit leaves; 0: none, but no more than can be counted. */
function roomBelow(limit: number, used: number, granted: number): number {
  return Math.max(0, limit === 0 ? Number.MAX_SAFE_INTEGER - used : limit - used - granted);
}

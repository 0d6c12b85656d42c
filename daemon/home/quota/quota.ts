/*
 * The live account of one home: apparent bytes and inodes, against limits that may change at any time.
 *
 * Invariant: what a change may add is reserved before the change, and what it did not add is released after it, in the
 * same synchronous stretch; so whenever anyone else looks, `used` is exactly what the home holds. `granted` is what clients
 * were given ahead (grants.ts): nobody else gets it, and it is no use of the home until they use it. The two
 * together pass a limit only where the limit was lowered below them; where there is no limit, nothing is set aside.
 * Reserving nothing is never refused, so that a home over its limit can still be read, written in place, and emptied.
 *
 * `trashed` is the part of `used` that lies in the trash (trash.ts), and never more than it: before anything is refused that it has room for, it is
 * emptied as far as that takes. What of it is open makes no room before it is closed, and does not count for that (`emptiable`).
 */
import { Failure } from '../../../protocol/failure.js';
import type { Use } from '../../../state/ledger.js';

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

/** What the quota tells of, and asks for. */
export interface QuotaHooks {
  /** Called before each change of the home; if it throws, the change is not made. */
  readonly beforeChange?: () => void;
  /** There may be more room than before. */
  readonly onRoom?: () => void;
  /** The use is another one: bytes, without those in the trash. */
  readonly onUsed?: (bytes: number) => void;
  /** So much of what is in the trash is to be removed. Unfinished: it takes longer than a turn. */
  readonly emptyTrash?: (short: Use) => void;
  /** What of what is in the trash would stay charged if it were removed. */
  readonly openInTrash?: () => Use;
}

const NOTHING: Use = { bytes: 0, files: 0 };

export class Quota implements Account {
  #used: Use;
  #trashed: Use;
  #granted: Use = { bytes: 0, files: 0 };
  #limits: Use;
  readonly #hooks: QuotaHooks;
  /** Calls of asOne() that are under way, one within the other. */
  #asOne = 0;

  /** `trashed`: what of `used` is in the trash. Limit 0: none. */
  constructor(used: Use & { readonly trashed?: Use | undefined }, limits: Use, hooks: QuotaHooks = {}) {
    this.#used = { bytes: used.bytes, files: used.files };
    this.#trashed = atMost(used.trashed ?? NOTHING, this.#used);
    this.#limits = limits;
    this.#hooks = hooks;
  }

  get used(): Use {
    return this.#used;
  }

  /** What of the use is in the trash. */
  get trashed(): Use {
    return this.#trashed;
  }

  /** What of the use would make room if the trash were emptied. */
  get emptiable(): Use {
    const { bytes, files } = this.#hooks.openInTrash?.() ?? NOTHING;
    return {
      bytes: Math.max(0, this.#trashed.bytes - bytes),
      files: Math.max(0, this.#trashed.files - files),
    };
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
    this.#hooks.onRoom?.();
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
    this.#hooks.beforeChange?.();
  }

  hasRoom(bytes: number, files: number): boolean {
    const room = this.room;
    return (bytes === 0 || bytes <= room.bytes) && (files === 0 || files <= room.files);
  }

  fitting(bytes: number): number {
    const short = shortOf(this.#limits.bytes, this.#used.bytes + this.#granted.bytes, bytes);
    // Of what even the whole trash would not give room for, as much as it gives.
    if (short > 0) this.makeRoom(bytes - Math.max(0, short - this.emptiable.bytes), 0);
    return Math.min(bytes, this.room.bytes);
  }

  requireRoom(bytes: number, files: number): void {
    this.makeRoom(bytes, files);
    if (this.hasRoom(bytes, files)) return;
    if (this.#used.bytes + bytes > Number.MAX_SAFE_INTEGER)
      throw new Failure('EFBIG', 'the home would pass 2^53 bytes');
    const what = this.hasRoom(bytes, 0) ? 'number of files' : 'disk space';
    throw new Failure('EDQUOT', `the quota of ${what} is used up`);
  }

  /**
   * Has the trash emptied as far as that gives room for so much, together with what clients would give back (`spare`); nothing is
   * emptied where even all of it would not. Unfinished.
   */
  makeRoom(bytes: number, files: number, spare: Use = NOTHING): void {
    if (this.hasRoom(bytes, files)) return;
    const short = {
      bytes: shortOf(this.#limits.bytes, this.#used.bytes + this.#granted.bytes, bytes) - spare.bytes,
      files: shortOf(this.#limits.files, this.#used.files + this.#granted.files, files) - spare.files,
    };
    if (short.bytes <= 0 && short.files <= 0) return;
    const { emptiable } = this;
    if (short.bytes > emptiable.bytes || short.files > emptiable.files) return;
    this.#hooks.emptyTrash?.(short);
  }

  /** So much of the use went into the trash, or where it is negative, out of it. */
  moveToTrash(bytes: number, files: number): void {
    this.#trashed = atMost(add(this.#trashed, bytes, files), this.#used);
    this.#changed();
  }

  /** Makes changes of which only the last use counts: nobody is told of those between. */
  asOne(change: () => void): void {
    this.#asOne += 1;
    try {
      change();
    } finally {
      this.#asOne -= 1;
      this.#changed();
    }
  }

  reserve(bytes: number, files: number): void {
    this.charge(bytes, files, { bytes: 0, files: 0 });
  }

  /** reserve(), with a part of it out of what was granted. */
  charge(bytes: number, files: number, ofGranted: Use): void {
    this.#hooks.beforeChange?.();
    this.requireRoom(bytes - ofGranted.bytes, files - ofGranted.files);
    this.#used = add(this.#used, bytes, files);
    this.#granted = add(this.#granted, -ofGranted.bytes, -ofGranted.files);
    this.#changed();
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
    this.#trashed = atMost(this.#trashed, this.#used);
    this.#changed();
    this.#hooks.onRoom?.();
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
    this.#hooks.onRoom?.();
  }

  /** Replaces the use by a count of the tree. */
  correct({ bytes, files }: Use, trashed: Use): void {
    this.#hooks.beforeChange?.();
    this.#used = { bytes, files };
    this.#trashed = atMost(trashed, this.#used);
    this.#changed();
    this.#hooks.onRoom?.();
  }

  #changed(): void {
    if (this.#asOne === 0) this.#hooks.onUsed?.(this.#used.bytes - this.#trashed.bytes);
  }
}

function add(use: Use, bytes: number, files: number): Use {
  return { bytes: use.bytes + bytes, files: use.files + files };
}

/** A part of a use: also where files grew or shrank behind the daemon's back. */
function atMost(part: Use, use: Use): Use {
  return {
    bytes: Math.min(Math.max(0, part.bytes), use.bytes),
    files: Math.min(Math.max(0, part.files), use.files),
  };
}

/** What there is not of what is needed. */
function shortOf(limit: number, taken: number, needed: number): number {
  return limit === 0 || needed === 0 ? 0 : Math.max(0, taken + needed - limit);
}

/** What a limit leaves; 0: none, but no more than can be counted. */
function roomBelow(limit: number, used: number, granted: number): number {
  return Math.max(0, limit === 0 ? Number.MAX_SAFE_INTEGER - used : limit - used - granted);
}

/*
 * What a client took away and renamed, for the audit trail: how much it was, and the first names of it.
 *
 * Invariant: bounded, whatever a client does, in memory and in the line that is written of it.
 */

/** Names that are told of each kind, and characters of each. */
const MAX_NAMES = 10;
const MAX_LENGTH = 256;
/** A client that stays is told of so often (milliseconds). */
const TOLD_AFTER_MS = 3_600_000;

interface Kind {
  count: number;
  readonly first: string[];
}

/** The fields of a log's line. */
export interface ToldChanges {
  readonly removed: Readonly<Kind>;
  /** FROM -> TO */
  readonly renamed: Readonly<Kind>;
}

export class ChangeSummary {
  #removed: Kind = { count: 0, first: [] };
  #renamed: Kind = { count: 0, first: [] };
  /** Milliseconds since 1970 of the first change; undefined: there is none. */
  #since: number | undefined;

  /** `path` is only asked where it is told. */
  removed(path: () => Buffer): void {
    this.#note(this.#removed, () => shortened(path()));
  }

  renamed(from: () => Buffer, to: () => Buffer): void {
    this.#note(this.#renamed, () => `${shortened(from())} -> ${shortened(to())}`);
  }

  /** Whether it is time to tell of a client that stays. */
  get isDue(): boolean {
    return this.#since !== undefined && Date.now() - this.#since >= TOLD_AFTER_MS;
  }

  /** What there is to tell, once; undefined: nothing. */
  take(): ToldChanges | undefined {
    if (this.#since === undefined) return undefined;
    const told = { removed: this.#removed, renamed: this.#renamed };
    this.#removed = { count: 0, first: [] };
    this.#renamed = { count: 0, first: [] };
    this.#since = undefined;
    return told;
  }

  #note(kind: Kind, name: () => string): void {
    this.#since ??= Date.now();
    kind.count += 1;
    if (kind.first.length < MAX_NAMES) kind.first.push(name());
  }
}

/** Its end says more than its beginning. */
function shortened(path: Buffer): string {
  const text = path.toString();
  return text.length > MAX_LENGTH ? `...${text.slice(-MAX_LENGTH)}` : text;
}

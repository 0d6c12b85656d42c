/*
 * Where the files are that a client was told of: id -> (directory, name). What is not in here is asked for again with a
 * path as a hint; so the table may forget, and is bounded.
 *
 * Invariant: it says where a file was when the daemon last saw it there, no more: who uses an entry compares the id of what
 * the name leads to now. Of a file with several names it has those told last: a client believes such a file by any of them, also
 * when the others are removed, and who finds it by another way than that client takes it for another unit of the leases.
 *
 * What was used or learned lately is kept: it is in the newer of two maps, and when that is full, what is in the older one is
 * forgotten. So a use costs one or two look-ups, and directories on the way to what is used stay. (No iterator is kept for a
 * hand of a clock: V8 keeps all tables that a Map has outgrown, with what was in them, while an iterator looks at one of
 * them.) A name is kept as a string of its bytes (latin1): with its entry some 190 bytes, where a Buffer alone takes 150.
 */
import type { FileId } from '../../../protocol/references.js';

/** Names that are kept of one file, besides the one told last. */
const MAX_OTHERS = 15;

/** Of one home, twice what a mount keeps: 11 MiB. */
export const MAX_KNOWN = 56_000;

interface Place {
  /** Inode number of the directory. */
  readonly parent: bigint;
  /** latin1 */
  readonly name: string;
}

export interface Known extends Place {
  readonly birth: bigint;
  /** Its other names, the one told last first; undefined: none is known. */
  readonly others: readonly Place[] | undefined;
}

export class KnownFiles {
  #newer = new Map<bigint, Known>();
  #older = new Map<bigint, Known>();

  /** `several`: it has other names, which stay known. */
  learn({ ino, birth }: FileId, parent: bigint, name: Buffer, several: boolean): void {
    const place = { parent, name: name.toString('latin1') };
    const before = several ? this.#look(ino) : undefined;
    const others = before?.birth === birth ? without(place, before).slice(0, MAX_OTHERS) : [];
    this.#older.delete(ino);
    this.#add(ino, { birth, ...place, others: others.length > 0 ? others : undefined });
  }

  find(ino: bigint): Known | undefined {
    const newer = this.#newer.get(ino);
    if (newer !== undefined) return newer;
    const older = this.#older.get(ino);
    if (older === undefined) return undefined;
    this.#older.delete(ino);
    this.#add(ino, older);
    return older;
  }

  forget(ino: bigint): void {
    if (!this.#newer.delete(ino)) this.#older.delete(ino);
  }

  /** A name was removed, or leads elsewhere: forgets the file if this is the only name that is known of it. */
  forgetName(ino: bigint, parent: bigint, name: Buffer): void {
    const known = this.#look(ino);
    const place = { parent, name: name.toString('latin1') };
    if (known === undefined || (known.others === undefined && !isSame(known, place))) return;
    const [last, ...others] = without(place, known);
    this.forget(ino);
    if (last === undefined) return;
    this.#add(ino, { birth: known.birth, ...last, others: others.length > 0 ? others : undefined });
  }

  #look(ino: bigint): Known | undefined {
    return this.#newer.get(ino) ?? this.#older.get(ino);
  }

  #add(ino: bigint, known: Known): void {
    this.#newer.set(ino, known);
    if (this.#newer.size < MAX_KNOWN / 2) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}

/** The names that are known of a file, but for one. */
function without(place: Place, { parent, name, others = [] }: Known): Place[] {
  return [{ parent, name }, ...others].filter((other) => !isSame(other, place));
}

function isSame(one: Place, other: Place): boolean {
  return one.parent === other.parent && one.name === other.name;
}

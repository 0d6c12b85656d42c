/*
 * Where the files are that a client was told of: id -> (directory, name). What is not in here is asked for again with a
 * path as a hint; so the table may forget, and is bounded.
 *
 * Invariant: it says where a file was when the daemon last saw it there, no more: who uses an entry compares the id of what
 * the name leads to now. Of a file with several names it has the one told last.
 *
 * What was used or learned lately is kept: it is in the newer of two maps, and when that is full, what is in the older one is
 * forgotten. So a use costs one or two look-ups, and directories on the way to what is used stay. (No iterator is kept for a
 * hand of a clock: V8 keeps all tables that a Map has outgrown, with what was in them, while an iterator looks at one of
 * them.) A name is kept as a string of its bytes (latin1): with its entry some 190 bytes, where a Buffer alone takes 150.
 */
import type { FileId } from '../../protocol/references.js';

/** Of one home, twice what a mount keeps: 11 MiB. */
export const MAX_KNOWN = 56_000;

export interface Known {
  readonly birth: bigint;
  /** Inode number of the directory. */
  readonly parent: bigint;
  /** latin1 */
  readonly name: string;
}

export class KnownFiles {
  #newer = new Map<bigint, Known>();
  #older = new Map<bigint, Known>();

  learn(id: FileId, parent: bigint, name: Buffer): void {
    this.#older.delete(id.ino);
    this.#add(id.ino, { birth: id.birth, parent, name: name.toString('latin1') });
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

  /** A name was removed: forgets the file if this is the name that is known of it. */
  forgetName(ino: bigint, parent: bigint, name: Buffer): void {
    const known = this.#newer.get(ino) ?? this.#older.get(ino);
    if (known?.parent === parent && known.name === name.toString('latin1')) this.forget(ino);
  }

  #add(ino: bigint, known: Known): void {
    this.#newer.set(ino, known);
    if (this.#newer.size < MAX_KNOWN / 2) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}

/*
 * Where the files are that a client was told of: id -> (directory, name). What is not in here is asked for again with a
 * path as a hint; so the table may forget, and is bounded.
 *
 * Invariant: it says where a file was when the daemon last saw it there, no more: who uses an entry compares the id of what
 * the name leads to now. Of a file with several names it has the one told last.
 *
 * What was not used since the hand of the clock passed last is forgotten first (second chance): a use costs one store, and
 * directories on the way to what is used stay. A name is kept as a string of its bytes (latin1): with its
 * entry some 150 bytes, where a Buffer alone takes as much.
 */
import type { FileId } from '../../protocol/references.js';

/** Of one home: 20 MiB. */
export const MAX_KNOWN = 131_072;

export interface Known {
  readonly birth: bigint;
  /** Inode number of the directory. */
  readonly parent: bigint;
  /** latin1 */
  readonly name: string;
  used: boolean;
}

export class KnownFiles {
  readonly #known = new Map<bigint, Known>();
  #hand = this.#known.entries();

  get size(): number {
    return this.#known.size;
  }

  learn(id: FileId, parent: bigint, name: Buffer): void {
    this.#known.set(id.ino, { birth: id.birth, parent, name: name.toString('latin1'), used: false });
    if (this.#known.size > MAX_KNOWN) this.#forgetOne();
  }

  find(ino: bigint): Known | undefined {
    const known = this.#known.get(ino);
    if (known !== undefined) known.used = true;
    return known;
  }

  forget(ino: bigint): void {
    this.#known.delete(ino);
  }

  /** A name was removed: forgets the file if this is the name that is known of it. */
  forgetName(ino: bigint, parent: bigint, name: Buffer): void {
    const known = this.#known.get(ino);
    if (known?.parent === parent && known.name === name.toString('latin1')) this.#known.delete(ino);
  }

  #forgetOne(): void {
    for (;;) {
      const next = this.#hand.next();
      if (next.done === true) {
        this.#hand = this.#known.entries();
        continue;
      }
      const [ino, known] = next.value;
      if (!known.used) {
        this.#known.delete(ino);
        return;
      }
      known.used = false;
    }
  }
}

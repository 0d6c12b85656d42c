/*
 * What files hold that are open, and have their last name in the trash: they make no room while they are open.
 *
 * Invariant: it is the sum of what each kept file (held-files.ts) in the trash is charged. It is kept, not counted, as it is asked for with each
 * `statfs` and each change of a full home: a file comes in when it is kept or goes into the trash, goes out when it is released or
 * comes out of there, and what it grows by meanwhile is told by who is charged for it (trash-account.ts). A file that grew
 * behind the daemon's back takes out what it brought in.
 */
import type { Use } from '../../../state/ledger.js';

export class OpenInTrash {
  /** What each is charged. */
  readonly #charges = new Map<bigint, number>();
  #bytes = 0;

  get use(): Use {
    return { bytes: this.#bytes, files: this.#charges.size };
  }

  has(ino: bigint): boolean {
    return this.#charges.has(ino);
  }

  /** The file is in the trash and open, and is charged so much. */
  set(ino: bigint, bytes: number): void {
    this.#bytes += bytes - (this.#charges.get(ino) ?? 0);
    this.#charges.set(ino, bytes);
  }

  /** The file is charged so much more, or where it is negative, less; one that is not here is fine. */
  grow(ino: bigint, bytes: number): void {
    const before = this.#charges.get(ino);
    if (before !== undefined) this.set(ino, Math.max(0, before + bytes));
  }

  /** The file is not in the trash any more, or not open; one that is not here is fine. */
  delete(ino: bigint): void {
    this.#bytes -= this.#charges.get(ino) ?? 0;
    this.#charges.delete(ino);
  }
}

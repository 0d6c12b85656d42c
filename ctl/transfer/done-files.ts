/**
 * The files that a command has moved, or found to be there already: after the connection was lost it goes through all once more,
 * and these are done, however they look.
 *
 * For each a part of a hash is kept, long enough to be its own: 100,000 paths would be tens of MiB.
 */
import { createHash } from 'node:crypto';

const KEPT_BYTES = 16;

export class DoneFiles {
  readonly #done = new Set<string>();

  add(local: Buffer, remote: Buffer): void {
    this.#done.add(keyOf(local, remote));
  }

  has(local: Buffer, remote: Buffer): boolean {
    return this.#done.size > 0 && this.#done.has(keyOf(local, remote));
  }
}

/** No path holds a NUL. */
function keyOf(local: Buffer, remote: Buffer): string {
  const hash = createHash('sha1').update(local).update('\0').update(remote);
  return hash.digest().toString('latin1', 0, KEPT_BYTES);
}

/**
 * The files that a command has moved, or found to be there already: after the connection was lost it goes through all once more, and these are done, however
 * they look.
 *
 * For each a part of a hash is kept, long enough to be its own: 100,000 paths would be tens of MiB.
 */
import { createHash } from 'node:crypto';

const KEPT_BYTES = 16;

export class DoneFiles {
  readonly #done = new Set<string>();

  add(source: Buffer, target: Buffer): void {
    this.#done.add(keyOf(source, target));
  }

  has(source: Buffer, target: Buffer): boolean {
    return this.#done.size > 0 && this.#done.has(keyOf(source, target));
  }
}

/** No path holds a NUL. */
function keyOf(source: Buffer, target: Buffer): string {
  const hash = createHash('sha1').update(source).update('\0').update(target);
  return hash.digest().toString('latin1', 0, KEPT_BYTES);
}

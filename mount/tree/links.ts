/**
 * The names of one inode: mostly one, and then it takes a fifth of what a Set takes.
 */
export class Links<N> implements Iterable<N> {
  #only: N | undefined;
  /** Where there are several, or were; the only one is not in here. */
  #others: Set<N> | undefined;

  get size(): number {
    return (this.#only === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  add(name: N): void {
    if (this.#only === undefined && this.#others === undefined) this.#only = name;
    else if (this.#only !== name) (this.#others ??= new Set()).add(name);
  }

  delete(name: N): void {
    if (this.#only === name) this.#only = undefined;
    else this.#others?.delete(name);
    if (this.#others?.size === 0) this.#others = undefined;
  }

  /** The one that was added first comes first. */
  *[Symbol.iterator](): Generator<N> {
    if (this.#only !== undefined) yield this.#only;
    if (this.#others !== undefined) yield* this.#others;
  }
}

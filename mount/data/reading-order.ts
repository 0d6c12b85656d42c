/**
 * Which files a program reads next that goes through a tree: depth first, the names of a directory in the order of its
 * listing (tar, grep -r, cp -r) or of their bytes (git, a shell's patterns).
 */
import { S_IFDIR, S_IFMT } from '../../posix/flags.js';
import type { FileId } from '../../protocol/references.js';

/** A name of the mount's tree, as far as it matters here. */
export interface TreeName<N> {
  /** The bytes of the name as a latin1 string. */
  readonly key: string;
  readonly parent: TreeInode<N>;
  readonly inode: TreeInode<N>;
}

export interface TreeInode<N> {
  readonly id: FileId;
  readonly attributes: { readonly mode: number; readonly size: number };
  /** The names that lead to it. A directory has one, the mounted one none. */
  readonly names: Iterable<N>;
}

/** The names of a directory in the order of its listing; undefined where they are not all known. */
export type Listing<N extends TreeName<N>> = (directory: N['parent']) => readonly N[] | undefined;

export type Order = 'listed' | 'sorted';

/** Sorting a larger directory would take longer than the round trips that it saves. */
const MAX_SORTED = 4096;

/** The names in that order; those of a large directory only as they are listed. */
export function inOrder<N extends TreeName<N>>(names: readonly N[], order: Order): readonly N[] {
  if (order === 'listed' || names.length > MAX_SORTED) return names;
  return names.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

interface Place<N> {
  readonly names: readonly N[];
  next: number;
}

/** The names that follow one name, as long as the listings are known; of directories, the names in them instead. */
export class Walk<N extends TreeName<N>> {
  readonly order: Order;
  readonly #listing: Listing<N>;
  /** Up to here the walk has been: the top directory and those below that it is in. */
  #top: N['parent'];
  readonly #places: Place<N>[] = [];

  constructor(start: N, order: Order, listing: Listing<N>) {
    this.order = order;
    this.#listing = listing;
    this.#top = start.parent;
    this.#enterBehind(start);
  }

  next(): N | undefined {
    for (;;) {
      const place = this.#places.at(-1);
      if (place === undefined) return undefined;
      const name = place.names[place.next];
      place.next++;
      if (name === undefined) {
        this.#places.pop();
        if (this.#places.length === 0) this.#leaveTop();
      } else if (isDirectory<N>(name.inode)) {
        const below = this.#listing(name.inode);
        if (below !== undefined) this.#places.push({ names: inOrder(below, this.order), next: 0 });
      } else {
        return name;
      }
    }
  }

  /** Goes on behind the directory that is done. */
  #leaveTop(): void {
    const [own] = this.#top.names;
    if (own === undefined) return;
    this.#top = own.parent;
    this.#enterBehind(own);
  }

  #enterBehind({ parent, inode }: N): void {
    const names = inOrder(this.#listing(parent) ?? [], this.order);
    const index = names.findIndex((name) => name.inode === inode);
    if (index >= 0) this.#places.push({ names, next: index + 1 });
  }
}

function isDirectory<N extends TreeName<N>>(inode: N['inode'] | N['parent']): inode is N['parent'] {
  return (inode.attributes.mode & S_IFMT) === S_IFDIR;
}

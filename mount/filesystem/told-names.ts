/**
 * The names of a listing as they were told, for those who asked: what the tree keeps of a large directory is a part of it.
 *
 * In the order of their positions in the tree, so that a position of one open directory is good in another one; where the
 * tree learned nothing of some, in the order told, and positions are good in this listing only.
 *
 * Packed, as tens of thousands may be told: about 50 bytes each, where a name in the tree with its inode takes 613.
 */
import { S_IFMT } from '../../posix/flags.js';
import { shownIno, type Name } from '../tree/inode.js';

export interface ToldName {
  readonly key: string;
  readonly ino: bigint;
  /** File type bits of st_mode (S_IFMT). */
  readonly type: number;
  /** Of those behind it all are higher. */
  readonly position: number;
}

interface Page {
  /** Its place among all names. */
  readonly first: number;
  /** Separated by slashes, which no name has. */
  readonly keys: string;
  readonly inos: BigUint64Array;
  readonly types: Uint16Array;
  /** In the tree; 0: it was not learned there. */
  readonly positions: Float64Array;
}

export class ToldNames {
  #pages: Page[] = [];
  #length = 0;
  /** The page that was looked into last, taken apart. */
  #open: { readonly page: Page; readonly keys: readonly string[] } | undefined;
  /** All have positions in the tree. */
  #placed = true;
  #sorted = true;
  #lastPosition = 0;

  get length(): number {
    return this.#length;
  }

  /** Appends a page. */
  add(names: readonly Name[]): void {
    if (names.length === 0) return;
    this.#pages.push({
      first: this.#length,
      keys: names.map(({ key }) => key).join('/'),
      inos: BigUint64Array.from(names, ({ inode }) => shownIno(inode)),
      types: Uint16Array.from(names, ({ inode }) => inode.attributes.mode & S_IFMT),
      positions: Float64Array.from(names, ({ position }) => position),
    });
    this.#length += names.length;
    for (const { position } of names) {
      if (position === 0) this.#placed = false;
      if (position <= this.#lastPosition) this.#sorted = false;
      this.#lastPosition = position;
    }
  }

  /** To be called behind the last page. */
  end(): void {
    if (!this.#placed || this.#sorted) return;
    const names = this.#pages.flatMap(({ keys, inos, types, positions }) =>
      keys.split('/').map((key, at) => {
        return { key, ino: inos[at] ?? 0n, type: types[at] ?? 0, position: positions[at] ?? 0 };
      }),
    );
    names.sort((one, other) => one.position - other.position);
    this.#open = undefined;
    this.#pages = [
      {
        first: 0,
        keys: names.map(({ key }) => key).join('/'),
        inos: BigUint64Array.from(names, ({ ino }) => ino),
        types: Uint16Array.from(names, ({ type }) => type),
        positions: Float64Array.from(names, ({ position }) => position),
      },
    ];
  }

  at(index: number): ToldName | undefined {
    const page = this.#pageOf(index);
    if (page === undefined) return undefined;
    if (this.#open?.page !== page) this.#open = { page, keys: page.keys.split('/') };
    const at = index - page.first;
    const [key, ino, type] = [this.#open.keys[at], page.inos[at], page.types[at]];
    if (key === undefined || ino === undefined || type === undefined) return undefined;
    return { key, ino, type, position: this.#positionOf(index) };
  }

  /** Where the first one is that comes behind a position. */
  behind(position: number): number {
    let [from, to] = [0, this.#length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#positionOf(middle) > position) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #positionOf(index: number): number {
    const page = this.#placed ? this.#pageOf(index) : undefined;
    return page?.positions[index - page.first] ?? index + 1;
  }

  #pageOf(index: number): Page | undefined {
    let [from, to] = [0, this.#pages.length];
    while (from + 1 < to) {
      const middle = (from + to) >>> 1;
      if ((this.#pages[middle]?.first ?? 0) <= index) from = middle;
      else to = middle;
    }
    return this.#pages[from];
  }
}

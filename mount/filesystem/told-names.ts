/**
 * The names of a listing as they were told, for those who asked: what the tree keeps of a large directory is a part of it.
 *
 * Packed, as tens of thousands may be told: about 40 bytes each, where a name in the tree with its inode takes 613.
 */
import { S_IFMT } from '../../posix/flags.js';
import { shownIno, type Name } from '../tree/inode.js';

export interface ToldName {
  readonly key: string;
  readonly ino: bigint;
  /** File type bits of st_mode (S_IFMT). */
  readonly type: number;
}

interface Page {
  /** Its place among all names. */
  readonly first: number;
  /** Separated by slashes, which no name has. */
  readonly keys: string;
  readonly inos: BigUint64Array;
  readonly types: Uint16Array;
}

export class ToldNames {
  readonly #pages: Page[] = [];
  #length = 0;
  /** The page that was looked into last, taken apart. */
  #open: { readonly page: Page; readonly keys: readonly string[] } | undefined;

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
    });
    this.#length += names.length;
  }

  at(index: number): ToldName | undefined {
    const page = this.#pageOf(index);
    if (page === undefined) return undefined;
    if (this.#open?.page !== page) this.#open = { page, keys: page.keys.split('/') };
    const at = index - page.first;
    const [key, ino, type] = [this.#open.keys[at], page.inos[at], page.types[at]];
    return key === undefined || ino === undefined || type === undefined ? undefined : { key, ino, type };
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

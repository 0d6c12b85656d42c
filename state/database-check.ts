/*
 * Whether the file of an lmdb environment holds the pages that it refers to. lmdb maps it and believes it: a page that is not
 * there (a file that a full disk or an interrupted copy cut off) ends the process by SIGBUS, without a word.
 *
 * Invariant: reads only, without lmdb's locks. What another process writes meanwhile may look damaged, so that is
 * looked at again.
 *
 * The layout is that of lmdb-js 3.5: two meta pages, of which the newer one counts, and trees of pages (lmdb's mdb.c). The
 * size alone tells nothing: pages at the end that a transaction took and gave back are never written.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const META_BYTES = 160;
const META_MAGIC = 24;
/** The free pages' tree, in whose padding is the size of a page, and the main one, whose values are the tables' trees. */
const META_TREES = [48, 96] as const;
const META_TRANSACTION = 152;
const META_PAGES = 2n;

const TREE_ROOT = 40;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

const PAGE_FLAGS = 18;
/** The end of the nodes' offsets; of a page of long values (OVERFLOW) the number of pages. */
const PAGE_END = 20;
const PAGE_HEADER = 24;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;

const NODE_HEADER = 8;
const IS_ELSEWHERE = 1;
const IS_TREE = 2;

/** What is wrong with it; undefined: nothing that can be seen, or it is not lmdb's at all, which lmdb says. */
export function damageOf(path: string): string | undefined {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const meta = newestMeta(file);
      if (meta === undefined) return undefined;
      if (!PAGE_SIZES.has(meta.pageSize)) return 'its first page is damaged';
      const damage = new Pages(file, meta.pageSize).damage(meta.roots);
      if (damage === undefined || newestMeta(file)?.transaction === meta.transaction) return damage;
    }
  } finally {
    closeSync(file);
  }
}

/** That a system may have, of which lmdb takes its own. */
const PAGE_SIZES: ReadonlySet<number> = new Set([4096, 8192, 16_384, 32_768, 65_536]);

interface Meta {
  readonly pageSize: number;
  readonly transaction: bigint;
  readonly roots: readonly bigint[];
}

function newestMeta(file: number): Meta | undefined {
  const first = metaAt(file, 0);
  const second = first === undefined ? undefined : metaAt(file, first.pageSize);
  return second === undefined || (first?.transaction ?? 0n) > second.transaction ? first : second;
}

function metaAt(file: number, offset: number): Meta | undefined {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(file, bytes, 0, META_BYTES, offset) < META_BYTES) return undefined;
  if (bytes.readUInt32LE(META_MAGIC) !== MAGIC) return undefined;
  return {
    pageSize: bytes.readUInt32LE(META_TREES[0]),
    transaction: bytes.readBigUInt64LE(META_TRANSACTION),
    roots: META_TREES.map((tree) => bytes.readBigUInt64LE(tree + TREE_ROOT)),
  };
}

class Pages {
  readonly #file: number;
  readonly #page: Buffer;
  readonly #seen = new Set<bigint>();

  constructor(file: number, pageSize: number) {
    this.#file = file;
    this.#page = Buffer.alloc(pageSize);
  }

  damage(roots: readonly bigint[]): string | undefined {
    const left = [...roots];
    for (let number = left.pop(); number !== undefined; number = left.pop()) {
      if (number === NO_PAGE) continue;
      const referred = number >= META_PAGES && !this.#seen.has(number) ? this.#read(number) : undefined;
      if (referred === undefined) return `its page ${number} is missing or damaged`;
      this.#seen.add(number);
      left.push(...referred);
    }
    return undefined;
  }

  /** What a page refers to. Undefined: it is none. */
  #read(number: bigint): bigint[] | undefined {
    const page = this.#page;
    if (this.#bytesAt(number) < page.length || page.readBigUInt64LE(0) !== number) return undefined;
    const kind = page.readUInt16LE(PAGE_FLAGS) & (BRANCH | LEAF | OVERFLOW);
    if (kind === OVERFLOW) {
      const last = number + BigInt(page.readUInt32LE(PAGE_END)) - 1n;
      return last === number || this.#bytesAt(last) === page.length ? [] : undefined;
    }
    try {
      return kind === BRANCH || kind === LEAF ? this.#referred(kind) : undefined;
    } catch (error) {
      if (error instanceof RangeError) return undefined; // an offset beyond the page
      throw error;
    }
  }

  #referred(kind: typeof BRANCH | typeof LEAF): bigint[] {
    const page = this.#page;
    const referred: bigint[] = [];
    for (let at = PAGE_HEADER; at < page.readUInt16LE(PAGE_END); at += 2) {
      const node = page.readUInt16LE(at);
      const low = page.readUInt32LE(node);
      const flags = page.readUInt16LE(node + 4);
      const value = node + NODE_HEADER + page.readUInt16LE(node + 6);
      if (kind === BRANCH) referred.push(BigInt(low) + (BigInt(flags) << 32n));
      else if ((flags & IS_ELSEWHERE) !== 0) referred.push(page.readBigUInt64LE(value));
      else if ((flags & IS_TREE) !== 0) referred.push(page.readBigUInt64LE(value + TREE_ROOT));
    }
    return referred;
  }

  #bytesAt(number: bigint): number {
    return readSync(this.#file, this.#page, 0, this.#page.length, number * BigInt(this.#page.length));
  }
}

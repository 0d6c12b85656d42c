/**
 * What is known of extended attributes: of an inode all names, or nothing.
 *
 * Invariants:
 * - What is known of an inode is believed like its attributes, and no longer (Inode.xattrs, beliefs.ts).
 * - What is kept is bounded: that a file has none costs nothing, and of the others those that were not used for longest are
 *   forgotten first.
 */
import type { Inode } from './inode.js';

/** By name, as latin1; null: the value is not known. */
export type Xattrs = ReadonlyMap<string, Buffer | null>;

export const NO_XATTRS: Xattrs = new Map();

/** In all inodes together, and what one attribute and one inode take besides their bytes, about. */
const MAX_BYTES = 2 * 1024 * 1024;
const XATTR_BYTES = 150;
const INODE_BYTES = 350;

export class KnownXattrs {
  /** In the order of their last use, with what they take. */
  readonly #inodes = new Map<Inode, number>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  of(inode: Inode): Xattrs | undefined {
    const { xattrs } = inode;
    if (xattrs !== undefined && xattrs.size > 0) this.set(inode, xattrs);
    return xattrs;
  }

  /** Undefined: nothing is known. */
  set(inode: Inode, xattrs: Xattrs | undefined): void {
    this.#bytes -= this.#inodes.get(inode) ?? 0;
    this.#inodes.delete(inode);
    inode.xattrs = xattrs;
    if (xattrs === undefined || xattrs.size === 0) return;
    const bytes = bytesOf(xattrs);
    this.#inodes.set(inode, bytes);
    this.#bytes += bytes;
    for (const oldest of this.#inodes.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.set(oldest, undefined);
    }
  }
}

function bytesOf(xattrs: Xattrs): number {
  let bytes = INODE_BYTES;
  for (const [key, value] of xattrs) bytes += XATTR_BYTES + key.length + (value?.length ?? 0);
  return bytes;
}

/** What a file is charged for them, as far as that is known. */
export function chargedXattrs(xattrs: Xattrs | undefined): number {
  let bytes = 0;
  for (const [key, value] of xattrs ?? []) bytes += chargedXattr(key, value);
  return bytes;
}

/** What one is charged; undefined: there is none. */
export function chargedXattr(key: string, value: Buffer | null | undefined): number {
  return value === undefined || value === null ? 0 : key.length + value.length;
}

/**
 * What the kernel is told, for how long it may believe it, and how that is taken back: the one place that knows.
 *
 * Invariants:
 * - The kernel believes a fact for ever where this mount does, which is while its lease lasts; it believes nothing else
 *   (validity 0: it asks each time).
 * - What it believes of a unit can be taken back whole: positive names and attributes by the tree, which knows what the
 *   kernel has; names that do not exist by the list here. Where that list is full, none is told for longer.
 * - Pages of a file that is open are dropped with its unit. Those of others stay, as most of the time nothing happened to
 *   them: they are compared, by size and times, when the file is opened.
 */
import type { Attributes } from '../../protocol/attributes.js';
import type { NodeId } from '../../protocol/ids.js';
import type { AttributesAnswer, Entry, KernelCaches, NegativeEntry } from '../operations.js';
import { showAttributes, type Ownership } from '../ownership.js';
import { shownIno, type DirectoryInode, type Inode, type Name } from '../tree/inode.js';
import type { Doubts, Tree } from '../tree/tree.js';
import { orAfter } from './patience.js';

const FOREVER_MS = Number.POSITIVE_INFINITY;
/** Names that the kernel was told do not exist, in all directories. */
const MAX_NEGATIVES = 50_000;
/**
 * For so long (milliseconds) the kernel may not have taken in the answer of a LOOKUP: a program's thread does it when it runs
 * again, without a lock where it looks up a name that it had (fuse_dentry_revalidate). So in a directory of which names were
 * taken back within this time none is told for longer; and a name that is told just before the first of them is taken back
 * again, at AGAIN_MS. What else tells of names (listings, CREATE) is taken in with the directory locked, as takeBack is.
 */
const TAKEN_IN_MS = 1_000;
const AGAIN_MS = [10, TAKEN_IN_MS];
/** Names that were looked up within TAKEN_IN_MS and may be believed: a MiB. */
const MAX_RECENT = 16_384;
/**
 * How long an answer waits for the kernel to drop a name (milliseconds): it may not be able to before it has that answer, as who
 * asks has the directory locked.
 */
const DROPPED_MS = 100;
/** invalidateNode: attributes only, the pages stay. */
const NO_DATA = -1;

/** A name of a directory, whatever it leads to. */
interface Place {
  readonly parent: DirectoryInode;
  readonly key: string;
}

/** Where the kernel has a directory. */
interface KernelPlace extends Place {
  /** The kernel's number of the parent. */
  readonly node: NodeId | 0;
}

/** Where the kernel was told of a directory that it had elsewhere. */
interface Move extends Place {
  /** Inode.asked by then. */
  readonly asked: number;
}

export class KernelView {
  readonly #tree: Tree;
  readonly #caches: KernelCaches;
  readonly #ownership: Ownership;
  readonly #negatives = new Map<DirectoryInode, Set<string>>();
  #negativeCount = 0;
  #forgetting = false;
  /** Files whose pages the kernel may still have, as they were when their unit was taken back. */
  readonly #pages = new WeakMap<Inode, Attributes>();
  /** Names that the kernel was told to believe by a LOOKUP, and may not have taken in; and when, in this order. */
  readonly #recent = new Map<Name, number>();
  /** Those of them that were taken back, and will be again. */
  readonly #again = new Set<Name>();
  /** When names of a directory were last taken back. */
  readonly #contested = new WeakMap<DirectoryInode, number>();
  /** Where the kernel has the directories that it was told of. */
  readonly #places = new WeakMap<Inode, KernelPlace>();
  /** Directories that the kernel was told of elsewhere than where it had them, and may not have been able to move. */
  readonly #moves = new WeakMap<Inode, Move>();
  /** What the kernel does not believe: it was taken back, and not told for longer since. */
  readonly #takenBack = new WeakSet<Name | Inode>();

  constructor(parts: { tree: Tree; caches: KernelCaches; ownership: Ownership }) {
    this.#tree = parts.tree;
    this.#caches = parts.caches;
    this.#ownership = parts.ownership;
  }

  /** Whether the kernel can be kept from having pages of a file, whatever programs do with it. */
  get mapsDirect(): boolean {
    return this.#caches.mapsDirect;
  }

  /** The kernel is told of an inode's size, or that it does not know it: it takes no older answer for that any more. */
  told(inode: Inode): void {
    inode.told += 1;
  }

  attributes(inode: Inode): AttributesAnswer {
    this.told(inode);
    const known = this.#tree.knows(inode);
    if (known) this.#takenBack.delete(inode);
    return {
      attributes: showAttributes(inode.attributes, this.#ownership, shownIno(inode)),
      validMs: known ? FOREVER_MS : 0,
    };
  }

  /** Tells of a name, which counts as a lookup of its inode. */
  entry(name: Name): Entry {
    const believed = this.#isBelieved(name);
    this.#told(name, believed);
    return this.#entry(name.inode, believed);
  }

  /** entry() in a listing: where others are at work, the names of a whole directory would have to be taken back each time. */
  listed(name: Name): Entry {
    const believed = !this.#isContested(name) && this.#isBelieved(name);
    this.#told(name, believed);
    return this.#entry(name.inode, believed);
  }

  /** entry() as the answer of a LOOKUP. */
  lookedUp(name: Name): Entry {
    const believed = !this.#isContested(name) && this.#isBelieved(name) && this.#noteRecent(name);
    this.#told(name, believed);
    const entry = this.#entry(name.inode, believed);
    // That the kernel asks for its attributes shows that it has moved it.
    return this.#moves.has(name.inode) ? { ...entry, validMs: 0 } : entry;
  }

  /** Tells of a file without a name, which counts as a lookup. */
  unnamed(inode: Inode): Entry {
    return this.#entry(inode, false);
  }

  #isContested({ parent }: Name): boolean {
    return performance.now() - (this.#contested.get(parent) ?? -Infinity) < TAKEN_IN_MS;
  }

  #isBelieved(name: Name): boolean {
    return this.#tree.lookup(name.parent, name.key) === name;
  }

  #told(name: Name, believed: boolean): void {
    const { inode } = name;
    if (inode.isDirectory() && !this.isElsewhere(name)) this.#places.set(inode, placeOf(name));
    if (!believed) return;
    this.#takenBack.delete(name);
    this.#again.delete(name);
  }

  /** Whether the kernel has a directory in another one than where it is now: somebody else moved it. */
  isElsewhere({ inode, parent }: Name): boolean {
    const place = inode.isDirectory() && inode.nodeId !== 0 ? this.#places.get(inode) : undefined;
    return (
      place !== undefined && place.node !== parent.nodeId && place.parent.nodes.includes(place.node as NodeId)
    );
  }

  /**
   * Has the kernel drop a directory where it was, before it is told where it is. It has each directory once, and moves what it
   * has when it is told of another place; but not while a rename(2) is under way (d_splice_alias): then it is ESTALE to who
   * asked, however often that is tried where it is the rename(2) that asks. Undefined: nothing is to be waited for.
   *
   * It cannot drop what a program works in or has something open in. Then who asked tries once more, and is told of the
   * directory by another number: what the program works in stays as it is, and is the same directory.
   */
  dropElsewhere(name: Name): Promise<void> | undefined {
    const { inode } = name;
    const move = this.#moves.get(inode);
    this.#moves.delete(inode);
    if (move !== undefined && move.asked === inode.asked && isAt(move, name)) {
      this.#tree.renumber(inode);
      this.#places.delete(inode);
    }
    if (!this.isElsewhere(name)) return undefined;
    const { node, key } = this.#places.get(inode) ?? placeOf(name);
    this.#moves.set(inode, { parent: name.parent, key: name.key, asked: inode.asked });
    this.#caches.invalidateEntry(node as NodeId, Buffer.from(key, 'latin1'), true);
    const dropped = this.#caches.settled().then(() => {
      this.#places.delete(inode);
    });
    return orAfter(DROPPED_MS, dropped, () => undefined);
  }

  /** The kernel has moved what it had under a name to another one, with what it had there if `exchanged`. */
  moved(from: Place, to: Place, exchanged: boolean): void {
    for (const { parent, key } of exchanged ? [from, to] : [to]) {
      const inode = parent.directory.names.get(key)?.inode;
      if (inode?.isDirectory() === true) this.#places.set(inode, placeOf({ parent, key }));
    }
  }

  #entry(inode: Inode, believed: boolean): Entry {
    const { attributes, validMs } = this.attributes(inode);
    return {
      attributes,
      validMs,
      nodeId: this.#tree.remember(inode),
      generation: 0n,
      entryValidMs: believed ? FOREVER_MS : 0,
    };
  }

  /** Tells that a name does not exist. */
  absent(directory: DirectoryInode, key: string): NegativeEntry {
    const believed = this.#tree.lookup(directory, key) === 'absent';
    return {
      nodeId: undefined,
      entryValidMs: believed && this.#noteNegative(directory, key) ? FOREVER_MS : 0,
    };
  }

  /** Whether the kernel may go on using the pages that it has of a file which is being opened. */
  mayKeepPages(inode: Inode): boolean {
    if (!this.#tree.knows(inode)) return false;
    const before = this.#pages.get(inode);
    if (before === undefined) return true;
    this.#pages.delete(inode);
    return sameContent(before, inode.attributes);
  }

  /** What was doubted is not to be believed by the kernel either; settled() tells when it does so. */
  takeBack({ names, inodes }: Doubts): void {
    this.#takeBackNames(names);
    for (const inode of inodes) {
      if (inode.isDirectory()) {
        for (const key of this.#negatives.get(inode) ?? []) this.#expire(inode, key);
        this.forgotten(inode);
      }
      if (inode.nodes.length === 0) continue;
      // The pages of a directory are the kernel's own listing.
      const drops = inode.directory !== undefined || inode.opens > 0;
      if (!drops && this.#takenBack.has(inode)) continue;
      this.#takenBack.add(inode);
      if (!drops && !this.#pages.has(inode)) this.#pages.set(inode, inode.attributes);
      this.told(inode);
      this.#drop(inode, NO_DATA);
      if (drops) this.#drop(inode, 0);
    }
  }

  /** The kernel is to forget inodes that no program uses. It is asked for no more while it is still at those before. */
  forget(inodes: readonly Inode[]): void {
    if (this.#forgetting) return;
    this.#forgetting = true;
    const nodes: NodeId[] = [];
    for (const { nodeId } of inodes) if (nodeId !== 0) nodes.push(nodeId);
    this.#caches.prune(nodes);
    void this.#caches.settled().then(() => (this.#forgetting = false));
  }

  /** The kernel knows the inode no more, nor names in it. */
  forgotten(inode: Inode): void {
    if (!inode.isDirectory()) return;
    this.#negativeCount -= this.#negatives.get(inode)?.size ?? 0;
    this.#negatives.delete(inode);
  }

  /** The attributes are not what the kernel has, and it is not about to be answered with others. */
  dropAttributes(inode: Inode): void {
    if (inode.nodes.length === 0) return;
    this.told(inode);
    this.#drop(inode, NO_DATA);
  }

  /** The data of a file are not what the kernel has. */
  dropPages(inode: Inode): void {
    if (inode.nodes.length === 0) return;
    this.told(inode);
    this.#drop(inode, 0);
  }

  #drop({ nodes }: Inode, offset: number): void {
    for (const node of nodes) this.#caches.invalidateNode(node, offset, 0);
  }

  settled(of?: 'attributes'): Promise<void> {
    return this.#caches.settled(of);
  }

  /** See KernelCaches. */
  get acted(): number {
    return this.#caches.acted;
  }

  /** False where there are too many. */
  #noteRecent(name: Name): boolean {
    const now = performance.now();
    for (const [other, at] of this.#recent) {
      if (now - at < TAKEN_IN_MS) break;
      this.#recent.delete(other);
    }
    this.#recent.delete(name);
    if (this.#recent.size >= MAX_RECENT) return false;
    this.#recent.set(name, now);
    return true;
  }

  #takeBackNames(names: readonly Name[]): void {
    const now = performance.now();
    const recent: Name[] = [];
    for (const name of names) {
      this.#contested.set(name.parent, now);
      if (this.#takenBack.has(name)) continue;
      this.#expire(name.parent, name.key);
      if (this.#recent.delete(name)) {
        this.#again.add(name);
        recent.push(name);
      } else if (!this.#again.has(name)) {
        this.#takenBack.add(name);
      }
    }
    if (recent.length > 0) this.#expireAgain(recent);
  }

  /** An answer that the kernel takes in behind what it was told here would be believed for ever. */
  #expireAgain(names: readonly Name[]): void {
    for (const afterMs of AGAIN_MS) {
      setTimeout(() => {
        for (const name of names) {
          this.#expire(name.parent, name.key);
          if (afterMs === TAKEN_IN_MS && this.#again.delete(name)) this.#takenBack.add(name);
        }
      }, afterMs).unref();
    }
  }

  #noteNegative(directory: DirectoryInode, key: string): boolean {
    let keys = this.#negatives.get(directory);
    if (keys?.has(key) === true) return true;
    if (this.#negativeCount >= MAX_NEGATIVES) return false;
    if (keys === undefined) this.#negatives.set(directory, (keys = new Set()));
    keys.add(key);
    this.#negativeCount += 1;
    return true;
  }

  #expire(directory: DirectoryInode, key: string): void {
    for (const node of directory.nodes) this.#caches.invalidateEntry(node, Buffer.from(key, 'latin1'));
  }
}

function placeOf({ parent, key }: Place): KernelPlace {
  return { parent, key, node: parent.nodeId };
}

function isAt(one: Place, other: Place): boolean {
  return one.parent === other.parent && one.key === other.key;
}

function sameContent(a: Attributes, b: Attributes): boolean {
  return (
    a.size === b.size &&
    a.mtime.sec === b.mtime.sec &&
    a.mtime.nsec === b.mtime.nsec &&
    a.ctime.sec === b.ctime.sec &&
    a.ctime.nsec === b.ctime.nsec
  );
}

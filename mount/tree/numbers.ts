/**
 * The kernel's numbers of inodes (nodeids) and how often it was told of each.
 *
 * Invariants: an inode has a number while its lookups are not all given back. Numbers are never given twice, so the
 * generation is always 0. A directory may get another number while the kernel knows it by one, as the kernel has each number
 * at one place, and cannot always move it to where somebody else has moved the directory (kernel-view.ts).
 */
import { Failure } from '../../protocol/failure.js';
import { nodeId, ROOT_NODE, type NodeId } from '../../protocol/ids.js';
import type { Inode } from './inode.js';

export class Numbers {
  readonly #inodes = new Map<NodeId, Inode>();
  /** Lookups of numbers that inodes had before. */
  readonly #former = new Map<NodeId, number>();
  readonly #root: Inode;
  #next: number = ROOT_NODE + 1;

  constructor(root: Inode) {
    this.#root = root;
    root.nodeId = ROOT_NODE;
    root.lookups = 1;
    this.#inodes.set(ROOT_NODE, root);
  }

  /** Throws ESTALE for a number that the kernel should not know. */
  get(id: NodeId): Inode {
    const inode = this.#inodes.get(id);
    if (inode === undefined) throw new Failure('ESTALE');
    inode.asked++;
    return inode;
  }

  /** Counts a lookup. */
  remember(inode: Inode): NodeId {
    if (inode.nodeId === 0) {
      inode.nodeId = nodeId(this.#next++);
      this.#inodes.set(inode.nodeId, inode);
    }
    inode.lookups++;
    return inode.nodeId;
  }

  /** What the kernel is told of from now on has another number than what it knows of the inode. */
  renumber(inode: Inode): void {
    const { nodeId: id } = inode;
    if (id === 0 || inode === this.#root) return;
    this.#former.set(id, this.#lookupsOf(id, inode));
    inode.formerNodes = [id, ...inode.formerNodes];
    inode.nodeId = 0;
  }

  /** Gives back lookups. Returns the inode where the kernel does not know it any more. */
  forget(id: NodeId, count: bigint): Inode | undefined {
    const inode = this.#inodes.get(id);
    if (inode === undefined || inode === this.#root) return undefined;
    const lookups = this.#lookupsOf(id, inode);
    const left = Math.max(lookups - Number(count), 0);
    inode.lookups -= lookups - left;
    if (left > 0) {
      if (id !== inode.nodeId) this.#former.set(id, left);
      return undefined;
    }
    this.#inodes.delete(id);
    if (id === inode.nodeId) inode.nodeId = 0;
    else if (this.#former.delete(id)) inode.formerNodes = inode.formerNodes.filter((other) => other !== id);
    return inode.lookups === 0 ? inode : undefined;
  }

  #lookupsOf(id: NodeId, inode: Inode): number {
    const former = this.#former.get(id);
    if (former !== undefined) return former;
    return inode.formerNodes.reduce((left, each) => left - (this.#former.get(each) ?? 0), inode.lookups);
  }

  all(): Iterable<Inode> {
    return this.#inodes.values();
  }
}

/**
 * The kernel's numbers of inodes (nodeids) and how often it was told of each.
 *
 * Invariants: an inode has a number while its lookups are not all given back. Numbers are never given twice, so the
 * generation is always 0.
 */
import { Failure } from '../../protocol/failure.js';
import { nodeId, ROOT_NODE, type NodeId } from '../../protocol/ids.js';
import type { Inode } from './inode.js';

export class Numbers {
  readonly #inodes = new Map<NodeId, Inode>();
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

  /** Gives back lookups. Returns the inode where the kernel does not know it any more. */
  forget(id: NodeId, count: bigint): Inode | undefined {
    const inode = this.#inodes.get(id);
    if (inode === undefined || inode === this.#root) return undefined;
    inode.lookups = Math.max(inode.lookups - Number(count), 0);
    if (inode.lookups > 0) return undefined;
    this.#inodes.delete(id);
    inode.nodeId = 0;
    return inode;
  }

  all(): Iterable<Inode> {
    return this.#inodes.values();
  }
}

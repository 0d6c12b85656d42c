/**
 * The kernel's numbers of inodes (nodeids) and how often it was told of each.
 *
 * Invariants: an inode has a number while its lookups are not all given back. A number is never given to another file, so the
 * generation is always 0. A directory may get another number while the kernel knows it by one, as the kernel has each number
 * at one place, and cannot always move it to where somebody else has moved the directory (kernel-view.ts).
 *
 * What the kernel forgets may come back by a file handle (open_by_handle_at(2), NFS), which is the number. So the file behind
 * a number stays known, of as many as there is room for, and has the same number when the kernel is told of it again.
 */
import { Failure } from '../../protocol/failure.js';
import { nodeId, ROOT_NODE, type NodeId } from '../../protocol/ids.js';
import { sameId, type FileId } from '../../protocol/references.js';
import type { Inode } from './inode.js';

/** Numbers that the kernel has forgotten and that still lead to their files: 4 MiB. */
export const MAX_FORGOTTEN = 16_384;

export class Numbers {
  readonly #inodes = new Map<NodeId, Inode>();
  /** Lookups of numbers that inodes had before. */
  readonly #former = new Map<NodeId, number>();
  /** What the kernel has forgotten, the oldest first; and their numbers, by inode number. */
  readonly #forgotten = new Map<NodeId, FileId>();
  readonly #numbers = new Map<bigint, NodeId>();
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

  /** The file of a number, also of one that the kernel has forgotten. ESTALE where that was too many numbers ago. */
  fileOf(id: NodeId): FileId {
    const file = this.#inodes.get(id)?.id ?? this.#forgotten.get(id);
    if (file === undefined) throw new Failure('ESTALE');
    return file;
  }

  /** Counts a lookup. */
  remember(inode: Inode): NodeId {
    if (inode.nodeId === 0) {
      inode.nodeId = this.#numberBefore(inode.id) ?? nodeId(this.#next++);
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
    if (inode.lookups > 0) return undefined;
    this.#keep(id, inode);
    return inode;
  }

  #lookupsOf(id: NodeId, inode: Inode): number {
    const former = this.#former.get(id);
    if (former !== undefined) return former;
    return inode.formerNodes.reduce((left, each) => left - (this.#former.get(each) ?? 0), inode.lookups);
  }

  all(): Iterable<Inode> {
    return this.#inodes.values();
  }

  /** Not of what is gone; nor of what has no id that is its own for ever (a provisional one; a disk that tells no births). */
  #keep(number: NodeId, { id, removed }: Inode): void {
    if (removed || id.ino === 0n || id.birth === 0n) return;
    const before = this.#numbers.get(id.ino);
    if (before !== undefined) this.#forgotten.delete(before);
    this.#numbers.set(id.ino, number);
    this.#forgotten.set(number, id);
    if (this.#forgotten.size <= MAX_FORGOTTEN) return;
    for (const [oldest, { ino }] of this.#forgotten) {
      this.#forgotten.delete(oldest);
      this.#numbers.delete(ino);
      break;
    }
  }

  /** The number that a file had before the kernel forgot it. */
  #numberBefore(id: FileId): NodeId | undefined {
    const number = this.#numbers.get(id.ino);
    const file = number === undefined ? undefined : this.#forgotten.get(number);
    if (number === undefined || file === undefined || !sameId(file, id)) return undefined;
    this.#numbers.delete(id.ino);
    this.#forgotten.delete(number);
    return number;
  }
}

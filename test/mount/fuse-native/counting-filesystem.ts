/** The file system in memory, with an account of the lookups that were answered and not given back. */
import type { Entry, NegativeEntry } from '../../../mount/operations.js';
import type { NodeId } from '../../../protocol/ids.js';
import { MemoryFilesystem } from '../fuse/memory-filesystem.js';

export class CountingFilesystem extends MemoryFilesystem {
  /** Lookups that are not given back, by node. */
  readonly held = new Map<NodeId, bigint>();
  lookups = 0;

  override lookup(parent: NodeId, name: Buffer): Entry | NegativeEntry {
    this.lookups++;
    const found = super.lookup(parent, name);
    if (found.nodeId !== undefined) this.count(found);
    return found;
  }

  /** Counts an entry that was answered by another operation than lookup. */
  count<E extends Entry>(entry: E): E {
    this.held.set(entry.nodeId, (this.held.get(entry.nodeId) ?? 0n) + 1n);
    return entry;
  }

  override forget(node: NodeId, count = 1n): void {
    const left = (this.held.get(node) ?? 0n) - count;
    if (left < 0n) throw new Error(`node ${node} was given back once too often`);
    if (left === 0n) this.held.delete(node);
    else this.held.set(node, left);
    super.forget(node);
  }
}

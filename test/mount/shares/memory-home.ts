/* A home in memory for tests of several in one mount: mount/fuse's, where a directory handle leads to '.', too. */
import type {
  AttributesAnswer,
  Caller,
  Entry,
  Eventually,
  NegativeEntry,
} from '../../../mount/operations.js';
import { Failure } from '../../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../../protocol/ids.js';
import { MemoryFilesystem } from '../fuse/memory-filesystem.js';

export const CALLER: Caller = { uid: 0, gid: 0, pid: 0 };

export class MemoryHome extends MemoryFilesystem {
  /** Lookups that were not given back, of all nodes but the root. */
  lookups = 0;

  constructor() {
    super({ validMs: 0 });
  }

  override lookup(parent: NodeId, name: Buffer): Entry | NegativeEntry {
    const entry = name.toString() === '.' ? this.#itself(parent) : super.lookup(parent, name);
    if (entry.nodeId !== undefined && entry.nodeId !== ROOT_NODE) this.lookups += 1;
    return entry;
  }

  override forget(node: NodeId, count = 1n): void {
    if (node !== ROOT_NODE) this.lookups -= Number(count);
  }

  #itself(nodeId: NodeId): Entry {
    const answer: AttributesAnswer = this.getattr(nodeId);
    return { ...answer, nodeId, generation: 0n, entryValidMs: 0 };
  }

  /** Makes a directory, or a file. Returns its node. */
  async plant(parent: NodeId, name: string, kind: 'directory' | 'file' = 'directory'): Promise<NodeId> {
    const bytes = Buffer.from(name);
    const made =
      kind === 'file'
        ? this.mknod(parent, bytes, 0o100644, 0, CALLER)
        : await this.mkdir(parent, bytes, 0o755, CALLER);
    return made.nodeId;
  }
}

/** What a lookup found. Fails where it found nothing. */
export async function found(entry: Eventually<Entry | NegativeEntry>): Promise<Entry> {
  const settled = await entry;
  if (settled.nodeId === undefined) throw new Failure('ENOENT');
  return settled;
}

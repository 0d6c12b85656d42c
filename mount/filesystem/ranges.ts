/**
 * Ranges of a file that the server works on by itself: room that is made ahead, holes (fallocate), and where they are (lseek).
 *
 * What becomes of them only the server's disk knows: so each is asked for and awaited, whatever is leased, behind the
 * log's operations on the file. One round trip.
 *
 * Invariant: from when it is asked for until it is answered, nothing that is known here of the file's data counts.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import { ALLOCATE, ALLOCATE_MODES, type Operation } from '../../protocol/operations.js';
import { packRef } from '../../protocol/references.js';
import type { Caller } from '../operations.js';
import type { Inode } from '../tree/inode.js';
import type { FileData } from './file-data.js';
import type { FileHandle, HandleTable } from './handles.js';
import type { Home } from './home.js';
import { tellLoss } from './losses.js';

export class Ranges {
  readonly #home: Home;
  readonly #data: FileData;
  readonly #handles: HandleTable<FileHandle>;

  constructor(parts: { home: Home; data: FileData; handles: HandleTable<FileHandle> }) {
    this.#home = parts.home;
    this.#data = parts.data;
    this.#handles = parts.handles;
  }

  /** `mode` as fallocate(2). EOPNOTSUPP. */
  allocate(id: HandleId, mode: number, offset: number, length: number, caller: Caller): Promise<void> {
    const inode = this.#toChange(id);
    if (!ALLOCATE_MODES.includes(mode)) throw new Failure('EOPNOTSUPP');
    const { tree } = this.#home;
    return this.#change(inode, [inode], caller, () => ({
      ...{ kind: ALLOCATE, file: tree.refOf(inode), time: this.#timeOf(inode) },
      ...{ mode, offset, length },
    }));
  }

  /** ENXIO. */
  seek(id: HandleId, offset: number, what: 'data' | 'hole', caller: Caller): Promise<number> {
    const { inode } = this.#handles.get(id);
    const { tree } = this.#home;
    if (tree.knows(inode) && offset >= inode.attributes.size) throw new Failure('ENXIO');
    return this.#home.ask(
      'seek',
      [inode],
      caller,
      () => [packRef(tree.refOf(inode)), offset, what === 'hole'],
      (found) => found,
    );
  }

  #toChange(id: HandleId): Inode {
    const handle = this.#handles.get(id);
    if (!handle.writable) throw new Failure('EBADF');
    tellLoss(handle);
    return handle.inode;
  }

  /** As of a write: what this mount alone may change has times of this machine. */
  #timeOf(inode: Inode) {
    return this.#home.tree.mayChange(inode) ? this.#home.clock.now() : null;
  }

  #change(
    inode: Inode,
    involved: readonly Inode[],
    caller: Caller,
    operation: () => Operation,
  ): Promise<void> {
    const { kernel } = this.#home;
    this.#data.awaited(inode);
    return this.#home.change(involved, caller, operation, ([left]) => {
      this.#data.awaited(inode);
      if (left !== undefined) this.#told(inode, left);
      kernel.told(inode);
    });
  }

  #told(inode: Inode, left: Attributes): void {
    const { tree, clock } = this.#home;
    tree.told(inode, left);
    // A page that was written back meanwhile is newer, and knows nothing of how long the file has become.
    if (inode.attributes.size < left.size) tree.wrote(inode, left.size, left.size, clock.now());
  }
}

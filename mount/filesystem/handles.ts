/**
 * Open files and directories of the mount, by the numbers that the kernel has for them.
 */
import { Failure } from '../../protocol/failure.js';
import { handleId, type HandleId } from '../../protocol/ids.js';
import type { Reader } from '../data/reader.js';
import type { DirectoryInode, Inode, Loss, Name } from '../tree/inode.js';
import type { LongListing } from './long-listing.js';
import type { ToldNames } from './told-names.js';

/** An open file or directory, as open(2) makes it: several descriptors may share it. */
export interface Opened {
  readonly inode: Inode;
  /** The last loss that it need not be told of. */
  told: Loss | undefined;
}

export interface FileHandle extends Opened {
  /** The last loss that a close(2) has told, of one descriptor of maybe several. */
  toldAtClose: Loss | undefined;
  readonly writable: boolean;
  /** Every write goes to the end. */
  readonly appending: boolean;
  /** Reading through it may move atime: without O_NOATIME. */
  readonly movesAtime: boolean;
  /** Owners of the locks that were taken through it, by kind; undefined: there were none. */
  locks: readonly [posix: Set<bigint>, flock: Set<bigint>] | undefined;
  /** Some of them were lost. */
  locksLost: boolean;
  /** Withdraws a write that waits for the server, of one with locks: they may be lost meanwhile. */
  readonly writes: Set<() => void>;
  /** Made by the first read. */
  reader: Reader | undefined;
}

/** Names of a directory in their order: those of the tree, where it knows all, or those that were told. */
export type Snapshot = readonly Name[] | ToldNames;

/**
 * An open directory: the names as they were when it was read from the start, or, where there are too many, a listing at the
 * server. Offsets are positions of its names, in this snapshot or at the server, so they stay put whatever happens to the
 * directory; reading from offset 0 again (rewinddir) takes a new one.
 */
export interface DirectoryHandle extends Opened {
  readonly inode: DirectoryInode;
  names: Snapshot | undefined;
  long: LongListing | undefined;
  /** The directory's version that `names` is of. */
  version: number;
}

/** Numbers count up and are never given twice. */
export class HandleTable<H> {
  readonly #handles = new Map<HandleId, H>();
  #next = 1;

  add(handle: H): HandleId {
    const id = handleId(this.#next++);
    this.#handles.set(id, handle);
    return id;
  }

  /** Throws EBADF. */
  get(id: HandleId): H {
    const handle = this.#handles.get(id);
    if (handle === undefined) throw new Failure('EBADF');
    return handle;
  }

  remove(id: HandleId): H | undefined {
    const handle = this.#handles.get(id);
    this.#handles.delete(id);
    return handle;
  }

  values(): Iterable<H> {
    return this.#handles.values();
  }
}

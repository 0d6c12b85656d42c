/**
 * Open files and directories of the mount, as the kernel holds them.
 *
 * An open file may not be open at the server yet: opening for reading is answered from what is known while that is
 * fresh, and the server is asked along with, or before, the first read (data.ts).
 */
import { Failure } from '../../protocol/failure.js';
import { handleId, type HandleId } from '../../protocol/ids.js';
import type { RemoteFile } from '../remote/remote-file.js';
import type { Load } from './listing.js';
import type { Name, Node } from './nodes.js';
import type { Eventually } from './operations.js';
import type { ReadAhead } from './read-ahead.js';

export class FileHandle {
  readonly node: Node;
  readonly writable: boolean;
  /** The server puts writes at the end of the file. */
  readonly appending: boolean;
  readAhead: ReadAhead | undefined;
  /** What failed in writing behind the back of its user, and was not told yet. */
  failure: Failure | undefined;
  readonly #open: (() => Promise<RemoteFile>) | undefined;
  #remote: RemoteFile | Promise<RemoteFile> | undefined;

  /** `remote`: open already, or how to open it. */
  constructor(
    node: Node,
    access: { writable: boolean; appending: boolean },
    remote: RemoteFile | (() => Promise<RemoteFile>),
  ) {
    this.node = node;
    this.writable = access.writable;
    this.appending = access.appending;
    if (typeof remote === 'function') this.#open = remote;
    else this.#remote = remote;
  }

  /** The file at the server, opened if it was not. Throws what opening throws. */
  remoteFile(): Eventually<RemoteFile> {
    return this.#remote ?? this.#begin();
  }

  /** Sends the request to open it, if it was not; a failure shows when the file is used. */
  openNow(): void {
    if (this.#remote === undefined) this.#begin().catch(() => {});
  }

  /** The file at the server where it is open or being opened. */
  get begun(): Eventually<RemoteFile> | undefined {
    return this.#remote;
  }

  #begin(): Promise<RemoteFile> {
    if (this.#open === undefined) throw new Failure('EBADF');
    const opening = this.#open();
    this.#remote = opening;
    opening.then(
      (file) => {
        this.#remote = file;
      },
      () => {
        // The next use tries again.
        this.#remote = undefined;
      },
    );
    return opening;
  }

  /** The failure to tell, once. */
  takeFailure(): Failure | undefined {
    const { failure } = this;
    this.failure = undefined;
    return failure;
  }
}

/**
 * An open directory: the names as they were when it was read from the start. Offsets are places in this snapshot, so
 * they stay put whatever happens to the directory; reading from offset 0 again (rewinddir) takes a new one.
 */
export class DirectoryHandle {
  readonly node: Node;
  names: readonly Name[] | undefined;
  /** The listing that still appends to `names`. */
  load: Load | undefined;
  /** The directory's version that `names` is of, where it is not of a listing under way. */
  version: number | undefined;

  constructor(node: Node) {
    this.node = node;
  }
}

/** Handles by the numbers that the kernel has for them. */
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

/**
 * An open file at the server that outlives its connection: requests name it by this object, and the remote handle is
 * looked up when a request is sent. After a server restart it is opened again by path, and is the same file only if
 * inode number and time of birth are the same.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { RemoteHandle, RemotePath } from '../../protocol/ids.js';
import { OPEN_EXCLUSIVE, OPEN_TRUNCATE } from '../../protocol/methods.js';

export class RemoteFile {
  readonly ino: bigint;
  readonly birth: bigint;
  /** OPEN_* for opening it again: it is neither truncated nor created twice. */
  readonly flags: number;
  /** Where the file is now; undefined when it has no name any more. */
  readonly path: () => RemotePath | undefined;
  #handle: RemoteHandle;
  #lost: Failure | undefined;

  constructor(
    handle: RemoteHandle,
    identity: Pick<Attributes, 'ino' | 'birth'>,
    flags: number,
    path: () => RemotePath | undefined,
  ) {
    this.#handle = handle;
    this.ino = identity.ino;
    this.birth = identity.birth;
    this.flags = flags & ~(OPEN_TRUNCATE | OPEN_EXCLUSIVE);
    this.path = path;
  }

  /** The handle in the present session. Throws ESTALE where the file was lost. */
  get handle(): RemoteHandle {
    if (this.#lost !== undefined) throw this.#lost;
    return this.#handle;
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** The file was opened again. */
  reopened(handle: RemoteHandle): void {
    this.#handle = handle;
  }

  /** It could not be opened again: another file has its name, or none. */
  lose(why: string): void {
    this.#lost ??= new Failure('ESTALE', `an open file was lost when the server restarted: ${why}`);
  }
}

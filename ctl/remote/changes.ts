/**
 * The changes that a command makes in a home: one operation each, awaited, of files that are named by path.
 *
 * Invariant: each has a number, counted up from 1: a client of its own makes one sequence of them. Several may be under
 * way; the client's window keeps them below MAX_CHANGES, and they are begun in the order in which they are called.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { splitPath, type RemotePath } from '../../protocol/ids.js';
import {
  LINK,
  MKDIR,
  packOperation,
  RELEASE,
  REMOVEXATTR,
  RENAME,
  RMDIR,
  SETATTR,
  SETXATTR,
  SYMLINK,
  UNLINK,
  WRITE,
  type Operation,
} from '../../protocol/operations.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import type { Xattr } from '../../protocol/xattrs.js';

export class Changes {
  #client: Client;
  #last = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** The number of the last one; 0: none was made. */
  get last(): number {
    return this.#last;
  }

  /** From now on they are made over another connection of the same client. */
  moveTo(client: Client): void {
    this.#client = client;
  }

  /** `permissions`: of the new directory; the server has no umask. */
  mkdir(path: RemotePath, permissions: number): Promise<void> {
    return this.#change({ kind: MKDIR, ...place(path), mode: permissions, id: null });
  }

  symlink(path: RemotePath, target: Buffer): Promise<void> {
    return this.#change({ kind: SYMLINK, ...place(path), target, id: null });
  }

  /** Gives `file` another name. */
  link(file: RemotePath, path: RemotePath): Promise<void> {
    return this.#change({ kind: LINK, ...place(path), file: ref(file) });
  }

  /** Of a symlink itself. `mode`: permissions. What is absent stays as it is. */
  setattr(path: RemotePath, changes: { mode?: number; size?: number; mtime?: Timestamp }): Promise<void> {
    const { mode = null, size = null, mtime = null } = changes;
    return this.#change({ kind: SETATTR, file: ref(path), time: null, mode, size, atime: null, mtime });
  }

  /** EDQUOT: there is no room for all of it. `data` may be changed when this returns. */
  async write(path: RemotePath, offset: number, data: Buffer): Promise<void> {
    const operation = packOperation({ kind: WRITE, file: ref(path), offset, data: null, time: null });
    this.#last += 1;
    const [file] = await this.#client.call('change', [this.#last, operation], { data });
    if (file !== undefined && file.size >= offset + data.length) return;
    throw new Failure('EDQUOT', 'the quota of disk space is used up');
  }

  setxattr(path: RemotePath, [xattr, value]: Xattr): Promise<void> {
    return this.#change({ kind: SETXATTR, file: ref(path), time: null, xattr, value, flags: 0 });
  }

  removexattr(path: RemotePath, xattr: Buffer): Promise<void> {
    return this.#change({ kind: REMOVEXATTR, file: ref(path), time: null, xattr });
  }

  unlink(path: RemotePath): Promise<void> {
    return this.#change({ kind: UNLINK, ...place(path), id: null, hold: false });
  }

  rmdir(path: RemotePath): Promise<void> {
    return this.#change({ kind: RMDIR, ...place(path), id: null });
  }

  /** `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE or 0. */
  rename(from: RemotePath, to: RemotePath, flags: number): Promise<void> {
    const { directory: newDirectory, name: newName } = place(to);
    const replacing = { newDirectory, newName, replaced: null, flags, hold: false };
    return this.#change({ kind: RENAME, ...place(from), id: null, ...replacing });
  }

  /** Ends a `hold`. */
  release({ ino, birth }: FileId): Promise<void> {
    return this.#change({ kind: RELEASE, id: { ino, birth } });
  }

  /** Resolves when all that were answered are on the server's disk. EIO, ENOSPC, EDQUOT: they may be lost. */
  async durable(): Promise<void> {
    if (this.#last > 0) await this.#client.call('sync', [0]);
  }

  async #change(operation: Operation): Promise<void> {
    this.#last += 1;
    await this.#client.call('change', [this.#last, packOperation(operation), null]);
  }
}

/** A name in a directory; the time of the change is the server's. EBUSY for the home itself. */
function place(path: RemotePath): { directory: FileRef; name: Buffer; time: null } {
  const { parent, name } = splitPath(path);
  return { directory: ref(parent), name, time: null };
}

function ref(path: RemotePath): FileRef {
  return { path, ino: null };
}

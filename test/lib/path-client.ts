/*
 * A client for tests that has nothing but paths, and changes one thing at a time: each change is awaited.
 */
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { remotePath, splitPath, type RemotePath } from '../../protocol/ids.js';
import { MAX_DATA } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import {
  CREATE,
  LINK,
  MKDIR,
  packOperation,
  RENAME,
  RMDIR,
  SETATTR,
  SYMLINK,
  UNLINK,
  WRITE,
  type Operation,
} from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';

const S_IFREG = 0o100000;

/** What makes the calls: protocol/session/client, or a home without a connection. */
export interface Caller {
  call<M extends PathMethod>(method: M, params: readonly unknown[]): Promise<Result<M>>;
}

type PathMethod = 'change' | 'getattr' | 'list' | 'listNext' | 'read' | 'readlink';

/** A path as text, without slashes at the ends; '' is the home. */
export type Path = string | Buffer;

/** What a SETATTR is to change. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly size?: number;
  readonly atime?: Timestamp | 'now';
  readonly mtime?: Timestamp | 'now';
}

export class PathClient {
  readonly #caller: Caller;
  #lastChange: number;

  /** `lastChange`: the number of the last change that this client made over another connection. */
  constructor(caller: Caller, lastChange = 0) {
    this.#caller = caller;
    this.#lastChange = lastChange;
  }

  /** The number of the last change. */
  get lastChange(): number {
    return this.#lastChange;
  }

  stat(path: Path): Promise<Attributes> {
    return this.#caller.call('getattr', [remote(path)]);
  }

  async exists(path: Path): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (Failure.from(error).kind === 'ENOENT') return false;
      throw error;
    }
  }

  readlink(path: Path): Promise<Buffer> {
    return this.#caller.call('readlink', [remote(path)]);
  }

  /** The names in a directory, sorted. */
  async list(path: Path): Promise<string[]> {
    const [first] = await this.#caller.call('list', [remote(path), 1]);
    if (first === undefined) throw new Error('no listing');
    const entries = [...first[1]];
    for (let cursor = first[2]; cursor !== null;) {
      const [more, next] = await this.#caller.call('listNext', [cursor]);
      entries.push(...more);
      cursor = next;
    }
    return entries.map(([name]) => name.toString()).toSorted();
  }

  /** A whole file, or a piece of one. */
  async read(path: Path, offset = 0, length = Number.MAX_SAFE_INTEGER): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let done = 0; done < length;) {
      const wanted = Math.min(MAX_DATA, length - done);
      const piece = await this.#caller.call('read', [remote(path), offset + done, wanted]);
      pieces.push(piece);
      done += piece.length;
      if (piece.length < wanted) break;
    }
    return Buffer.concat(pieces);
  }

  /** Makes a file, whatever was there before, with this content. */
  async put(path: Path, content: Buffer | string, mode = 0o644): Promise<void> {
    if (await this.exists(path)) await this.setattr(path, { size: 0 });
    else await this.create(path, mode);
    await this.write(path, 0, content);
  }

  /** Makes a regular file; with its type in `mode` a FIFO or socket. */
  create(path: Path, mode = 0o644): Promise<Attributes> {
    const withType = mode > 0o7777 ? mode : S_IFREG | mode;
    return this.#change({ kind: CREATE, ...place(path), time: null, mode: withType, id: null });
  }

  mkdir(path: Path, mode = 0o755): Promise<Attributes> {
    return this.#change({ kind: MKDIR, ...place(path), time: null, mode, id: null });
  }

  symlink(target: Path, path: Path): Promise<Attributes> {
    return this.#change({ kind: SYMLINK, ...place(path), time: null, target: Buffer.from(target), id: null });
  }

  link(existing: Path, path: Path): Promise<Attributes> {
    return this.#change({ kind: LINK, ...place(path), time: null, file: ref(existing) });
  }

  unlink(path: Path): Promise<Attributes> {
    return this.#change({ kind: UNLINK, ...place(path), time: null, id: null, hold: false });
  }

  rmdir(path: Path): Promise<Attributes> {
    return this.#change({ kind: RMDIR, ...place(path), time: null, id: null });
  }

  rename(from: Path, to: Path, flags = 0): Promise<Attributes> {
    const { directory: newDirectory, name: newName } = place(to);
    return this.#change({
      ...{ kind: RENAME, ...place(from), time: null, id: null, newDirectory, newName },
      ...{ replaced: null, flags, hold: false },
    });
  }

  setattr(path: Path, changes: AttributeChanges): Promise<Attributes> {
    const { mode = null, size = null, atime = null, mtime = null } = changes;
    return this.#change({ kind: SETATTR, file: ref(path), mode, size, atime, mtime, time: null });
  }

  /** Writes into an existing file; `offset` null: at its end. */
  async write(path: Path, offset: number | null, content: Buffer | string): Promise<void> {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; at += MAX_DATA) {
      const data = bytes.subarray(at, at + MAX_DATA);
      const start = offset === null ? null : offset + at;
      await this.#change({ kind: WRITE, file: ref(path), offset: start, data, time: null });
    }
  }

  /** Makes one change; the attributes that it left, of the file first. */
  change(operation: Operation, number: number = ++this.#lastChange): Promise<Attributes[]> {
    return this.#caller.call('change', [number, packOperation(operation), null]);
  }

  async #change(operation: Operation): Promise<Attributes> {
    const [attributes] = await this.change(operation);
    if (attributes === undefined) throw new Error('a change without attributes');
    return attributes;
  }
}

export function remote(path: Path): RemotePath {
  return remotePath(Buffer.from(path));
}

/** A path as a reference to the file there. */
export function ref(path: Path): FileRef {
  return { path: remote(path), ino: null };
}

/** A path as (directory, name). */
export function place(path: Path): { directory: FileRef; name: Buffer } {
  const { parent, name } = splitPath(remote(path));
  return { directory: ref(parent), name };
}

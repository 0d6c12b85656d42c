/**
 * Operations on the data of regular files: open, create, read, write, flush, fsync, release.
 *
 * Round trips, each the least that keeps what programs rely on:
 * - Opening for reading what the kernel has the data of (keepCache), while the attributes are fresh: none. The server is
 *   asked when a read comes that the kernel cannot answer, if one comes. Where another session removed the file
 *   before, that read fails, with ESTALE.
 * - Opening for reading what the kernel has not: one, which brings the data of a small file along. Not answered before
 *   the server did, though the read would wait for the same answer: a file that was replaced meanwhile must fail
 *   in open(2), which the kernel then tries again (second-tries.ts), and not in read(2).
 * - Opening for writing, creating: one. Errors of permission and quota belong to open(2).
 * - Writing: none (write-behind.ts), flush one if something was written, fsync one.
 * - Closing: none.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { HandleId, RemoteHandle } from '../../protocol/ids.js';
import { MAX_PREFETCH } from '../../protocol/limits.js';
import { OPEN_APPEND, OPEN_EXCLUSIVE, OPEN_READ, OPEN_TRUNCATE, OPEN_WRITE } from '../../protocol/methods.js';
import {
  O_ACCMODE,
  O_APPEND,
  O_EXCL,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  S_IFLNK,
  S_IFMT,
} from '../../posix/flags.js';
import { interruptible, type Interruptible } from '../remote/interruption.js';
import type { RemoteFile } from '../remote/remote-file.js';
import type { DirectoryState } from './directory-state.js';
import type { FileState } from './file-state.js';
import { isFresh, NEVER } from './freshness.js';
import { FileHandle, HandleTable } from './handles.js';
import type { MountState } from './mount-state.js';
import type { Names } from './names.js';
import { isFile, keyOf, type Node } from './nodes.js';
import type { Entry, Eventually, OpenAnswer } from './operations.js';
import { ReadAhead, ReadBudget, type Arrival, type Reply } from './read-ahead.js';
import type { SecondTries } from './second-tries.js';
import type { WriteBehind } from './write-behind.js';

type DirectoryNode = Node & { readonly directory: DirectoryState };
type FileNode = Node & { readonly file: FileState };

/** Where failures go that nobody is left to be told of. */
export interface LossLog {
  error(details: object, message: string): void;
}

/** OPEN_* of open(2)'s flags. */
function remoteFlags(flags: number): number {
  const access = flags & O_ACCMODE;
  return (
    (access === O_RDONLY ? OPEN_READ : access === O_WRONLY ? OPEN_WRITE : OPEN_READ | OPEN_WRITE) |
    ((flags & O_APPEND) === 0 ? 0 : OPEN_APPEND) |
    ((flags & O_TRUNC) === 0 ? 0 : OPEN_TRUNCATE)
  );
}

function accessOf(flags: number): { writable: boolean; appending: boolean } {
  return { writable: (flags & OPEN_WRITE) !== 0, appending: (flags & OPEN_APPEND) !== 0 };
}

export class Files {
  readonly #mount: MountState;
  readonly #names: Names;
  readonly #writes: WriteBehind;
  readonly #secondTries: SecondTries;
  readonly #log: LossLog;
  readonly #budget = new ReadBudget();
  readonly #handles = new HandleTable<FileHandle>();

  constructor(mount: MountState, names: Names, writes: WriteBehind, secondTries: SecondTries, log: LossLog) {
    this.#mount = mount;
    this.#secondTries = secondTries;
    this.#names = names;
    this.#writes = writes;
    this.#log = log;
  }

  handle(id: HandleId): FileHandle {
    return this.#handles.get(id);
  }

  open(node: Node, flags: number, caller: Interruptible): Eventually<OpenAnswer> {
    if (!isFile(node)) {
      if (node.directory !== undefined) throw new Failure('EISDIR');
      throw new Failure((node.attributes.mode & S_IFMT) === S_IFLNK ? 'ELOOP' : 'ENXIO');
    }
    const how = remoteFlags(flags);
    return how === OPEN_READ ? this.#openToRead(node, caller) : this.#openToWrite(node, how, caller);
  }

  #openToRead(node: FileNode, caller: Interruptible): Eventually<OpenAnswer> {
    // Before data is asked for.
    this.#writes.send(node);
    const { file } = node;
    const kept = file.takeKept();
    if (kept !== undefined) return this.#answerOpen(new FileHandle(node, accessOf(OPEN_READ), kept));
    const { size } = node.attributes;
    const prefetch = file.kernelHasData || size > MAX_PREFETCH ? 0 : size;
    let arrival: Arrival | undefined;
    const handle = new FileHandle(node, accessOf(OPEN_READ), () => {
      const opening = this.#request(node, OPEN_READ, arrival === undefined ? 0 : prefetch, arrival);
      arrival = undefined;
      return opening;
    });
    // What the kernel has, or of an empty file, will hardly be read.
    if (isFresh(node.confirmedAt, this.#mount.now()) && (file.kernelHasData || size === 0)) {
      return this.#answerOpen(handle);
    }
    if (prefetch > 0) arrival = this.#readAhead(handle).expect(prefetch);
    return this.#awaitOpen(handle, caller);
  }

  async #awaitOpen(handle: FileHandle, caller: Interruptible): Promise<OpenAnswer> {
    const id = this.#add(handle);
    try {
      await interruptible(Promise.resolve(handle.remoteFile()), caller);
    } catch (thrown) {
      this.#handles.remove(id);
      this.#close(handle.node, handle);
      this.#secondTries.failed(thrown, caller);
      throw thrown;
    }
    return { handle: id, keepCache: handle.node.file?.kernelMayKeep() ?? false };
  }

  #answerOpen(handle: FileHandle): OpenAnswer {
    return { handle: this.#add(handle), keepCache: handle.node.file?.kernelMayKeep() ?? false };
  }

  /** Opens at the server; a caller who waits for it is let go by who waits. */
  #request(
    node: FileNode,
    flags: number,
    prefetch: number,
    arrival: Arrival | undefined,
  ): Promise<RemoteFile> {
    return this.#mount
      .ask(
        'open',
        () => [this.#pathOf(node), flags, ...(prefetch > 0 ? [prefetch] : [])],
        NOBODY,
        ([remote, attributes, data], sequence) => {
          const file = this.#opened(node, remote, attributes, flags, sequence);
          if (arrival !== undefined) {
            // Where the server did not send all along, the read-ahead asks anew, by this handle.
            const whole = data !== null && data.length >= Math.min(prefetch, attributes.size);
            if (whole) arrival(undefined, data);
            else queueMicrotask(() => arrival(undefined, undefined));
          }
          return file;
        },
      )
      .catch((thrown: unknown) => {
        const failure = Failure.from(thrown);
        arrival?.(failure, undefined);
        throw failure;
      });
  }

  async #openToWrite(node: FileNode, how: number, caller: Interruptible): Promise<OpenAnswer> {
    // What others wrote through this mount comes first, above all before a truncation.
    this.#writes.send(node);
    const truncates = (how & OPEN_TRUNCATE) !== 0;
    if (truncates) node.file.ownChanges++;
    let file;
    try {
      file = await this.#mount.ask(
        'open',
        () => [this.#pathOf(node), how],
        caller,
        ([remote, attributes], sequence) => {
          const opened = this.#opened(node, remote, attributes, how, sequence);
          if (truncates) this.#writes.truncated(node, 0);
          return opened;
        },
        { abandoned: ([remote]) => this.#mount.remote.closeHandle(remote) },
      );
    } catch (thrown) {
      if (truncates) node.doubt(this.#mount.remote.sequence);
      this.#secondTries.failed(thrown, caller);
      throw thrown;
    } finally {
      if (truncates) node.file.ownChanges--;
    }
    if (truncates) for (const handle of node.file.handles) handle.readAhead?.drop();
    return this.#answerOpen(new FileHandle(node, accessOf(how), file));
  }

  #opened(
    node: Node,
    remote: RemoteHandle,
    attributes: Attributes,
    flags: number,
    sequence: number,
  ): RemoteFile {
    if (attributes.ino !== node.ino || attributes.birth !== node.birth) {
      // Another file has the name by now: the kernel looks it up again.
      this.#mount.remote.closeHandle(remote);
      for (const name of node.names) name.confirmedAt = NEVER;
      node.doubt(sequence);
      throw new Failure('ESTALE');
    }
    this.#mount.learn(node, attributes, sequence, (flags & OPEN_TRUNCATE) !== 0);
    return this.#mount.remote.adopt(remote, attributes, flags, () => this.#mount.nodes.pathOf(node));
  }

  #pathOf(node: Node): Buffer {
    const path = this.#mount.nodes.pathOf(node);
    if (path === undefined) throw new Failure('ESTALE');
    return path;
  }

  create(
    parent: DirectoryNode,
    name: Buffer,
    flags: number,
    mode: number,
    caller: Interruptible,
  ): Promise<{ entry: Entry; opened: OpenAnswer }> {
    const key = keyOf(name);
    const how = remoteFlags(flags) | ((flags & O_EXCL) === 0 ? 0 : OPEN_EXCLUSIVE);
    const creating = this.#mount.ask(
      'create',
      () => [this.#mount.nodes.pathIn(parent, key), how, mode & 0o7777],
      caller,
      ([remote, attributes], sequence) => {
        const made = this.#names.made(parent, key, attributes, sequence);
        const { node } = made;
        if (!isFile(node)) {
          this.#mount.remote.closeHandle(remote);
          throw new Failure('EIO', 'the server created something that is no file');
        }
        const file = this.#mount.remote.adopt(remote, attributes, how, () => this.#mount.nodes.pathOf(node));
        const handle = new FileHandle(node, accessOf(how), file);
        return {
          entry: this.#mount.entry(node, made.confirmedAt),
          opened: { handle: this.#add(handle), keepCache: node.file.kernelMayKeep() },
        };
      },
      {
        failed: (failure, sequence) => this.#names.failed(parent, key, failure, sequence),
        abandoned: ([remote]) => this.#mount.remote.closeHandle(remote),
      },
    );
    this.#mount.follow(parent);
    return creating;
  }

  #add(handle: FileHandle): HandleId {
    handle.node.file?.handles.add(handle);
    return this.#handles.add(handle);
  }

  #readAhead(handle: FileHandle): ReadAhead {
    return (handle.readAhead ??= new ReadAhead((offset, length, arrival) => {
      const file = handle.remoteFile();
      const request = (opened: RemoteFile): void => {
        this.#mount.remote.request('read', [opened, offset, length], undefined, arrival);
      };
      if (file instanceof Promise)
        file.then(request, (thrown: unknown) => arrival(Failure.from(thrown), undefined));
      else request(file);
    }, this.#budget));
  }

  read(
    node: Node,
    id: HandleId,
    offset: number,
    length: number,
    reply: Reply,
    caller: Interruptible,
  ): Eventually<void> {
    const handle = this.#handles.get(id);
    // Also what lies beyond: it may be read ahead, and where it extends the file, this may be a hole in front of it.
    this.#writes.send(node);
    // The kernel's own idea of the size is not younger than this one, unless that is known to be out of date.
    const size =
      node.confirmedAt === NEVER
        ? undefined
        : Math.max(node.attributes.size, node.file?.writes?.unacknowledged?.end ?? 0);
    return this.#readAhead(handle).read(offset, length, size, reply, caller);
  }

  write(node: Node, id: HandleId, offset: number, data: Buffer, caller: Interruptible): Eventually<number> {
    const handle = this.#handles.get(id);
    const file = handle.begun;
    if (!isFile(node) || !handle.writable || file === undefined || file instanceof Promise) {
      throw new Failure('EBADF');
    }
    for (const each of node.file.handles) each.readAhead?.drop();
    return this.#writes.write(node, handle, file, offset, data, caller);
  }

  flush(node: Node, id: HandleId, caller: Interruptible): Eventually<void> {
    const handle = this.#handles.get(id);
    const settled = handle.writable ? this.#writes.settled(node) : undefined;
    if (settled === undefined) return throwFailure(handle);
    return interruptible(Promise.resolve(settled), caller).then(() => throwFailure(handle));
  }

  async fsync(node: Node, id: HandleId, dataOnly: boolean, caller: Interruptible): Promise<void> {
    const handle = this.#handles.get(id);
    const settled = this.#writes.settled(node);
    const file = await interruptible(Promise.resolve(handle.remoteFile()), caller);
    // The server does it after the writes: no need to wait for those first.
    const synced = this.#mount.ask(
      'fsync',
      () => [file, dataOnly],
      caller,
      () => undefined,
    );
    await Promise.all([
      settled === undefined ? undefined : interruptible(Promise.resolve(settled), caller),
      synced,
    ]);
    throwFailure(handle);
  }

  release(node: Node, id: HandleId): Eventually<void> {
    const handle = this.#handles.remove(id);
    if (handle === undefined) return undefined;
    // After a flush that was interrupted; and for pages that were mapped, which the kernel writes back later.
    if (handle.writable && node.file?.writes?.piece?.handle === handle) this.#writes.send(node);
    const settled = handle.writable ? this.#writes.settled(node) : undefined;
    if (settled === undefined) this.#close(node, handle);
    else void Promise.resolve(settled).then(() => this.#close(node, handle));
    return undefined;
  }

  /** The mount has ended: what files that are still open would have been told is logged. */
  logLosses(): void {
    for (const handle of this.#handles.values()) {
      if ((handle.node.file?.writes?.bytes ?? 0) > 0) handle.failure ??= new Failure('ETIMEDOUT');
      this.#logLoss(handle);
    }
  }

  #logLoss(handle: FileHandle): void {
    const { failure } = handle;
    if (failure !== undefined) {
      const path = this.#mount.nodes.pathOf(handle.node)?.toString() ?? '(a removed file)';
      this.#log.error(
        { path, reason: failure.message, code: failure.code },
        'data were lost: nobody is left to be told',
      );
    }
  }

  #close(node: Node, handle: FileHandle): void {
    node.file?.handles.delete(handle);
    handle.readAhead?.close();
    this.#logLoss(handle);
    const file = handle.begun;
    if (file instanceof Promise)
      file.then(
        (opened) => this.#mount.remote.closeFile(opened),
        () => {},
      );
    else if (file !== undefined) this.#mount.remote.closeFile(file);
    this.#mount.nodes.drop(node);
  }
}

/** Requests that several may wait for are not let go with one of them. */
const NOBODY: Interruptible = { pid: 0 };

function throwFailure(handle: FileHandle): void {
  const failure = handle.takeFailure();
  if (failure !== undefined) throw failure;
}

/**
 * A home as a file system: the operations of mount/operations.ts over tree, log, leases and the remote. This file ties the
 * parts together; lookups.ts, making.ts, names.ts, attribute-updates.ts, files.ts, directories.ts and xattrs.ts have the
 * operations.
 *
 * What is known is answered synchronously, in the call: a hop to the kernel costs 45 us, a promise on top is waste.
 */
import { Failure } from '../../protocol/failure.js';
import type { Lock } from '../../protocol/file-locks.js';
import type { HandleId, NodeId } from '../../protocol/ids.js';
import { MAX_NAME } from '../../protocol/limits.js';
import type {
  AttributeChanges,
  AttributesAnswer,
  Caller,
  Entry,
  EntrySink,
  Eventually,
  Filesystem,
  FilesystemStatus,
  NegativeEntry,
  OpenAnswer,
  WantedLock,
} from '../operations.js';
import { checkOwner, modeWithoutSetId, requireOwner, type Ownership } from '../ownership.js';
import { isAcl, type Acls } from './acls.js';
import type { AttributeUpdates } from './attribute-updates.js';
import type { Directories } from './directories.js';
import type { Files } from './files.js';
import type { Home } from './home.js';
import type { Lookups } from './lookups.js';
import type { Making } from './making.js';
import type { Names } from './names.js';
import type { Ranges } from './ranges.js';
import type { Space } from './space.js';
import type { Xattrs } from './xattrs.js';

export interface MountedHomeParts {
  readonly home: Home;
  readonly lookups: Lookups;
  readonly making: Making;
  readonly names: Names;
  readonly attributes: AttributeUpdates;
  readonly files: Files;
  readonly ranges: Ranges;
  readonly directories: Directories;
  readonly space: Space;
  readonly xattrs: Xattrs;
  /** Where the mount has ACLs. */
  readonly acls: Acls | undefined;
  readonly ownership: Ownership;
  /** Sends what is not sent, and ends the session. */
  destroy(): Promise<void>;
}

export class MountedHome implements Filesystem {
  readonly #home: Home;
  readonly #lookups: Lookups;
  readonly #making: Making;
  readonly #names: Names;
  readonly #attributes: AttributeUpdates;
  readonly #files: Files;
  readonly #ranges: Ranges;
  readonly #directories: Directories;
  readonly #space: Space;
  readonly #xattrs: Xattrs;
  readonly #acls: Acls | undefined;
  readonly #ownership: Ownership;
  readonly destroy: () => Promise<void>;

  constructor(parts: MountedHomeParts) {
    this.#home = parts.home;
    this.#lookups = parts.lookups;
    this.#making = parts.making;
    this.#names = parts.names;
    this.#attributes = parts.attributes;
    this.#files = parts.files;
    this.#ranges = parts.ranges;
    this.#directories = parts.directories;
    this.#space = parts.space;
    this.#xattrs = parts.xattrs;
    this.#acls = parts.acls;
    this.#ownership = parts.ownership;
    this.destroy = parts.destroy;
  }

  // Names

  lookup(parent: NodeId, name: Buffer, caller: Caller): Eventually<Entry | NegativeEntry> {
    const key = keyOf(name);
    if (key === '.') return this.#lookups.byNumber(parent, caller);
    if (key === '..') return this.#lookups.parentOf(parent);
    return this.#lookups.lookup(this.#home.tree.getDirectory(parent), key, caller);
  }

  forget(node: NodeId, count: bigint): void {
    const forgotten = this.#home.tree.forget(node, count);
    if (forgotten !== undefined) this.#home.kernel.forgotten(forgotten);
  }

  mknod(parent: NodeId, name: Buffer, mode: number, rdev: number, caller: Caller): Eventually<Entry> {
    return this.#making.mknod(this.#home.tree.getDirectory(parent), keyOf(name), mode, rdev, caller);
  }

  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Eventually<Entry> {
    return this.#making.mkdir(this.#home.tree.getDirectory(parent), keyOf(name), mode, caller);
  }

  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Eventually<Entry> {
    return this.#making.symlink(this.#home.tree.getDirectory(parent), keyOf(name), target, caller);
  }

  link(node: NodeId, newParent: NodeId, newName: Buffer, caller: Caller): Eventually<Entry> {
    const { tree } = this.#home;
    return this.#names.link(tree.get(node), tree.getDirectory(newParent), keyOf(newName), caller);
  }

  unlink(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#names.unlink(this.#home.tree.getDirectory(parent), keyOf(name), caller);
  }

  rmdir(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#names.rmdir(this.#home.tree.getDirectory(parent), keyOf(name), caller);
  }

  rename(
    parent: NodeId,
    name: Buffer,
    newParent: NodeId,
    newName: Buffer,
    flags: number,
    caller: Caller,
  ): Eventually<void> {
    const { tree } = this.#home;
    const [from, to] = [tree.getDirectory(parent), tree.getDirectory(newParent)];
    return this.#names.rename(from, keyOf(name), to, keyOf(newName), flags, caller);
  }

  // One inode

  getattr(id: NodeId, _handle: HandleId | undefined, caller: Caller): Eventually<AttributesAnswer> {
    return this.#lookups.attributes(this.#home.tree.get(id), caller);
  }

  setattr(
    id: NodeId,
    _handle: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Eventually<AttributesAnswer> {
    const inode = this.#home.tree.get(id);
    const isOwned = inode.attributes.owner !== null;
    if (!isOwned) checkOwner(changes, this.#ownership);
    const { uid, gid, mode: given, size, atime, mtime } = changes;
    const isNothing = [uid, gid, given, size, atime, mtime].every((change) => change === undefined);
    // What changes nothing is chown(2) to -1 and -1, or what takes the set-id bits and says nothing of that: fallocate(2).
    const chowns = isNothing || (!isOwned && (uid !== undefined || gid !== undefined));
    // A change of the owner that is kept takes the set-id bits by itself.
    const mode = given ?? (chowns ? modeWithoutSetId(inode.attributes, caller) : undefined);
    // The kernel asks of who gives a mode alone whether that is the owner; who fallocates has the file open.
    if (isNothing && mode !== undefined && !this.#files.isWritten(inode)) {
      requireOwner(inode.attributes, this.#ownership, caller);
    }
    if (given !== undefined) this.#acls?.chmodded(inode);
    return this.#attributes.set(inode, mode === undefined ? changes : { ...changes, mode }, caller);
  }

  clearSetId(id: NodeId, caller: Caller): Eventually<void> {
    const inode = this.#home.tree.get(id);
    const mode = modeWithoutSetId(inode.attributes, caller);
    if (mode === undefined) return undefined;
    // What is done next tells the kernel no mode.
    const told = (): void => this.#home.kernel.dropAttributes(inode);
    const cleared = this.#attributes.set(inode, { mode }, caller);
    return cleared instanceof Promise ? cleared.then(told) : told();
  }

  readlink(id: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#lookups.readlink(this.#home.tree.get(id), caller);
  }

  access(id: NodeId, mask: number, caller: Caller): Eventually<void> {
    return this.#lookups.access(this.#home.tree.get(id), mask, caller);
  }

  getxattr(id: NodeId, name: Buffer, caller: Caller): Eventually<Buffer> {
    return this.#ofKind(name).get(this.#home.tree.get(id), name, caller);
  }

  listxattr(id: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#xattrs.list(this.#home.tree.get(id), caller);
  }

  setxattr(id: NodeId, name: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void> {
    return this.#ofKind(name).set(this.#home.tree.get(id), name, value, flags, caller);
  }

  removexattr(id: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#ofKind(name).remove(this.#home.tree.get(id), name, caller);
  }

  #ofKind(name: Buffer): Acls | Xattrs {
    return this.#acls !== undefined && isAcl(name) ? this.#acls : this.#xattrs;
  }

  // Files

  open(node: NodeId, flags: number, caller: Caller): Eventually<OpenAnswer> {
    return this.#files.open(this.#home.tree.get(node), flags, caller);
  }

  create(
    parent: NodeId,
    name: Buffer,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    return this.#files.create(this.#home.tree.getDirectory(parent), keyOf(name), flags, mode, caller);
  }

  tmpfile(
    parent: NodeId,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    return this.#files.tmpfile(this.#home.tree.getDirectory(parent), flags, mode, caller);
  }

  read(
    node: NodeId,
    handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void> {
    return this.#files.read(this.#home.tree.get(node), handle, offset, length, reply, caller);
  }

  write(
    _node: NodeId,
    handle: HandleId,
    offset: number,
    data: Buffer,
    fromCache: boolean,
    caller: Caller,
  ): Eventually<number> {
    return this.#files.write(handle, offset, data, fromCache, caller);
  }

  allocate(
    _node: NodeId,
    handle: HandleId,
    mode: number,
    offset: number,
    length: number,
    caller: Caller,
  ): Eventually<void> {
    return this.#ranges.allocate(handle, mode, offset, length, caller);
  }

  copy(
    handle: HandleId,
    offset: number,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    caller: Caller,
  ): Eventually<number> {
    return this.#ranges.copy(handle, offset, targetHandle, targetOffset, length, caller);
  }

  seek(
    _node: NodeId,
    handle: HandleId,
    offset: number,
    what: 'data' | 'hole',
    caller: Caller,
  ): Eventually<number> {
    return this.#ranges.seek(handle, offset, what, caller);
  }

  flush(node: NodeId, handle: HandleId, lockOwner: bigint | undefined, caller: Caller): Eventually<void> {
    return this.#files.flush(this.#home.tree.get(node), handle, lockOwner, caller);
  }

  fsync(_node: NodeId, handle: HandleId, _dataOnly: boolean, caller: Caller): Eventually<void> {
    return this.#files.fsync(handle, caller);
  }

  release(node: NodeId, handle: HandleId): Eventually<void> {
    this.#files.release(this.#home.tree.get(node), handle);
  }

  getlk(_node: NodeId, handle: HandleId, wanted: WantedLock, caller: Caller): Eventually<Lock | undefined> {
    return this.#files.getlk(handle, wanted, caller);
  }

  setlk(
    _node: NodeId,
    handle: HandleId,
    wanted: WantedLock,
    wait: boolean,
    caller: Caller,
  ): Eventually<void> {
    return this.#files.setlk(handle, wanted, wait, caller);
  }

  // Directories

  opendir(node: NodeId, _caller: Caller): Eventually<OpenAnswer> {
    return this.#directories.open(this.#home.tree.getDirectory(node));
  }

  readdir(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    return this.#directories.read(this.#home.tree.getDirectory(node), handle, offset, plus, sink, caller);
  }

  fsyncdir(_node: NodeId, handle: HandleId, caller: Caller): Eventually<void> {
    return this.#directories.fsync(handle, caller);
  }

  releasedir(_node: NodeId, handle: HandleId): Eventually<void> {
    this.#directories.release(handle);
  }

  // The whole

  /** The kernel's numbers of what a name (latin1) in the root leads to, as far as is known; none: it knows nothing of it. */
  nodesInRoot(key: string): readonly NodeId[] {
    return this.#home.tree.root.directory.names.get(key)?.inode.nodes ?? [];
  }

  statfs(_node: NodeId, caller: Caller): Eventually<FilesystemStatus> {
    return this.#space.status(caller);
  }
}

/** A name as the kernel gives it, as a key of the tree. Throws ENAMETOOLONG. */
function keyOf(name: Buffer): string {
  if (name.length > MAX_NAME) throw new Failure('ENAMETOOLONG');
  return name.toString('latin1');
}

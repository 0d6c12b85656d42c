/**
 * A home among several of one mount: the operations with the kernel's numbers of nodes and handles, and inode numbers that no
 * other home of the mount has, over a file system that has numbers of its own. And the way back: what that home has the kernel
 * drop from its caches.
 */
import type { Lock } from '../../protocol/file-locks.js';
import type { HandleId, NodeId } from '../../protocol/ids.js';
import type {
  AttributeChanges,
  AttributesAnswer,
  Caller,
  Entry,
  EntrySink,
  Eventually,
  Filesystem,
  FilesystemStatus,
  KernelCaches,
  NegativeEntry,
  OpenAnswer,
  WantedLock,
} from '../operations.js';
import type { HomeNumbers } from './home-numbers.js';

/** What create() and tmpfile() answer. */
interface Created {
  readonly entry: Entry;
  readonly opened: OpenAnswer;
}

export class NumberedHome implements Filesystem {
  readonly #home: Filesystem;
  readonly #numbers: HomeNumbers;
  readonly #inodeTag: bigint;

  /** `inodeTag`: see inode-tags.ts. */
  constructor(home: Filesystem, numbers: HomeNumbers, inodeTag: bigint) {
    this.#home = home;
    this.#numbers = numbers;
    this.#inodeTag = inodeTag;
  }

  /** The kernel's number of the root. */
  get root(): NodeId {
    return this.#numbers.root;
  }

  // Numbers of the kernel, as the home has them

  #node(outer: NodeId): NodeId {
    return this.#numbers.innerNode(outer);
  }

  #handle(outer: HandleId): HandleId {
    return this.#numbers.innerHandle(outer);
  }

  // What the home answers, as the kernel is told

  readonly #attributes = <T extends AttributesAnswer>(answer: T): T => {
    const { attributes } = answer;
    return { ...answer, attributes: { ...attributes, ino: this.#ino(attributes.ino) } };
  };

  readonly #entry = (entry: Entry): Entry => {
    return { ...this.#attributes(entry), nodeId: this.#numbers.outerNode(entry.nodeId) };
  };

  readonly #found = (entry: Entry | NegativeEntry): Entry | NegativeEntry => {
    return entry.nodeId === undefined ? entry : this.#entry(entry);
  };

  readonly #opened = (opened: OpenAnswer): OpenAnswer => {
    return { ...opened, handle: this.#numbers.outerHandle(opened.handle) };
  };

  readonly #created = ({ entry, opened }: Created): Created => {
    return { entry: this.#entry(entry), opened: this.#opened(opened) };
  };

  #ino(ino: bigint): bigint {
    return ino ^ this.#inodeTag;
  }

  // Names

  lookup(parent: NodeId, name: Buffer, caller: Caller): Eventually<Entry | NegativeEntry> {
    return shown(this.#home.lookup(this.#node(parent), name, caller), this.#found);
  }

  forget(node: NodeId, count: bigint): void {
    this.#home.forget(this.#node(node), count);
  }

  mknod(parent: NodeId, name: Buffer, mode: number, rdev: number, caller: Caller): Eventually<Entry> {
    return shown(this.#home.mknod(this.#node(parent), name, mode, rdev, caller), this.#entry);
  }

  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Eventually<Entry> {
    return shown(this.#home.mkdir(this.#node(parent), name, mode, caller), this.#entry);
  }

  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Eventually<Entry> {
    return shown(this.#home.symlink(this.#node(parent), name, target, caller), this.#entry);
  }

  link(node: NodeId, newParent: NodeId, newName: Buffer, caller: Caller): Eventually<Entry> {
    return shown(this.#home.link(this.#node(node), this.#node(newParent), newName, caller), this.#entry);
  }

  unlink(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#home.unlink(this.#node(parent), name, caller);
  }

  rmdir(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#home.rmdir(this.#node(parent), name, caller);
  }

  rename(
    parent: NodeId,
    name: Buffer,
    newParent: NodeId,
    newName: Buffer,
    flags: number,
    caller: Caller,
  ): Eventually<void> {
    return this.#home.rename(this.#node(parent), name, this.#node(newParent), newName, flags, caller);
  }

  // One inode

  getattr(node: NodeId, handle: HandleId | undefined, caller: Caller): Eventually<AttributesAnswer> {
    const inner = handle === undefined ? undefined : this.#handle(handle);
    return shown(this.#home.getattr(this.#node(node), inner, caller), this.#attributes);
  }

  setattr(
    node: NodeId,
    handle: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Eventually<AttributesAnswer> {
    const inner = handle === undefined ? undefined : this.#handle(handle);
    return shown(this.#home.setattr(this.#node(node), inner, changes, caller), this.#attributes);
  }

  clearSetId(node: NodeId, caller: Caller): Eventually<void> {
    return this.#home.clearSetId(this.#node(node), caller);
  }

  readlink(node: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#home.readlink(this.#node(node), caller);
  }

  access(node: NodeId, mask: number, caller: Caller): Eventually<void> {
    return this.#home.access(this.#node(node), mask, caller);
  }

  getxattr(node: NodeId, name: Buffer, caller: Caller): Eventually<Buffer> {
    return this.#home.getxattr(this.#node(node), name, caller);
  }

  listxattr(node: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#home.listxattr(this.#node(node), caller);
  }

  setxattr(node: NodeId, name: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void> {
    return this.#home.setxattr(this.#node(node), name, value, flags, caller);
  }

  removexattr(node: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#home.removexattr(this.#node(node), name, caller);
  }

  // Files

  open(node: NodeId, flags: number, caller: Caller): Eventually<OpenAnswer> {
    return shown(this.#home.open(this.#node(node), flags, caller), this.#opened);
  }

  create(parent: NodeId, name: Buffer, flags: number, mode: number, caller: Caller): Eventually<Created> {
    return shown(this.#home.create(this.#node(parent), name, flags, mode, caller), this.#created);
  }

  tmpfile(parent: NodeId, flags: number, mode: number, caller: Caller): Eventually<Created> {
    return shown(this.#home.tmpfile(this.#node(parent), flags, mode, caller), this.#created);
  }

  read(
    node: NodeId,
    handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void> {
    return this.#home.read(this.#node(node), this.#handle(handle), offset, length, reply, caller);
  }

  write(
    node: NodeId,
    handle: HandleId,
    offset: number,
    data: Buffer,
    fromCache: boolean,
    caller: Caller,
  ): Eventually<number> {
    return this.#home.write(this.#node(node), this.#handle(handle), offset, data, fromCache, caller);
  }

  allocate(
    node: NodeId,
    handle: HandleId,
    mode: number,
    offset: number,
    length: number,
    caller: Caller,
  ): Eventually<void> {
    return this.#home.allocate(this.#node(node), this.#handle(handle), mode, offset, length, caller);
  }

  copy(
    handle: HandleId,
    offset: number,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    caller: Caller,
  ): Eventually<number> {
    const [from, to] = [this.#handle(handle), this.#handle(targetHandle)];
    return this.#home.copy(from, offset, to, targetOffset, length, caller);
  }

  seek(
    node: NodeId,
    handle: HandleId,
    offset: number,
    what: 'data' | 'hole',
    caller: Caller,
  ): Eventually<number> {
    return this.#home.seek(this.#node(node), this.#handle(handle), offset, what, caller);
  }

  flush(node: NodeId, handle: HandleId, lockOwner: bigint | undefined, caller: Caller): Eventually<void> {
    return this.#home.flush(this.#node(node), this.#handle(handle), lockOwner, caller);
  }

  fsync(node: NodeId, handle: HandleId, dataOnly: boolean, caller: Caller): Eventually<void> {
    return this.#home.fsync(this.#node(node), this.#handle(handle), dataOnly, caller);
  }

  release(node: NodeId, handle: HandleId): Eventually<void> {
    return this.#home.release(this.#node(node), this.#handle(handle));
  }

  getlk(node: NodeId, handle: HandleId, wanted: WantedLock, caller: Caller): Eventually<Lock | undefined> {
    return this.#home.getlk(this.#node(node), this.#handle(handle), wanted, caller);
  }

  setlk(node: NodeId, handle: HandleId, wanted: WantedLock, wait: boolean, caller: Caller): Eventually<void> {
    return this.#home.setlk(this.#node(node), this.#handle(handle), wanted, wait, caller);
  }

  // Directories

  opendir(node: NodeId, caller: Caller): Eventually<OpenAnswer> {
    return shown(this.#home.opendir(this.#node(node), caller), this.#opened);
  }

  readdir(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    const outer: EntrySink = (entry, resolved) =>
      sink(
        { ...entry, ino: this.#ino(entry.ino) },
        resolved === undefined ? undefined : this.#entry(resolved),
      );
    return this.#home.readdir(this.#node(node), this.#handle(handle), offset, plus, outer, caller);
  }

  fsyncdir(node: NodeId, handle: HandleId, caller: Caller): Eventually<void> {
    return this.#home.fsyncdir(this.#node(node), this.#handle(handle), caller);
  }

  releasedir(node: NodeId, handle: HandleId): Eventually<void> {
    return this.#home.releasedir(this.#node(node), this.#handle(handle));
  }

  // The whole

  statfs(node: NodeId, caller: Caller): Eventually<FilesystemStatus> {
    return this.#home.statfs(this.#node(node), caller);
  }

  destroy(): Promise<void> {
    return this.#home.destroy();
  }
}

/** The answer as it is shown, now or later. */
function shown<T>(answer: Eventually<T>, show: (answer: T) => T): Eventually<T> {
  return answer instanceof Promise ? answer.then(show) : show(answer);
}

/** The kernel's caches, for a home that calls nodes by numbers of its own. */
export function numberedCaches(caches: KernelCaches, numbers: HomeNumbers): KernelCaches {
  return {
    invalidateNode: (node, offset, length) => caches.invalidateNode(numbers.outerNode(node), offset, length),
    invalidateEntry: (parent, name, drop) => caches.invalidateEntry(numbers.outerNode(parent), name, drop),
    prune: (nodes) => caches.prune(nodes.map((node) => numbers.outerNode(node))),
    settled: (of) => caches.settled(of),
    get acted() {
      return caches.acted;
    },
    get mapsDirect() {
      return caches.mapsDirect;
    },
  };
}

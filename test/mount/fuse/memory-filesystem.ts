/**
 * A small file system in memory, for tests of the kernel protocol: what a driver may ask, done in the simplest way.
 * Everything answers synchronously, but for three things: reading '/hang' waits until the read is interrupted, mkdir of 'slow'
 * and writing to '/slow-file' until proceed() is called. And nothing fails as on a broken disk, but for chmod to BROKEN_MODE.
 */
import { FALLOC_FL_KEEP_SIZE, O_TRUNC } from '../../../posix/flags.js';
import { Failure } from '../../../protocol/failure.js';
import { handleId, nodeId, ROOT_NODE, type HandleId, type NodeId } from '../../../protocol/ids.js';
import type {
  AttributeChanges,
  AttributesAnswer,
  Caller,
  DirectoryEntry,
  Entry,
  EntrySink,
  Filesystem,
  FilesystemStatus,
  NegativeEntry,
  NodeAttributes,
  OpenAnswer,
  Time,
} from '../../../mount/operations.js';

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
export const BROKEN_MODE = 0o751;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

interface Node {
  readonly id: NodeId;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  readonly rdev: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
  size: number;
  /** Of a regular file: at least `size` bytes; of a symlink: its target. */
  data: Buffer;
  /** Of a directory. Keys are names as latin1, so that any bytes are kept. */
  readonly children: Map<string, Node>;
  readonly xattrs: Map<string, Buffer>;
}

function now(): Time {
  const ms = Date.now();
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1e6 };
}

export interface MemoryOptions {
  /** For how long the kernel may believe what it is told (milliseconds). */
  readonly validMs: number;
  /** Called when an operation has begun to wait. */
  onHang?(): void;
}

export class MemoryFilesystem implements Filesystem {
  readonly #options: MemoryOptions;
  readonly #nodes = new Map<NodeId, Node>();
  readonly #listings = new Map<HandleId, DirectoryEntry[]>();
  #nextNode = 1;
  #nextHandle = 1;
  /** Handles that are open now. */
  readonly handles = new Set<HandleId>();
  destroyed = false;
  /** Lets a waiting mkdir or write go on. */
  proceed = () => {};

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#make(S_IFDIR | 0o777, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  }

  #make(mode: number, owner: { uid: number; gid: number }, rdev = 0, data: Buffer = Buffer.alloc(0)): Node {
    const time = now();
    const node: Node = {
      id: nodeId(this.#nextNode++),
      mode,
      uid: owner.uid,
      gid: owner.gid,
      nlink: (mode & S_IFMT) === S_IFDIR ? 2 : 1,
      rdev,
      atime: time,
      mtime: time,
      ctime: time,
      size: data.length,
      data,
      children: new Map(),
      xattrs: new Map(),
    };
    this.#nodes.set(node.id, node);
    return node;
  }

  #node(id: NodeId): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Failure('ESTALE');
    return node;
  }

  #child(parent: NodeId, name: Buffer): Node {
    const child = this.#node(parent).children.get(name.toString('latin1'));
    if (child === undefined) throw new Failure('ENOENT');
    return child;
  }

  #attributes(node: Node): NodeAttributes {
    const { mode, nlink, uid, gid, rdev, size, atime, mtime, ctime } = node;
    const blocks = Math.ceil(size / 512);
    return { ino: BigInt(node.id), mode, nlink, uid, gid, rdev, size, blocks, atime, mtime, ctime };
  }

  #answer(node: Node): AttributesAnswer {
    return { attributes: this.#attributes(node), validMs: this.#options.validMs };
  }

  #entry(node: Node): Entry {
    return { ...this.#answer(node), nodeId: node.id, generation: 0n, entryValidMs: this.#options.validMs };
  }

  #add(parent: NodeId, name: Buffer, node: Node): void {
    const directory = this.#node(parent);
    const key = name.toString('latin1');
    if (directory.children.has(key)) throw new Failure('EEXIST');
    directory.children.set(key, node);
    directory.mtime = now();
  }

  #drop(node: Node): void {
    node.nlink--;
    node.ctime = now();
  }

  #opened(): OpenAnswer {
    const handle = handleId(this.#nextHandle++);
    this.handles.add(handle);
    return { handle, keepCache: false };
  }

  lookup(parent: NodeId, name: Buffer): Entry | NegativeEntry {
    const child = this.#node(parent).children.get(name.toString('latin1'));
    if (child === undefined) return { nodeId: undefined, entryValidMs: this.#options.validMs };
    return this.#entry(child);
  }

  forget(node: NodeId): void {
    const found = this.#nodes.get(node);
    if (found?.nlink === 0) this.#nodes.delete(node);
  }

  getattr(node: NodeId): AttributesAnswer {
    return this.#answer(this.#node(node));
  }

  setattr(id: NodeId, _handle: HandleId | undefined, changes: AttributeChanges): AttributesAnswer {
    const node = this.#node(id);
    if (changes.mode === BROKEN_MODE) throw new Failure('EIO');
    if (changes.mode !== undefined) node.mode = (node.mode & S_IFMT) | changes.mode;
    if (changes.uid !== undefined) node.uid = changes.uid;
    if (changes.gid !== undefined) node.gid = changes.gid;
    if (changes.size !== undefined) this.#resize(node, changes.size);
    if (changes.atime !== undefined) node.atime = changes.atime === 'now' ? now() : changes.atime;
    if (changes.mtime !== undefined) node.mtime = changes.mtime === 'now' ? now() : changes.mtime;
    node.ctime = now();
    return this.#answer(node);
  }

  clearSetId(id: NodeId): void {
    this.#node(id).mode &= ~0o6000;
  }

  getxattr(id: NodeId, name: Buffer): Buffer {
    const value = this.#node(id).xattrs.get(name.toString('latin1'));
    if (value === undefined) throw new Failure('ENODATA');
    return value;
  }

  listxattr(id: NodeId): Buffer {
    return Buffer.from([...this.#node(id).xattrs.keys()].map((key) => `${key}\0`).join(''), 'latin1');
  }

  setxattr(id: NodeId, name: Buffer, value: Buffer): void {
    this.#node(id).xattrs.set(name.toString('latin1'), Buffer.from(value));
  }

  removexattr(id: NodeId, name: Buffer): void {
    if (!this.#node(id).xattrs.delete(name.toString('latin1'))) throw new Failure('ENODATA');
  }

  #resize(node: Node, size: number): void {
    if (size > node.data.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * node.data.length));
      node.data.copy(larger, 0, 0, node.size);
      node.data = larger;
    } else if (size < node.size) {
      node.data.fill(0, size, node.size);
    }
    node.size = size;
    node.mtime = now();
  }

  readlink(node: NodeId): Buffer {
    return this.#node(node).data;
  }

  mknod(parent: NodeId, name: Buffer, mode: number, rdev: number, caller: Caller): Entry {
    const node = this.#make(mode, caller, rdev);
    this.#add(parent, name, node);
    return this.#entry(node);
  }

  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Entry | Promise<Entry> {
    if (name.toString() !== 'slow') return this.#mkdir(parent, name, mode, caller);
    this.#options.onHang?.();
    return new Promise((resolve) => {
      this.proceed = () => resolve(this.#mkdir(parent, name, mode, caller));
    });
  }

  #mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Entry {
    const node = this.#make(S_IFDIR | mode, caller);
    this.#add(parent, name, node);
    return this.#entry(node);
  }

  unlink(parent: NodeId, name: Buffer): void {
    this.#drop(this.#child(parent, name));
    this.#node(parent).children.delete(name.toString('latin1'));
  }

  rmdir(parent: NodeId, name: Buffer): void {
    const directory = this.#child(parent, name);
    if (directory.children.size > 0) throw new Failure('ENOTEMPTY');
    this.unlink(parent, name);
  }

  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Entry {
    const node = this.#make(S_IFLNK | 0o777, caller, 0, target);
    this.#add(parent, name, node);
    return this.#entry(node);
  }

  rename(parent: NodeId, name: Buffer, newParent: NodeId, newName: Buffer, flags: number): void {
    const moved = this.#child(parent, name);
    const from = this.#node(parent).children;
    const to = this.#node(newParent).children;
    const replaced = to.get(newName.toString('latin1'));
    if (replaced !== undefined && flags & RENAME_NOREPLACE) throw new Failure('EEXIST');
    if (flags & RENAME_EXCHANGE) {
      if (replaced === undefined) throw new Failure('ENOENT');
      from.set(name.toString('latin1'), replaced);
    } else {
      if (replaced !== undefined) this.#drop(replaced);
      from.delete(name.toString('latin1'));
    }
    to.set(newName.toString('latin1'), moved);
  }

  link(id: NodeId, newParent: NodeId, newName: Buffer): Entry {
    const node = this.#node(id);
    this.#add(newParent, newName, node);
    node.nlink++;
    return this.#entry(node);
  }

  access(node: NodeId): void {
    this.#node(node);
  }

  open(id: NodeId, flags: number): OpenAnswer {
    const node = this.#node(id);
    if (flags & O_TRUNC) this.#resize(node, 0);
    return this.#opened();
  }

  create(
    parent: NodeId,
    name: Buffer,
    _flags: number,
    mode: number,
    caller: Caller,
  ): { entry: Entry; opened: OpenAnswer } {
    const entry = this.mknod(parent, name, S_IFREG | mode, 0, caller);
    return { entry, opened: this.#opened() };
  }

  read(
    id: NodeId,
    _handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): void | Promise<void> {
    const node = this.#node(id);
    if (this.#node(ROOT_NODE).children.get('hang') === node) return this.#hang(caller);
    const middle = offset + Math.floor(length / 2);
    // Two pieces, because real answers have several.
    reply([
      node.data.subarray(Math.min(offset, node.size), Math.min(middle, node.size)),
      node.data.subarray(Math.min(middle, node.size), Math.min(offset + length, node.size)),
    ]);
    return undefined;
  }

  #hang(caller: Caller): Promise<void> {
    this.#options.onHang?.();
    return new Promise((_, reject) => {
      caller.signal?.addEventListener('abort', () => reject(new Failure('EINTR')));
    });
  }

  write(id: NodeId, _handle: HandleId, offset: number, data: Buffer): number | Promise<number> {
    const node = this.#node(id);
    if (this.#node(ROOT_NODE).children.get('slow-file') !== node) return this.#write(node, offset, data);
    const copy = Buffer.from(data);
    this.#options.onHang?.();
    return new Promise((resolve) => {
      this.proceed = () => resolve(this.#write(node, offset, copy));
    });
  }

  #write(node: Node, offset: number, data: Buffer): number {
    if (offset + data.length > node.size) this.#resize(node, offset + data.length);
    data.copy(node.data, offset);
    node.mtime = now();
    return data.length;
  }

  allocate(id: NodeId, _handle: HandleId, mode: number, offset: number, length: number): void {
    const node = this.#node(id);
    const end = offset + length;
    if ((mode & ~FALLOC_FL_KEEP_SIZE) !== 0) node.data.fill(0, offset, Math.min(end, node.size));
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && end > node.size) this.#resize(node, end);
    node.mtime = now();
  }

  tmpfile(
    _parent: NodeId,
    _flags: number,
    mode: number,
    caller: Caller,
  ): { entry: Entry; opened: OpenAnswer } {
    const node = this.#make(S_IFREG | mode, caller);
    node.nlink = 0;
    return { entry: this.#entry(node), opened: this.#opened() };
  }

  copy(): number {
    throw new Failure('EOPNOTSUPP');
  }

  seek(id: NodeId, _handle: HandleId, offset: number, what: 'data' | 'hole'): number {
    const { size } = this.#node(id);
    if (offset >= size) throw new Failure('ENXIO');
    return what === 'data' ? offset : size;
  }

  flush(): void {}

  /** Locks are nobody's here. */
  getlk(): undefined {}

  setlk(): void {}

  fsync(): void {}

  release(_node: NodeId, handle: HandleId): void {
    this.handles.delete(handle);
  }

  opendir(id: NodeId): OpenAnswer {
    const node = this.#node(id);
    const opened = this.#opened();
    const entries: DirectoryEntry[] = [];
    const list = (name: string, child: Node) =>
      entries.push({
        name: Buffer.from(name, 'latin1'),
        ino: BigInt(child.id),
        type: child.mode & S_IFMT,
        offset: BigInt(entries.length + 1),
      });
    list('.', node);
    list('..', node);
    for (const [name, child] of node.children) list(name, child);
    this.#listings.set(opened.handle, entries);
    return opened;
  }

  readdir(node: NodeId, handle: HandleId, offset: bigint, plus: boolean, sink: EntrySink): void {
    const entries = this.#listings.get(handle) ?? [];
    for (let i = Number(offset); i < entries.length; i++) {
      const entry = entries[i];
      if (entry === undefined) return;
      const child = plus ? this.#node(node).children.get(entry.name.toString('latin1')) : undefined;
      if (!sink(entry, child && this.#entry(child))) return;
    }
  }

  fsyncdir(): void {}

  releasedir(_node: NodeId, handle: HandleId): void {
    this.handles.delete(handle);
    this.#listings.delete(handle);
  }

  statfs(): FilesystemStatus {
    return {
      blockSize: 4096,
      blocks: 1000n,
      blocksFree: 500n,
      files: 100n,
      filesFree: 50n,
      nameMax: 255,
    };
  }

  destroy(): Promise<void> {
    this.destroyed = true;
    return Promise.resolve();
  }
}

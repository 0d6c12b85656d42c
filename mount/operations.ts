/**
 * What a driver (the kernel protocol in mount/fuse, or fuse-native) may ask of a file system.
 *
 * The interface follows the kernel's own view (nodeids with lookup counts, handles), because the path-based
 * view can be built on it and not the other way round. Every operation settles once: by its value, or by
 * throwing (rejecting with) a Failure whose kind has an errno. Operations may answer synchronously; a driver
 * must not assume that they do not.
 */
import type { Lock, LockKind } from '../protocol/file-locks.js';
import type { HandleId, NodeId } from '../protocol/ids.js';

/** The part of an AbortSignal that operations use; a driver may have something cheaper. */
export interface InterruptSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Who asks: the credentials of the calling process, and a signal that fires when the call is interrupted. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Of who makes something, where the driver tells it; the kernel has applied it, but where the mount has ACLs. */
  readonly umask?: number | undefined;
  /** Aborts when the kernel sends FUSE_INTERRUPT; undefined where the driver cannot tell. */
  readonly signal?: InterruptSignal | undefined;
}

/** A point in time: whole seconds since 1970 (may be negative) and nanoseconds 0..999,999,999. */
export interface Time {
  readonly sec: number;
  readonly nsec: number;
}

/** The attributes as stat(2) reports them in the mount: uid, gid and mode are already mapped. */
export interface NodeAttributes {
  readonly ino: bigint;
  /** File type and permission bits, as st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Bytes; below 2^53. */
  readonly size: number;
  /** 512-byte units. */
  readonly blocks: number;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
  /** When the file was made, in nanoseconds since 1970; undefined where that is not known. */
  readonly birth?: bigint | undefined;
}

/** Attributes and for how long (milliseconds) the kernel may use them without asking. */
export interface AttributesAnswer {
  readonly attributes: NodeAttributes;
  readonly validMs: number;
}

/** A name resolved. Each answered Entry with a nodeId adds one to the node's lookup count (see forget). */
export interface Entry extends AttributesAnswer {
  readonly nodeId: NodeId;
  readonly generation: bigint;
  readonly entryValidMs: number;
}

/** A name that does not exist, and for how long (milliseconds) the kernel may believe so. */
export interface NegativeEntry {
  readonly nodeId: undefined;
  readonly entryValidMs: number;
}

export interface OpenAnswer {
  readonly handle: HandleId;
  /** The kernel may keep its cached pages of this file (FOPEN_KEEP_CACHE) or listing of this directory. */
  readonly keepCache: boolean;
  /** Files: reads and writes go past the page cache (FOPEN_DIRECT_IO). */
  readonly direct?: boolean;
  /** Directories: the kernel may cache the listing (FOPEN_CACHE_DIR). */
  readonly cacheDirectory?: boolean;
}

/** What setattr changes; absent means unchanged. 'now' is the server's clock. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Time | 'now';
  readonly mtime?: Time | 'now';
}

/** One entry of a directory listing. `offset` is the cookie that continues after this entry. */
export interface DirectoryEntry {
  readonly name: Buffer;
  readonly ino: bigint;
  /** File type bits of st_mode (S_IFMT). */
  readonly type: number;
  readonly offset: bigint;
}

/** A lock that is asked for through an open file. The owner is the kernel's number of a process or of an open file. */
export interface WantedLock {
  readonly owner: bigint;
  readonly kind: LockKind;
  readonly lock: Lock;
}

/** statfs(2) figures in units of `blockSize` bytes. */
export interface FilesystemStatus {
  readonly blockSize: number;
  readonly blocks: bigint;
  readonly blocksFree: bigint;
  readonly files: bigint;
  readonly filesFree: bigint;
  readonly nameMax: number;
}

/** A value now or later. */
export type Eventually<T> = T | Promise<T>;

/**
 * Receives listing entries. Returns false when the reply is full: that entry was not taken, and must be
 * the first of the next call. With `plus`, the sink needs an Entry for each name (and its lookup is counted
 * only if taken; '.' and '..' are listed without one).
 */
export type EntrySink = (entry: DirectoryEntry, resolved?: Entry) => boolean;

export interface Filesystem {
  /**
   * '.' is asked for by a file handle: it leads to the node itself, which need be no directory, nor be known any more; '..' to
   * the directory that it is in. ESTALE.
   */
  lookup(parent: NodeId, name: Buffer, caller: Caller): Eventually<Entry | NegativeEntry>;
  /** Gives back `count` lookups of a node; at zero the node may be forgotten. Never fails. */
  forget(node: NodeId, count: bigint): void;
  getattr(node: NodeId, handle: HandleId | undefined, caller: Caller): Eventually<AttributesAnswer>;
  setattr(
    node: NodeId,
    handle: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Eventually<AttributesAnswer>;
  /**
   * Takes the set-id bits of a file that is about to be written to or truncated by somebody who may not keep them. A change
   * of the owner takes them by itself.
   */
  clearSetId(node: NodeId, caller: Caller): Eventually<void>;
  readlink(node: NodeId, caller: Caller): Eventually<Buffer>;
  mknod(parent: NodeId, name: Buffer, mode: number, rdev: number, caller: Caller): Eventually<Entry>;
  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Eventually<Entry>;
  unlink(parent: NodeId, name: Buffer, caller: Caller): Eventually<void>;
  rmdir(parent: NodeId, name: Buffer, caller: Caller): Eventually<void>;
  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Eventually<Entry>;
  /** `flags` as renameat2(2): RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4. */
  rename(
    parent: NodeId,
    name: Buffer,
    newParent: NodeId,
    newName: Buffer,
    flags: number,
    caller: Caller,
  ): Eventually<void>;
  link(node: NodeId, newParent: NodeId, newName: Buffer, caller: Caller): Eventually<Entry>;
  /** The value of an extended attribute, by its whole name. EOPNOTSUPP for names of a kind that is not kept; ENODATA. */
  getxattr(node: NodeId, name: Buffer, caller: Caller): Eventually<Buffer>;
  /** The names, a zero byte behind each. */
  listxattr(node: NodeId, caller: Caller): Eventually<Buffer>;
  /** `flags` as setxattr(2). `value` is valid only until the call returns (not until it settles). */
  setxattr(node: NodeId, name: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void>;
  removexattr(node: NodeId, name: Buffer, caller: Caller): Eventually<void>;
  /** `mask` as access(2). */
  access(node: NodeId, mask: number, caller: Caller): Eventually<void>;
  /** `flags` as open(2) on Linux x86-64 (asm-generic). */
  open(node: NodeId, flags: number, caller: Caller): Eventually<OpenAnswer>;
  create(
    parent: NodeId,
    name: Buffer,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }>;
  /** Makes a regular file without a name; link() may give it one. EOPNOTSUPP. */
  tmpfile(
    parent: NodeId,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }>;
  /**
   * Reads up to `length` bytes; fewer only at the end of the file. `reply` is called exactly once on success,
   * and the pieces it gets are valid only during that call; the operation then settles.
   */
  read(
    node: NodeId,
    handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void>;
  /**
   * `data` is valid only until the call returns (not until it settles). `fromCache`: the kernel writes a page of its cache
   * back; the handle is one of the file's, maybe of another program, and whether that appends does not count. Answers the
   * bytes written.
   */
  write(
    node: NodeId,
    handle: HandleId,
    offset: number,
    data: Buffer,
    fromCache: boolean,
    caller: Caller,
  ): Eventually<number>;
  /** `mode` as fallocate(2). `length`: at least 1. */
  allocate(
    node: NodeId,
    handle: HandleId,
    mode: number,
    offset: number,
    length: number,
    caller: Caller,
  ): Eventually<void>;
  /** Copies a range between files, or within one. Answers the bytes copied: 0 only where the source ends. */
  copy(
    handle: HandleId,
    offset: number,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    caller: Caller,
  ): Eventually<number>;
  /** Where from `offset` on the next data begin, or the next hole, as lseek(2) says. ENXIO. */
  seek(
    node: NodeId,
    handle: HandleId,
    offset: number,
    what: 'data' | 'hole',
    caller: Caller,
  ): Eventually<number>;
  /**
   * On each close(2): reports what failed in writing until now, and gives back the POSIX locks that `lockOwner` has of the file;
   * undefined where the driver keeps locks itself.
   */
  flush(node: NodeId, handle: HandleId, lockOwner: bigint | undefined, caller: Caller): Eventually<void>;
  fsync(node: NodeId, handle: HandleId, dataOnly: boolean, caller: Caller): Eventually<void>;
  /** The last descriptor is closed: gives back what was locked through it. */
  release(node: NodeId, handle: HandleId): Eventually<void>;
  /** F_GETLK: a POSIX lock of another owner that is in the way. */
  getlk(node: NodeId, handle: HandleId, wanted: WantedLock, caller: Caller): Eventually<Lock | undefined>;
  /** Takes a lock, or gives it back. With `wait` EINTR by any signal of the caller; without it EAGAIN. */
  setlk(node: NodeId, handle: HandleId, wanted: WantedLock, wait: boolean, caller: Caller): Eventually<void>;
  opendir(node: NodeId, caller: Caller): Eventually<OpenAnswer>;
  /** Lists from after the entry whose `offset` is given (0: from the start) until the sink is full or the end. */
  readdir(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void>;
  fsyncdir(node: NodeId, handle: HandleId, caller: Caller): Eventually<void>;
  releasedir(node: NodeId, handle: HandleId): Eventually<void>;
  /** Of the home that the node is in. */
  statfs(node: NodeId, caller: Caller): Eventually<FilesystemStatus>;
  /** The mount has ended (or is about to): write back everything, close the connection. */
  destroy(): Promise<void>;
}

/**
 * What a file system may tell the kernel about its caches. All are hints that never fail; a driver that cannot
 * (fuse-native) ignores them. The kernel takes a directory's lock to drop its names, and a page's lock to drop the page: who
 * waits for settled() must not hold up the answer of an operation that holds that lock.
 */
export interface KernelCaches {
  /** Drops cached attributes and, from `offset` on, `length` cached bytes (0: to the end; offset < 0: none). */
  invalidateNode(node: NodeId, offset: number, length: number): void;
  /**
   * Has the kernel ask for one name (positive or negative) of a directory again. `drop`: it is not to keep it for who works in
   * it either.
   */
  invalidateEntry(parent: NodeId, name: Buffer, drop?: boolean): void;
  /** Forgets those that no program uses. Kernels before 6.18 do not. */
  prune(nodes: readonly NodeId[]): void;
  /**
   * Resolves when the kernel has acted on all that was told it until now; of 'attributes', on what drops nothing else, for which it
   * waits for no lock.
   */
  settled(of?: 'attributes'): Promise<void>;
  /** Moves as it acts on what it was told; not by what goes ahead of what waits for a lock. */
  readonly acted: number;
  /** Whether a file that is open past the page cache (OpenAnswer.direct) can be mapped shared (mmap(2)). */
  readonly mapsDirect: boolean;
}

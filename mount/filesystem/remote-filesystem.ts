/**
 * A home as a file system: the operations of operations.ts over the Remote. This file ties the parts together and has
 * the operations on a single node; names.ts, files.ts and directories.ts have the others.
 *
 * What is fresh is answered synchronously, in the call: a hop to the kernel costs 45 us, a promise on top is waste.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { packChanges } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { remotePath, ROOT_PATH, type HandleId, type NodeId, type RemotePath } from '../../protocol/ids.js';
import { MAX_NAME } from '../../protocol/limits.js';
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../posix/flags.js';
import type { Remote } from '../remote.js';
import { Directories } from './directories.js';
import { Files, type LossLog } from './files.js';
import { kernelValidity, type Clock } from './freshness.js';
import { Invalidation } from './invalidation.js';
import { Listings } from './listing.js';
import { MountState } from './mount-state.js';
import { Names } from './names.js';
import { keyOf, NodeTable, type Node } from './nodes.js';
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
} from './operations.js';
import { OutOfReach } from './out-of-reach.js';
import { checkAccess, checkOwner, type Ownership } from './ownership.js';
import { Resolution, type Absent } from './resolution.js';
import type { Name } from './nodes.js';
import { SecondTries } from './second-tries.js';
import { WriteBehind } from './write-behind.js';

export interface RemoteFilesystemOptions {
  /** Connected. */
  readonly remote: Remote;
  /** Of the directory that is mounted: what mountedDirectory() gave. */
  readonly root: { readonly path: RemotePath; readonly attributes: Attributes };
  readonly caches: KernelCaches;
  readonly ownership: Ownership;
  readonly log: LossLog;
  /** The kernel checks permissions by the mode bits (default_permissions), and asks for attributes to do so. */
  readonly kernelChecks: boolean;
  /** Milliseconds, monotonic. */
  readonly clock?: Clock;
}

/** How long the figures of statfs are believed, where nothing was asked of the server since (milliseconds). */
const STATUS_MS = 1_000;
const STATUS_BLOCK = 4096;
const UNKNOWN_STATUS: FilesystemStatus = {
  blockSize: STATUS_BLOCK,
  blocks: 0n,
  blocksFree: 0n,
  files: 0n,
  filesFree: 0n,
  nameMax: MAX_NAME,
};

/** How long the end of a mount waits for what is not written (milliseconds). */
const DESTROY_MS = 30_000;

/**
 * The attributes of a directory of the home, which is to be mounted. `home` are those of the home itself. Throws
 * ENOENT, and ENOTDIR where it is no directory.
 */
export function mountedDirectory(
  remote: Remote,
  home: Attributes,
  path: RemotePath = ROOT_PATH,
): Promise<RemoteFilesystemOptions['root']> {
  if (path.length === 0) return Promise.resolve({ path, attributes: home });
  return new Promise((resolve, reject) => {
    remote.request('getattr', [path], undefined, (failure, attributes) => {
      if (failure?.kind === 'ENOENT') {
        reject(new Failure('ENOENT', `there is no ${path.toString()} on the server: ftpctl mkdir makes it`));
      } else if (attributes === undefined) reject(failure ?? new Failure('EIO'));
      else if ((attributes.mode & S_IFMT) !== S_IFDIR) {
        reject(new Failure('ENOTDIR', `${path.toString()} on the server is not a directory`));
      } else resolve({ path: remotePath(Buffer.from(path)), attributes });
    });
  });
}

export class RemoteFilesystem implements Filesystem {
  readonly #mount: MountState;
  readonly #resolution: Resolution;
  readonly #secondTries: SecondTries;
  readonly #names: Names;
  readonly #files: Files;
  readonly #directories: Directories;
  readonly #writes: WriteBehind;
  readonly #outOfReach: OutOfReach;
  #status: { readonly at: number; readonly sequence: number; readonly figures: FilesystemStatus } | undefined;

  constructor(options: RemoteFilesystemOptions) {
    const { remote, root, caches, ownership, log, kernelChecks, clock = () => performance.now() } = options;
    const nodes = new NodeTable(root.attributes, root.path, clock());
    const mount = new MountState({ remote, nodes, caches, ownership, clock, kernelChecks });
    const listings = new Listings(mount);
    this.#mount = mount;
    this.#resolution = new Resolution(mount, listings);
    this.#names = new Names(mount, this.#resolution);
    this.#directories = new Directories(mount, listings);
    this.#writes = new WriteBehind(remote, {
      written: (node, attributes, sequence) => mount.learn(node, attributes, sequence, true),
      failed: (node) => {
        node.doubt(remote.sequence);
        mount.dataChanged(node);
      },
    });
    this.#secondTries = new SecondTries(mount, this.#resolution);
    this.#files = new Files(mount, this.#names, this.#writes, this.#secondTries, log);
    this.#outOfReach = new OutOfReach(remote);
    const invalidation = new Invalidation(mount, this.#names);
    remote.listen({
      changed: (changes) => invalidation.changed(changes),
      lost: () => {
        invalidation.everything();
        this.#outOfReach.lost();
      },
    });
  }

  // Names

  lookup(parent: NodeId, name: Buffer, caller: Caller): Eventually<Entry | NegativeEntry> {
    const directory = this.#mount.nodes.getDirectory(parent);
    const key = keyOf(name);
    const found =
      this.#secondTries.lookup(directory, key, caller) ?? this.#resolution.lookup(directory, key, caller);
    return found instanceof Promise ? found.then(this.#toEntry) : this.#toEntry(found);
  }

  readonly #toEntry = (found: Name | Absent): Entry | NegativeEntry =>
    found.node === undefined
      ? { nodeId: undefined, entryValidMs: kernelValidity(found.confirmedAt, this.#mount.now()) }
      : this.#mount.entry(found.node, found.confirmedAt);

  forget(node: NodeId, count: bigint): void {
    const forgotten = this.#mount.nodes.forget(node, count);
    if (forgotten !== undefined) this.#secondTries.forgotten(forgotten);
  }

  mknod(parent: NodeId, name: Buffer, mode: number, _rdev: number, caller: Caller): Eventually<Entry> {
    return this.#names.mknod(this.#mount.nodes.getDirectory(parent), name, mode, caller);
  }

  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Eventually<Entry> {
    return this.#names.mkdir(this.#mount.nodes.getDirectory(parent), name, mode, caller);
  }

  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Eventually<Entry> {
    return this.#names.symlink(this.#mount.nodes.getDirectory(parent), name, target, caller);
  }

  link(node: NodeId, newParent: NodeId, newName: Buffer, caller: Caller): Eventually<Entry> {
    const { nodes } = this.#mount;
    return this.#names.link(nodes.get(node), nodes.getDirectory(newParent), newName, caller);
  }

  unlink(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#names.remove('unlink', this.#mount.nodes.getDirectory(parent), name, caller);
  }

  rmdir(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#names.remove('rmdir', this.#mount.nodes.getDirectory(parent), name, caller);
  }

  rename(
    parent: NodeId,
    name: Buffer,
    newParent: NodeId,
    newName: Buffer,
    flags: number,
    caller: Caller,
  ): Eventually<void> {
    const { nodes } = this.#mount;
    const from = nodes.getDirectory(parent);
    return this.#names.rename(from, name, nodes.getDirectory(newParent), newName, flags, caller);
  }

  // One node

  getattr(id: NodeId, _handle: HandleId | undefined, caller: Caller): Eventually<AttributesAnswer> {
    const { nodes } = this.#mount;
    const node = nodes.get(id);
    const refresh = (): Eventually<void> => this.#resolution.refresh(node, caller);
    const refreshed = node === nodes.root ? this.#outOfReach.orKnown(refresh, () => undefined) : refresh();
    if (!(refreshed instanceof Promise)) return this.#mount.answer(node);
    return refreshed.then(
      () => this.#mount.answer(node),
      (failure: unknown) => {
        this.#secondTries.failed(failure, caller);
        throw failure;
      },
    );
  }

  setattr(
    id: NodeId,
    handle: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Eventually<AttributesAnswer> {
    const node = this.#mount.nodes.get(id);
    checkOwner(changes, this.#mount.ownership);
    const { mode, size, atime, mtime } = changes;
    if (mode === undefined && size === undefined && atime === undefined && mtime === undefined) {
      return this.getattr(id, handle, caller);
    }
    return this.#setattr(node, handle, changes, caller);
  }

  async #setattr(
    node: Node,
    id: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Promise<AttributesAnswer> {
    const { mode, size, atime, mtime } = changes;
    const wire = packChanges({
      ...(mode === undefined ? {} : { mode: mode & 0o7777 }),
      ...(size === undefined ? {} : { size }),
      ...(atime === undefined ? {} : { atime }),
      ...(mtime === undefined ? {} : { mtime }),
    });
    const open = await this.#handleFor(node, id);
    // Sent before, so that the times of the writes do not come after those that are set.
    this.#writes.send(node);
    const { file } = node;
    const touchesData = file !== undefined && (size !== undefined || mtime !== undefined);
    if (touchesData) file.ownChanges++;
    const { nodes } = this.#mount;
    const received = (attributes: Attributes, sequence: number): AttributesAnswer => {
      // By path it may have met a file that took the name meanwhile.
      if (attributes.ino !== node.ino || attributes.birth !== node.birth) throw new Failure('ESTALE');
      this.#mount.learn(node, attributes, sequence, true);
      if (size !== undefined) {
        this.#writes.truncated(node, size);
        for (const each of file?.handles ?? []) each.readAhead?.drop();
      }
      return this.#mount.answer(node);
    };
    const options = { failed: (_failure: Failure, sequence: number) => node.doubt(sequence) };
    try {
      return await (open === undefined
        ? this.#mount.ask('setattr', () => [pathOf(nodes, node), wire], caller, received, options)
        : this.#mount.ask('fsetattr', () => [open, wire], caller, received, options));
    } finally {
      if (touchesData) file.ownChanges--;
    }
  }

  /** The open file by which a change goes: the caller's own for writing, or any where the file has no name any more. */
  async #handleFor(node: Node, id: HandleId | undefined) {
    const own = id === undefined ? undefined : this.#files.handle(id);
    if (own?.writable === true) return own.remoteFile();
    if (node.names.length > 0 || node === this.#mount.nodes.root) return undefined;
    for (const handle of node.file?.handles ?? []) if (handle.writable) return handle.remoteFile();
    for (const handle of node.file?.handles ?? []) return handle.remoteFile();
    throw new Failure('ESTALE');
  }

  readlink(id: NodeId, caller: Caller): Eventually<Buffer> {
    const { nodes } = this.#mount;
    const node = nodes.get(id);
    if ((node.attributes.mode & S_IFMT) !== S_IFLNK) throw new Failure('EINVAL');
    if (node.target !== undefined) return node.target;
    return this.#mount.ask(
      'readlink',
      () => [pathOf(nodes, node)],
      caller,
      (target) => {
        node.target = Buffer.from(target);
        return node.target;
      },
    );
  }

  access(id: NodeId, mask: number, caller: Caller): Eventually<void> {
    const node = this.#mount.nodes.get(id);
    const refreshed = this.#resolution.refresh(node, caller);
    const check = (): void => checkAccess(node.attributes, this.#mount.ownership, mask, caller);
    return refreshed instanceof Promise ? refreshed.then(check) : check();
  }

  // Files

  open(node: NodeId, flags: number, caller: Caller): Eventually<OpenAnswer> {
    return this.#files.open(this.#mount.nodes.get(node), flags, caller);
  }

  create(
    parent: NodeId,
    name: Buffer,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    return this.#files.create(this.#mount.nodes.getDirectory(parent), name, flags, mode, caller);
  }

  read(
    node: NodeId,
    handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void> {
    return this.#files.read(this.#mount.nodes.get(node), handle, offset, length, reply, caller);
  }

  write(node: NodeId, handle: HandleId, offset: number, data: Buffer, caller: Caller): Eventually<number> {
    return this.#files.write(this.#mount.nodes.get(node), handle, offset, data, caller);
  }

  flush(node: NodeId, handle: HandleId, caller: Caller): Eventually<void> {
    return this.#files.flush(this.#mount.nodes.get(node), handle, caller);
  }

  fsync(node: NodeId, handle: HandleId, dataOnly: boolean, caller: Caller): Eventually<void> {
    return this.#files.fsync(this.#mount.nodes.get(node), handle, dataOnly, caller);
  }

  release(node: NodeId, handle: HandleId): Eventually<void> {
    return this.#files.release(this.#mount.nodes.get(node), handle);
  }

  // Directories

  opendir(node: NodeId, caller: Caller): Eventually<OpenAnswer> {
    return this.#directories.open(this.#mount.nodes.getDirectory(node), caller);
  }

  readdir(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    return this.#directories.read(this.#mount.nodes.getDirectory(node), handle, offset, plus, sink, caller);
  }

  fsyncdir(id: NodeId, _handle: HandleId, caller: Caller): Eventually<void> {
    const { nodes } = this.#mount;
    const node = nodes.getDirectory(id);
    return this.#mount.ask(
      'fsyncdir',
      () => [pathOf(nodes, node)],
      caller,
      () => undefined,
    );
  }

  releasedir(_node: NodeId, handle: HandleId): Eventually<void> {
    this.#directories.release(handle);
  }

  // The whole

  statfs(caller: Caller): Eventually<FilesystemStatus> {
    const status = this.#status;
    if (status?.sequence === this.#mount.remote.sequence && this.#mount.now() - status.at < STATUS_MS) {
      return status.figures;
    }
    return this.#outOfReach.orKnown(
      () => this.#askStatus(caller),
      () => this.#status?.figures ?? UNKNOWN_STATUS,
    );
  }

  #askStatus(caller: Caller): Promise<FilesystemStatus> {
    return this.#mount.ask(
      'statfs',
      () => [],
      caller,
      ([, limit, used, free, maxFiles, usedFiles, freeFiles], sequence) => {
        const left = limit === 0 ? free : Math.min(Math.max(limit - used, 0), free);
        const filesLeft = maxFiles === 0 ? freeFiles : Math.min(Math.max(maxFiles - usedFiles, 0), freeFiles);
        const figures: FilesystemStatus = {
          blockSize: STATUS_BLOCK,
          // With a quota the file system is as large as that, whatever the server's disk is.
          blocks: BigInt(Math.floor((limit === 0 ? used + free : limit) / STATUS_BLOCK)),
          blocksFree: BigInt(Math.floor(left / STATUS_BLOCK)),
          files: BigInt(maxFiles === 0 ? usedFiles + freeFiles : maxFiles),
          filesFree: BigInt(filesLeft),
          nameMax: MAX_NAME,
        };
        this.#status = { at: this.#mount.now(), sequence, figures };
        return figures;
      },
    );
  }

  async destroy(): Promise<void> {
    const { nodes, remote } = this.#mount;
    const unwritten = [...nodes.all()]
      .map((node) => this.#writes.settled(node))
      .filter((each) => each !== undefined);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DESTROY_MS);
    });
    await Promise.race([Promise.all(unwritten), deadline]);
    clearTimeout(timer);
    this.#files.logLosses();
    await remote.close();
  }
}

function pathOf(nodes: NodeTable, node: Node): RemotePath {
  const path = nodes.pathOf(node);
  if (path === undefined) throw new Failure('ESTALE');
  return path;
}

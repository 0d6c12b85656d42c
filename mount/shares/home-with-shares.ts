/**
 * The user's own home with the homes of shares in it: `Shared/NAME` leads to the root of the share, as a mount point leads to
 * what is mounted there. Every other operation goes to the home that its node, or its handle, is of.
 *
 * What the own home has at the place of a share stays, hidden. A share is not shown over what is no directory there.
 *
 * It costs a getattr 1 ns and a lookup 4 ns, with shares 10 (20,000,000 of each over a home that answers nothing; 2026-11-28, Node
 * 20.20), where a request takes some 30,000. So it is there whether or not the user has shares, who may get one later.
 */
import { O_ACCMODE, O_RDONLY, O_TRUNC, S_IFDIR, S_IFMT } from '../../posix/flags.js';
import type { Lock } from '../../protocol/file-locks.js';
import { Failure } from '../../protocol/failure.js';
import { ROOT_NODE, type HandleId, type NodeId } from '../../protocol/ids.js';
import { SHARED_DIRECTORY, type Share } from '../../protocol/shares.js';
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
import { interruptible } from '../remote/interruption.js';
import { homeOf, isOwn } from './home-numbers.js';
import type { NumberedHome } from './numbered-home.js';
import type { ShareHome, Shares } from './shares.js';

const SHARED = Buffer.from(SHARED_DIRECTORY);
const DOT = Buffer.from('.');
const DOT_DOT = '..';
/** access(2). */
const W_OK = 2;

/**
 * How long the kernel may believe that a share is at its place (milliseconds). It is told when that changes; but not where
 * another client of the home moves the directory above.
 */
const PLACE_VALID_MS = 1_000;

export interface HomeWithSharesOptions {
  readonly own: Filesystem;
  readonly shares: Shares<ShareHome>;
  readonly caches: KernelCaches;
  /** The kernel's numbers of the directory of the own home that shows shares; none: it knows of none. */
  sharedNodes(): readonly NodeId[];
}

export class HomeWithShares implements Filesystem {
  readonly #own: Filesystem;
  readonly #shares: Shares<ShareHome>;
  readonly #caches: KernelCaches;
  readonly #sharedNodes: () => readonly NodeId[];

  constructor({ own, shares, caches, sharedNodes }: HomeWithSharesOptions) {
    this.#own = own;
    this.#shares = shares;
    this.#caches = caches;
    this.#sharedNodes = sharedNodes;
  }

  /** The user has other shares from now on, or may do something else with them. */
  update(shares: readonly Share[]): void {
    const changed = this.#shares.update(shares);
    for (const node of this.#sharedNodes()) {
      for (const name of changed) this.#caches.invalidateEntry(node, Buffer.from(name, 'latin1'));
    }
  }

  // Of which home something is

  /** ESTALE where it is of a share that was left. */
  #of(number: NodeId | HandleId): Filesystem {
    return isOwn(number) ? this.#own : this.#shares.of(number);
  }

  /** The same, of what is to be changed. EROFS. */
  #toChange(number: NodeId | HandleId): Filesystem {
    return isOwn(number) ? this.#own : this.#shares.toChange(number);
  }

  #shareAt(parent: NodeId, name: Buffer): Share | undefined {
    return this.#isShared(parent) ? this.#shares.get(name.toString('latin1')) : undefined;
  }

  #isShared(node: NodeId): boolean {
    return this.#shares.any && isOwn(node) && this.#sharedNodes().includes(node);
  }

  /**
   * Before a name is taken from its place, or something is put there: what a share is at, or what shares are in, stays. Throws
   * EBUSY. What is no directory is the user's own.
   */
  #checkFree(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    if (!this.#shares.any || !isOwn(parent)) return;
    const isShared = parent === ROOT_NODE && !this.#isShared(ROOT_NODE) && name.equals(SHARED);
    if (!isShared && this.#shareAt(parent, name) === undefined) return;
    const there = this.#own.lookup(parent, name, caller);
    return there instanceof Promise ? there.then((entry) => this.#checkOwn(entry)) : this.#checkOwn(there);
  }

  #checkOwn(there: Entry | NegativeEntry): void {
    // It was not told to the kernel.
    if (there.nodeId !== undefined) this.#own.forget(there.nodeId, 1n);
    if (there.nodeId === undefined || (there.attributes.mode & S_IFMT) === S_IFDIR)
      throw new Failure('EBUSY', 'a shared folder is there');
  }

  // Names

  lookup(parent: NodeId, name: Buffer, caller: Caller): Eventually<Entry | NegativeEntry> {
    const share = this.#shareAt(parent, name);
    if (share !== undefined) return this.#shareIn(parent, name, share, caller);
    if (isOwn(parent)) return this.#own.lookup(parent, name, caller);
    const home = this.#shares.of(parent);
    if (parent !== home.root || name.toString('latin1') !== DOT_DOT) return home.lookup(parent, name, caller);
    const [above] = this.#sharedNodes();
    if (above === undefined) throw new Failure('ESTALE');
    return this.#own.lookup(above, DOT, caller);
  }

  #shareIn(parent: NodeId, name: Buffer, share: Share, caller: Caller): Eventually<Entry | NegativeEntry> {
    const hidden = this.#own.lookup(parent, name, caller);
    const shown = (below: Entry | NegativeEntry): Eventually<Entry | NegativeEntry> => {
      if (below.nodeId !== undefined) {
        if ((below.attributes.mode & S_IFMT) !== S_IFDIR) return below;
        // It was not told to the kernel.
        this.#own.forget(below.nodeId, 1n);
      }
      const known = this.#shares.known(share.name);
      if (known !== undefined) return this.#rootOf(known, caller);
      const entering = interruptible(this.#shares.enter(share.name), caller);
      return entering.then((entered) => this.#rootOf(entered, caller));
    };
    return hidden instanceof Promise ? hidden.then(shown) : shown(hidden);
  }

  #rootOf(home: NumberedHome, caller: Caller): Eventually<Entry | NegativeEntry> {
    const root = home.lookup(home.root, DOT, caller);
    const placed = (entry: Entry | NegativeEntry): Entry | NegativeEntry => ({
      ...entry,
      entryValidMs: PLACE_VALID_MS,
    });
    return root instanceof Promise ? root.then(placed) : placed(root);
  }

  forget(node: NodeId, count: bigint): void {
    if (isOwn(node)) this.#own.forget(node, count);
    else this.#shares.ifThere(node)?.forget(node, count);
  }

  mknod(parent: NodeId, name: Buffer, mode: number, rdev: number, caller: Caller): Eventually<Entry> {
    return this.#toChange(parent).mknod(parent, name, mode, rdev, caller);
  }

  mkdir(parent: NodeId, name: Buffer, mode: number, caller: Caller): Eventually<Entry> {
    return this.#toChange(parent).mkdir(parent, name, mode, caller);
  }

  symlink(parent: NodeId, name: Buffer, target: Buffer, caller: Caller): Eventually<Entry> {
    return this.#toChange(parent).symlink(parent, name, target, caller);
  }

  link(node: NodeId, newParent: NodeId, newName: Buffer, caller: Caller): Eventually<Entry> {
    checkSame(node, newParent);
    return this.#toChange(node).link(node, newParent, newName, caller);
  }

  unlink(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return after(this.#checkFree(parent, name, caller), () =>
      this.#toChange(parent).unlink(parent, name, caller),
    );
  }

  rmdir(parent: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return after(this.#checkFree(parent, name, caller), () =>
      this.#toChange(parent).rmdir(parent, name, caller),
    );
  }

  rename(
    parent: NodeId,
    name: Buffer,
    newParent: NodeId,
    newName: Buffer,
    flags: number,
    caller: Caller,
  ): Eventually<void> {
    checkSame(parent, newParent);
    const rename = (): Eventually<void> =>
      this.#toChange(parent).rename(parent, name, newParent, newName, flags, caller);
    return after(this.#checkFree(parent, name, caller), () =>
      after(this.#checkFree(newParent, newName, caller), rename),
    );
  }

  // One inode

  getattr(node: NodeId, handle: HandleId | undefined, caller: Caller): Eventually<AttributesAnswer> {
    return this.#of(node).getattr(node, handle, caller);
  }

  setattr(
    node: NodeId,
    handle: HandleId | undefined,
    changes: AttributeChanges,
    caller: Caller,
  ): Eventually<AttributesAnswer> {
    return this.#toChange(node).setattr(node, handle, changes, caller);
  }

  clearSetId(node: NodeId, caller: Caller): Eventually<void> {
    return this.#toChange(node).clearSetId(node, caller);
  }

  readlink(node: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#of(node).readlink(node, caller);
  }

  access(node: NodeId, mask: number, caller: Caller): Eventually<void> {
    const home = (mask & W_OK) === 0 ? this.#of(node) : this.#toChange(node);
    return home.access(node, mask, caller);
  }

  getxattr(node: NodeId, name: Buffer, caller: Caller): Eventually<Buffer> {
    return this.#of(node).getxattr(node, name, caller);
  }

  listxattr(node: NodeId, caller: Caller): Eventually<Buffer> {
    return this.#of(node).listxattr(node, caller);
  }

  setxattr(node: NodeId, name: Buffer, value: Buffer, flags: number, caller: Caller): Eventually<void> {
    return this.#toChange(node).setxattr(node, name, value, flags, caller);
  }

  removexattr(node: NodeId, name: Buffer, caller: Caller): Eventually<void> {
    return this.#toChange(node).removexattr(node, name, caller);
  }

  // Files

  open(node: NodeId, flags: number, caller: Caller): Eventually<OpenAnswer> {
    const reads = (flags & O_ACCMODE) === O_RDONLY && (flags & O_TRUNC) === 0;
    return (reads ? this.#of(node) : this.#toChange(node)).open(node, flags, caller);
  }

  create(
    parent: NodeId,
    name: Buffer,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    return this.#toChange(parent).create(parent, name, flags, mode, caller);
  }

  tmpfile(
    parent: NodeId,
    flags: number,
    mode: number,
    caller: Caller,
  ): Eventually<{ entry: Entry; opened: OpenAnswer }> {
    return this.#toChange(parent).tmpfile(parent, flags, mode, caller);
  }

  read(
    node: NodeId,
    handle: HandleId,
    offset: number,
    length: number,
    reply: (pieces: readonly Buffer[]) => void,
    caller: Caller,
  ): Eventually<void> {
    return this.#of(node).read(node, handle, offset, length, reply, caller);
  }

  write(
    node: NodeId,
    handle: HandleId,
    offset: number,
    data: Buffer,
    fromCache: boolean,
    caller: Caller,
  ): Eventually<number> {
    return this.#toChange(node).write(node, handle, offset, data, fromCache, caller);
  }

  allocate(
    node: NodeId,
    handle: HandleId,
    mode: number,
    offset: number,
    length: number,
    caller: Caller,
  ): Eventually<void> {
    return this.#toChange(node).allocate(node, handle, mode, offset, length, caller);
  }

  copy(
    handle: HandleId,
    offset: number,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    caller: Caller,
  ): Eventually<number> {
    // The kernel then copies by reading and writing.
    checkSame(handle, targetHandle);
    return this.#toChange(targetHandle).copy(handle, offset, targetHandle, targetOffset, length, caller);
  }

  seek(
    node: NodeId,
    handle: HandleId,
    offset: number,
    what: 'data' | 'hole',
    caller: Caller,
  ): Eventually<number> {
    return this.#of(node).seek(node, handle, offset, what, caller);
  }

  flush(node: NodeId, handle: HandleId, lockOwner: bigint | undefined, caller: Caller): Eventually<void> {
    return this.#of(node).flush(node, handle, lockOwner, caller);
  }

  fsync(node: NodeId, handle: HandleId, dataOnly: boolean, caller: Caller): Eventually<void> {
    return this.#of(node).fsync(node, handle, dataOnly, caller);
  }

  release(node: NodeId, handle: HandleId): Eventually<void> {
    return this.#of(node).release(node, handle);
  }

  getlk(node: NodeId, handle: HandleId, wanted: WantedLock, caller: Caller): Eventually<Lock | undefined> {
    return this.#of(node).getlk(node, handle, wanted, caller);
  }

  setlk(node: NodeId, handle: HandleId, wanted: WantedLock, wait: boolean, caller: Caller): Eventually<void> {
    return this.#of(node).setlk(node, handle, wanted, wait, caller);
  }

  // Directories

  opendir(node: NodeId, caller: Caller): Eventually<OpenAnswer> {
    return this.#of(node).opendir(node, caller);
  }

  readdir(
    node: NodeId,
    handle: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    // A name may lead to a share: that is told when it is looked up, and not to enter all of them for an `ls`.
    const tellsMore = plus && !this.#isShared(node);
    return this.#of(node).readdir(node, handle, offset, tellsMore, sink, caller);
  }

  fsyncdir(node: NodeId, handle: HandleId, caller: Caller): Eventually<void> {
    return this.#of(node).fsyncdir(node, handle, caller);
  }

  releasedir(node: NodeId, handle: HandleId): Eventually<void> {
    return this.#of(node).releasedir(node, handle);
  }

  // The whole

  statfs(node: NodeId, caller: Caller): Eventually<FilesystemStatus> {
    return this.#of(node).statfs(node, caller);
  }

  async destroy(): Promise<void> {
    const ended = await Promise.allSettled([this.#own.destroy(), this.#shares.destroy()]);
    for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** Throws EXDEV for what are of two homes. */
function checkSame(one: NodeId | HandleId, other: NodeId | HandleId): void {
  if (homeOf(one) !== homeOf(other)) throw new Failure('EXDEV', 'it is of another home');
}

function after(checked: Eventually<void>, change: () => Eventually<void>): Eventually<void> {
  return checked instanceof Promise ? checked.then(change) : change();
}

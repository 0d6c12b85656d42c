/**
 * Open directories: opendir, readdir, fsyncdir, releasedir.
 *
 * A listing is served from the tree, also into the kernel's own cache of listings, which then is not asked for again while
 * no name changes. A directory that is too large for the tree is served as it comes from the server (long-listing.ts).
 */
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import { S_IFDIR, S_IFMT } from '../../posix/flags.js';
import type { Caller, DirectoryEntry, EntrySink, Eventually, OpenAnswer } from '../operations.js';
import { shownIno, type DirectoryInode, type Name } from '../tree/inode.js';
import { HandleTable, type DirectoryHandle, type Snapshot } from './handles.js';
import type { AccessTimes } from './access-times.js';
import type { Home } from './home.js';
import type { Listings } from './listings.js';
import { LongListing } from './long-listing.js';
import { lossSeen } from './losses.js';
import type { Syncs } from './syncs.js';
import { ToldNames, type ToldName } from './told-names.js';

/** '.' and '..' are the entries of the offsets 1 and 2. */
const DOTS = 2;
const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

export class Directories {
  readonly #home: Home;
  readonly #listings: Listings;
  readonly #syncs: Syncs;
  readonly #accessTimes: AccessTimes;
  readonly #handles = new HandleTable<DirectoryHandle>();
  /** The version of a directory that the kernel has in its cache of listings. */
  readonly #kernelVersions = new WeakMap<DirectoryInode, number>();

  constructor(home: Home, listings: Listings, syncs: Syncs, accessTimes: AccessTimes) {
    this.#accessTimes = accessTimes;
    this.#home = home;
    this.#listings = listings;
    this.#syncs = syncs;
  }

  open(inode: DirectoryInode): OpenAnswer {
    const handle = this.#handles.add({
      ...{ inode, names: undefined, long: undefined, version: -1 },
      told: lossSeen(inode),
    });
    const known = this.#home.tree.isWhole(inode);
    const keepCache =
      known && !this.#accessTimes.isDue(inode) && this.#kernelVersions.get(inode) === inode.directory.version;
    return { handle, keepCache, cacheDirectory: known };
  }

  /** A directory that was removed lists nothing, not even '.' and '..'. */
  read(
    inode: DirectoryInode,
    id: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    if (inode.removed) return undefined;
    const read = this.#read(inode, id, offset, plus, sink, caller);
    this.#accessTimes.read(inode);
    if (!(read instanceof Promise)) return read;
    return read.catch((thrown: unknown) => {
      if (Failure.from(thrown).kind !== 'ESTALE' || !inode.removed) throw thrown;
    });
  }

  #read(
    inode: DirectoryInode,
    id: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Eventually<void> {
    const handle = this.#handles.get(id);
    if (offset !== 0n) {
      if (handle.long !== undefined) return this.#emitLong(inode, handle.long, offset, plus, sink, caller);
      if (handle.names !== undefined) return this.#emit(handle, handle.names, Number(offset), plus, sink);
    }
    handle.long?.close();
    handle.long = undefined;
    const names = this.#snapshot(handle);
    this.#listings.used(inode);
    if (names !== undefined) return this.#emit(handle, names, Number(offset), plus, sink);
    const long = (): Promise<void> => {
      handle.long = new LongListing(this.#home, inode);
      return this.#emitLong(inode, handle.long, offset, plus, sink, caller);
    };
    if (this.#listings.isLong(inode)) return long();
    return this.#listings.names(inode, caller).then((told) => {
      const listed = this.#snapshot(handle) ?? told;
      if (listed === undefined) return long();
      handle.names = listed;
      return this.#emit(handle, listed, Number(offset), plus, sink);
    });
  }

  fsync(id: HandleId, caller: Caller): Promise<void> {
    return this.#syncs.fsync(this.#handles.get(id), caller);
  }

  release(id: HandleId): void {
    this.#handles.remove(id)?.long?.close();
  }

  /** Takes the names as they are now, where they are known. */
  #snapshot(handle: DirectoryHandle): Snapshot | undefined {
    const { inode } = handle;
    const names = this.#home.tree.listing(inode);
    if (names === undefined) return undefined;
    handle.names = names;
    handle.version = inode.directory.version;
    return names;
  }

  #emit(handle: DirectoryHandle, names: Snapshot, offset: number, plus: boolean, sink: EntrySink): void {
    const { inode } = handle;
    if (!emitDots(inode, offset, sink)) return;
    for (let at = placeBehind(names, offset - DOTS); at < names.length; at++) {
      const listed = names.at(at);
      if (listed === undefined) break;
      if (!this.#emitListed(inode, listed, BigInt(listed.position + DOTS), plus, sink)) return;
    }
    // The kernel has it all now, as it was in that version.
    if (this.#home.tree.isWhole(inode)) this.#kernelVersions.set(inode, handle.version);
  }

  async #emitLong(
    inode: DirectoryInode,
    long: LongListing,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Caller,
  ): Promise<void> {
    let emitted = 0;
    const counting: EntrySink = (entry) => {
      emitted += 1;
      return sink(entry);
    };
    if (!emitDots(inode, Number(offset < DOTS ? offset : DOTS), counting)) return;
    for (let from = offset < DOTS ? BigInt(DOTS) : offset; ;) {
      const { page, index } = await long.at(from, caller);
      for (let at = index; at < page.names.length; at++) {
        const [listed, behind] = [page.names[at], page.offsets[at]];
        if (listed === undefined || behind === undefined) break;
        if (!this.#emitListed(inode, listed, behind, plus, counting)) return;
      }
      // An answer without names is the end.
      if (emitted > 0 || page.last) return;
      from = page.end;
    }
  }

  /** False where the sink is full. */
  #emitListed(
    { directory: { names, complete } }: DirectoryInode,
    listed: Name | ToldName,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
  ): boolean {
    const name = names.get(listed.key);
    if (name !== undefined) return this.#emitName(name, offset, plus, sink);
    // Removed since it was listed, or only pushed out of memory: then it is as it was.
    return complete || sink(shownEntry(listed, offset));
  }

  #emitName(name: Name, offset: bigint, plus: boolean, sink: EntrySink): boolean {
    const { tree, kernel } = this.#home;
    const entry = shownEntry(name, offset);
    const isTold = plus && tree.lookup(name.parent, name.key) === name && !kernel.isElsewhere(name);
    if (!isTold) return sink(entry);
    const resolved = kernel.listed(name);
    if (sink(entry, resolved)) return true;
    // Not taken: the kernel was not told of it.
    tree.forget(resolved.nodeId, 1n);
    return false;
  }
}

/**
 * Where in a snapshot that comes which is behind a position. Names have positions of their own: a handle that was served from
 * the kernel's cache of listings has no snapshot, and goes on in one that is taken when the cache is gone; and a position of
 * one open directory (telldir) may be used in another one.
 */
function placeBehind(names: Snapshot, position: number): number {
  if (names instanceof ToldNames) return names.behind(position);
  let [from, to] = [0, names.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((names[middle]?.position ?? 0) > position) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** '.' and '..', as far as they come behind an offset. False where the sink is full. */
function emitDots(inode: DirectoryInode, offset: number, sink: EntrySink): boolean {
  for (let at = offset; at < DOTS; at++) {
    const [parent] = inode.names;
    const ino = shownIno(at === 0 ? inode : (parent?.parent ?? inode));
    const name = at === 0 ? DOT : DOT_DOT;
    if (!sink({ name, ino, type: S_IFDIR, offset: BigInt(at + 1) })) return false;
  }
  return true;
}

function shownEntry(listed: Name | ToldName, offset: bigint): DirectoryEntry {
  const name = Buffer.from(listed.key, 'latin1');
  if (!('inode' in listed)) return { name, ino: listed.ino, type: listed.type, offset };
  return { name, ino: shownIno(listed.inode), type: listed.inode.attributes.mode & S_IFMT, offset };
}

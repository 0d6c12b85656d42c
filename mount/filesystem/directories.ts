/**
 * Reading directories: opendir, readdir, releasedir.
 *
 * A listing is served from what is known where that is fresh, also into the kernel's own cache of listings, which
 * then is not asked for again while no name changes.
 */
import { Failure } from '../../protocol/failure.js';
import type { HandleId } from '../../protocol/ids.js';
import { S_IFDIR, S_IFMT } from '../../posix/flags.js';
import { interruptible, type Interruptible } from '../remote/interruption.js';
import type { DirectoryState } from './directory-state.js';
import { DirectoryHandle, HandleTable } from './handles.js';
import type { Listings } from './listing.js';
import type { MountState } from './mount-state.js';
import type { Node } from './nodes.js';
import type { EntrySink, Eventually, OpenAnswer } from './operations.js';

type DirectoryNode = Node & { readonly directory: DirectoryState };

/** '.' and '..' are the entries of the offsets 1 and 2. */
const DOTS = 2;
const DOT_NAMES = [Buffer.from('.'), Buffer.from('..')] as const;

export class Directories {
  readonly #mount: MountState;
  readonly #listings: Listings;
  readonly #handles = new HandleTable<DirectoryHandle>();

  constructor(mount: MountState, listings: Listings) {
    this.#mount = mount;
    this.#listings = listings;
  }

  open(node: DirectoryNode, caller: Interruptible): Eventually<OpenAnswer> {
    const handle = this.#handles.add(new DirectoryHandle(node));
    const { directory } = node;
    if (this.#listings.isKnown(node)) {
      return { handle, keepCache: directory.kernelVersion === directory.version, cacheDirectory: true };
    }
    const load = this.#listings.load(node, true);
    if (directory.kernelVersion === undefined) return { handle, keepCache: false, cacheDirectory: true };
    // Whether the kernel may use its own listing depends on this one.
    return interruptible(load.end(), caller).then(
      () => ({ handle, keepCache: directory.kernelVersion === directory.version, cacheDirectory: true }),
      (failure: unknown) => {
        this.#handles.remove(handle);
        throw failure;
      },
    );
  }

  read(
    node: DirectoryNode,
    id: HandleId,
    offset: bigint,
    plus: boolean,
    sink: EntrySink,
    caller: Interruptible,
  ): Eventually<void> {
    const handle = this.#handles.get(id);
    if (offset === 0n || handle.names === undefined) this.#begin(handle, node);
    return this.#emit(handle, node, Number(offset), plus, sink, caller);
  }

  /** Takes the names as they are now. */
  #begin(handle: DirectoryHandle, node: DirectoryNode): void {
    const { directory } = node;
    if (this.#listings.isKnown(node)) {
      handle.names = [...directory.names.values()];
      handle.load = undefined;
      handle.version = directory.version;
    } else {
      handle.load = this.#listings.load(node, true);
      handle.names = handle.load.names;
    }
  }

  #emit(
    handle: DirectoryHandle,
    node: DirectoryNode,
    offset: number,
    plus: boolean,
    sink: EntrySink,
    caller: Interruptible,
  ): Eventually<void> {
    const { load } = handle;
    const names = handle.names ?? [];
    let emitted = false;
    let at = offset;
    for (; at < DOTS; at++) {
      const { ino } = at === 0 ? node : (node.names.at(-1)?.parent ?? node);
      const name = at === 0 ? DOT_NAMES[0] : DOT_NAMES[1];
      if (!sink({ name, ino, type: S_IFDIR, offset: BigInt(at + 1) })) return undefined;
    }
    for (; at - DOTS < names.length; at++) {
      const name = names[at - DOTS];
      if (name === undefined) break;
      const current = node.directory.names.get(name.key);
      // Removed since: it would be a name that leads nowhere.
      if (current === undefined) continue;
      if (!this.#emitName(current.key, current.node, current.confirmedAt, at + 1, plus, sink))
        return undefined;
      emitted = true;
    }
    if (load !== undefined && !load.finished) {
      if (emitted) return undefined;
      // An empty reply would mean the end.
      return interruptible(load.progress(), caller).then(() =>
        this.#emit(handle, node, at, plus, sink, caller),
      );
    }
    if (load?.failure !== undefined) {
      handle.names = undefined;
      handle.load = undefined;
      if (at <= DOTS) throw load.failure;
      throw new Failure('EIO', load.failure.message);
    }
    // The kernel has it all now, as it was in that version.
    node.directory.kernelVersion = load === undefined ? handle.version : load.version;
    return undefined;
  }

  #emitName(
    key: string,
    child: Node,
    confirmedAt: number,
    offset: number,
    plus: boolean,
    sink: EntrySink,
  ): boolean {
    const entry = {
      name: Buffer.from(key, 'latin1'),
      ino: child.ino,
      type: child.attributes.mode & S_IFMT,
      offset: BigInt(offset),
    };
    if (!plus) return sink(entry);
    const resolved = this.#mount.entry(child, confirmedAt);
    if (sink(entry, resolved)) return true;
    // Not taken: the kernel was not told of it.
    this.#mount.nodes.forget(resolved.nodeId, 1n);
    return false;
  }

  release(id: HandleId): void {
    this.#handles.remove(id);
  }
}

/**
 * Answers what a name leads to and what a node's attributes are: from what is known while it is fresh, else from the
 * server, by the cheapest request that tells: one page of the directory that holds it, or the one name.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { Interruptible } from '../remote/interruption.js';
import { interruptible } from '../remote/interruption.js';
import type { DirectoryState } from './directory-state.js';
import { isFresh } from './freshness.js';
import type { Listings } from './listing.js';
import type { MountState } from './mount-state.js';
import { isDirectory, type Name, type Node } from './nodes.js';
import type { Eventually } from './operations.js';

type DirectoryNode = Node & { readonly directory: DirectoryState };

/** A name that does not exist, and when the server said so. */
export interface Absent {
  readonly node: undefined;
  readonly confirmedAt: number;
}

export class Resolution {
  readonly #mount: MountState;
  readonly #listings: Listings;

  constructor(mount: MountState, listings: Listings) {
    this.#mount = mount;
    this.#listings = listings;
  }

  /** What is known and fresh of a name, with the attributes of its node; undefined: to be asked for. */
  known({ directory }: DirectoryNode, key: string): Name | Absent | undefined {
    const now = this.#mount.now();
    const name = directory.names.get(key);
    if (name !== undefined) {
      return isFresh(name.confirmedAt, now) && isFresh(name.node.confirmedAt, now) ? name : undefined;
    }
    if (directory.complete && isFresh(directory.listedAt, now)) {
      return { node: undefined, confirmedAt: directory.listedAt };
    }
    const confirmedAt = directory.absent.get(key);
    return confirmedAt !== undefined && isFresh(confirmedAt, now)
      ? { node: undefined, confirmedAt }
      : undefined;
  }

  /** What a name leads to. */
  lookup(parent: DirectoryNode, key: string, caller: Interruptible): Eventually<Name | Absent> {
    return this.known(parent, key) ?? this.#lookup(parent, key, caller);
  }

  async #lookup(parent: DirectoryNode, key: string, caller: Interruptible): Promise<Name | Absent> {
    const listed = this.#listing(parent);
    if (listed !== undefined) {
      await interruptible(listed, caller);
      const known = this.known(parent, key);
      if (known !== undefined) return known;
    } else {
      parent.directory.misses++;
    }
    return this.#ask(parent, key, caller);
  }

  /** Waits for a page of the directory's listing, where that is the cheapest way to refresh what is in it. */
  #listing(parent: DirectoryNode): Promise<void> | undefined {
    if (this.#listings.isKnown(parent) || !this.#listings.isWorthListing(parent)) return undefined;
    // A failure (the directory is gone, say) is better told by the request for the one name.
    return this.#listings.load(parent, false).progress();
  }

  #ask(parent: DirectoryNode, key: string, caller: Interruptible): Promise<Name | Absent> {
    const { nodes, now } = this.#mount;
    return this.#mount
      .ask(
        'getattr',
        () => [nodes.pathIn(parent, key)],
        caller,
        (attributes, sequence): Name | Absent => this.found(parent, key, attributes, sequence),
        { failed: (failure, sequence) => this.#notFound(parent, key, failure, sequence) },
      )
      .catch((failure: Failure) => {
        if (failure.kind !== 'ENOENT') throw failure;
        return { node: undefined, confirmedAt: parent.directory.absent.get(key) ?? now() };
      });
  }

  /** The server answered with the attributes of a name. */
  found(parent: DirectoryNode, key: string, attributes: Attributes, sequence: number, own = false): Name {
    const { nodes } = this.#mount;
    const known = parent.directory.names.get(key);
    if (known !== undefined && known.asOf > sequence) return known;
    const node = nodes.identify(attributes, sequence);
    this.#mount.learn(node, attributes, sequence, own);
    return nodes.bind(parent, key, node, sequence, this.#mount.now());
  }

  #notFound({ directory }: DirectoryNode, key: string, failure: Failure, sequence: number): void {
    if (failure.kind !== 'ENOENT') return;
    const known = directory.names.get(key);
    if (known !== undefined) {
      if (known.asOf > sequence) return;
      this.#mount.nodes.unbind(known);
    }
    directory.addAbsent(key, sequence, this.#mount.now());
  }

  /** Makes the node's attributes fresh. Throws ESTALE where the file is gone. */
  refresh(node: Node, caller: Interruptible): Eventually<void> {
    return isFresh(node.confirmedAt, this.#mount.now()) ? undefined : this.#refresh(node, caller);
  }

  async #refresh(node: Node, caller: Interruptible): Promise<void> {
    const following = node.directory?.following;
    if (following !== undefined) {
      await interruptible(following, caller);
      if (isFresh(node.confirmedAt, this.#mount.now())) return;
    }
    const parent = node.names.at(-1)?.parent;
    // Where the listing is fresh and the node is not, an own change touched only the node.
    const listed = parent !== undefined && isDirectory(parent) ? this.#listing(parent) : undefined;
    if (listed !== undefined) {
      await interruptible(listed, caller);
      if (isFresh(node.confirmedAt, this.#mount.now())) return;
    }
    if (!(await this.#refreshByName(node, caller))) await this.#refreshByHandle(node, caller);
  }

  /** False where no name leads to the node any more. */
  async #refreshByName(node: Node, caller: Interruptible): Promise<boolean> {
    const { nodes } = this.#mount;
    if (node === nodes.root) {
      await this.#mount.ask(
        'getattr',
        () => [nodes.pathOf(node)],
        caller,
        (attributes, sequence) => this.#mount.learn(node, attributes, sequence),
      );
      return true;
    }
    for (let name = node.names.at(-1); name !== undefined; name = node.names.at(-1)) {
      const { parent, key } = name;
      if (!isDirectory(parent)) throw new Failure('ESTALE');
      const found = await this.#ask(parent, key, caller);
      if (found.node === node) return true;
      // Each round ends with one name less, or with an answer that a later one overtook.
      if (node.names.at(-1) === name) throw new Failure('ESTALE');
    }
    return false;
  }

  async #refreshByHandle(node: Node, caller: Interruptible): Promise<void> {
    const handles = [...(node.file?.handles ?? [])];
    const opened = node.file?.kept ?? handles.find(({ begun }) => begun !== undefined)?.begun;
    if (opened !== undefined) {
      const file = await interruptible(Promise.resolve(opened), caller);
      await this.#mount.ask(
        'fgetattr',
        () => [file],
        caller,
        (attributes, sequence) => this.#mount.learn(node, attributes, sequence),
      );
      return;
    }
    if (handles.length > 0) {
      // Removed elsewhere, and open here without the server's knowledge: nothing will change it any more.
      node.attributes = { ...node.attributes, nlink: 0 };
      return;
    }
    // A removed directory that is somebody's working directory still has attributes, as on a disk.
    if (node.directory !== undefined) return;
    throw new Failure('ESTALE');
  }
}

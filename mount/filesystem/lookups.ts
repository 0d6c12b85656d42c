/**
 * What a name leads to, what the attributes of an inode are, what a symbolic link says: from the tree where it knows, else
 * from the server.
 */
import { Failure } from '../../protocol/failure.js';
import type { NodeId } from '../../protocol/ids.js';
import { packRef, sameId } from '../../protocol/references.js';
import { S_IFLNK, S_IFMT } from '../../posix/flags.js';
import type { AttributesAnswer, Caller, Entry, Eventually, NegativeEntry } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import { checkAccess, type Ownership } from '../ownership.js';
import type { DirectoryInode, Inode, Name } from '../tree/inode.js';
import type { Home } from './home.js';
import type { Listings } from './listings.js';
import { orAfter, PATIENCE_MS } from './patience.js';

export class Lookups {
  readonly #home: Home;
  readonly #listings: Listings;
  readonly #ownership: Ownership;

  constructor(home: Home, listings: Listings, ownership: Ownership) {
    this.#home = home;
    this.#listings = listings;
    this.#ownership = ownership;
  }

  lookup(directory: DirectoryInode, key: string, caller: Caller): Eventually<Entry | NegativeEntry> {
    const known = this.#known(directory, key, caller);
    if (known === undefined) return this.#lookup(directory, key, caller);
    this.#listings.used(directory);
    return known;
  }

  #known(
    directory: DirectoryInode,
    key: string,
    caller: Caller,
  ): Eventually<Entry | NegativeEntry> | undefined {
    const { tree, kernel } = this.#home;
    const known = tree.lookup(directory, key);
    if (known === 'absent') return kernel.absent(directory, key);
    return known !== undefined && tree.knows(known.inode) ? this.#lookedUp(known, caller) : undefined;
  }

  #lookedUp(name: Name, caller: Caller): Eventually<Entry> {
    const { kernel } = this.#home;
    // It counts as a lookup, so it is made when it is answered.
    const entry = (): Entry => kernel.lookedUp(name);
    const dropped = kernel.dropElsewhere(name);
    return dropped === undefined ? entry() : interruptible(dropped, caller).then(entry);
  }

  async #lookup(directory: DirectoryInode, key: string, caller: Caller): Promise<Entry | NegativeEntry> {
    if (this.#listings.isWorthIt(directory)) {
      await this.#listings.firstPage(directory, caller).catch(unlessUnlistable);
      const known = this.#known(directory, key, caller);
      if (known !== undefined) return known;
    }
    const { tree, kernel } = this.#home;
    const name = await this.#home.ask(
      'lookup',
      [directory],
      caller,
      () => [packRef(tree.refOf(directory)), Buffer.from(key, 'latin1')],
      ([attributes, target]): Name | undefined => tree.found(directory, key, attributes, target),
      (failure) => {
        if (failure.kind !== 'ENOENT') throw failure;
        tree.notFound(directory, key);
        return undefined;
      },
    );
    // Here, where the caller still waits for it: it counts as a lookup.
    return name === undefined ? kernel.absent(directory, key) : this.#lookedUp(name, caller);
  }

  /**
   * What a file handle leads to (open_by_handle_at(2), NFS): the kernel has its number, and may have forgotten the rest. Round
   * trips: none where it is believed, else one. ESTALE.
   */
  byNumber(id: NodeId, caller: Caller): Eventually<Entry> {
    const { tree, kernel } = this.#home;
    const file = tree.fileOf(id);
    const kept = tree.byId(file);
    const inode = kept !== undefined && sameId(kept.id, file) ? kept : undefined;
    if (inode !== undefined && tree.knows(inode)) return kernel.unnamed(inode);
    const found = this.#home.ask(
      'getattr',
      inode === undefined ? [] : [inode],
      caller,
      () => [packRef(inode === undefined ? { ...file, path: null } : tree.refOf(inode))],
      (attributes) => {
        if (!sameId(attributes, file) || attributes.nlink === 0) throw new Failure('ESTALE');
        return tree.unnamed(attributes);
      },
    );
    return found.then((told) => kernel.unnamed(told));
  }

  /** The directory that one of this number is in, by which the kernel finds the way up from it. ESTALE where that is not known. */
  parentOf(id: NodeId): Entry {
    const { tree, kernel } = this.#home;
    const [name] = tree.getDirectory(id).names;
    if (name === undefined) throw new Failure('ESTALE');
    return kernel.unnamed(name.parent);
  }

  /** The attributes, from the server where they are not believed. */
  attributes(inode: Inode, caller: Caller): Eventually<AttributesAnswer> {
    const { tree, kernel } = this.#home;
    if (tree.knows(inode) || inode.isGone) return kernel.attributes(inode);
    const answer = (): AttributesAnswer => kernel.attributes(inode);
    const refreshed = this.refresh(inode, caller).then(answer, (thrown: unknown) => {
      // A directory that a program works in, or a FIFO that it has open, is there for it, without a name.
      if (this.#home.vanished(inode, thrown)) return answer();
      // It is gone since the kernel was told of it, for the same stat(2): a local disk would tell of it, too.
      if (Failure.from(thrown).kind !== 'ESTALE' || inode.opens > 0) throw thrown;
      return answer();
    });
    return inode === tree.root ? orAfter(PATIENCE_MS, refreshed, answer) : refreshed;
  }

  refresh(inode: Inode, caller: Caller): Promise<void> {
    const { tree } = this.#home;
    return this.#home.ask(
      'getattr',
      [inode],
      caller,
      () => [packRef(tree.refOf(inode))],
      (attributes) => tree.told(inode, attributes),
    );
  }

  readlink(inode: Inode, caller: Caller): Eventually<Buffer> {
    if ((inode.attributes.mode & S_IFMT) !== S_IFLNK) throw new Failure('EINVAL');
    // The target of an inode never changes.
    if (inode.target !== undefined) return inode.target;
    const { tree } = this.#home;
    return this.#home.ask(
      'readlink',
      [inode],
      caller,
      () => [packRef(tree.refOf(inode))],
      (target) => (inode.target = Buffer.from(target)),
    );
  }

  access(inode: Inode, mask: number, caller: Caller): Eventually<void> {
    const check = (): void => checkAccess(inode.attributes, this.#ownership, mask, caller);
    const asked = this.attributes(inode, caller);
    return asked instanceof Promise ? asked.then(check) : check();
  }
}

/** A directory that cannot be listed (EACCES) may be searched all the same; who is let go is. */
function unlessUnlistable(thrown: unknown): void {
  const failure = Failure.from(thrown);
  if (failure.kind === 'EINTR' || failure.kind === 'ETIMEDOUT') throw failure;
}

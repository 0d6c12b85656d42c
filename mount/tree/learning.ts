/**
 * What the server tells becomes what is known.
 *
 * Invariants:
 * - A fact is confirmed only where its unit is leased at the moment it is told.
 * - What was changed here and is not applied is newer than what anybody tells: of a file that was doubted meanwhile that is
 *   taken, as nothing better is known, and not confirmed.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { RENAME, RENAME_EXCHANGE, RENAME_WHITEOUT, RMDIR, UNLINK } from '../../protocol/operations.js';
import { changed, isSameFile, kept } from './attributes.js';
import type { Beliefs } from './beliefs.js';
import type { Listing } from './directory.js';
import type { DirectoryInode, Inode, Name } from './inode.js';
import type { Namespace } from './namespace.js';
import { isUnsettled } from './unsettled.js';

/** A name as a listing tells it, with the target if it is a symbolic link. */
export interface ListedEntry {
  readonly key: string;
  readonly attributes: Attributes;
  readonly target: Buffer | null;
}

export class Learning {
  readonly #names: Namespace;
  readonly #beliefs: Beliefs;

  constructor(names: Namespace, beliefs: Beliefs) {
    this.#names = names;
    this.#beliefs = beliefs;
  }

  /**
   * A name leads to the file of these attributes, or did before it was removed here: then the name is made for the one who
   * asked, and nothing knows of it. Throws EIO where that cannot be.
   */
  found(parent: DirectoryInode, key: string, attributes: Attributes, target: Buffer | null): Name {
    const known = parent.directory.names.get(key);
    const inode = this.#names.identify(attributes);
    if (known !== undefined && known.inode !== inode && isNewer(known)) return known;
    if (known === undefined && isRemovedHere(parent, key))
      return { parent, key, inode, confirmed: false, position: 0 };
    const name = this.#names.bind(parent, key, inode, this.#beliefs.believesNames(parent));
    if (target !== null) inode.target ??= Buffer.from(target);
    this.told(inode, attributes);
    return name;
  }

  /** The server made the name for this mount, which leads to the file of these attributes. */
  made(parent: DirectoryInode, key: string, attributes: Attributes, target: Buffer | null): Name {
    parent.directory.overtake(key);
    return this.found(parent, key, attributes, target);
  }

  /** A name does not exist. */
  notFound(parent: DirectoryInode, key: string): void {
    const known = parent.directory.names.get(key);
    if (known !== undefined && isNewer(known)) return;
    if (known !== undefined) this.#names.unbind(known);
    this.#absent(parent, key);
  }

  #absent(parent: DirectoryInode, key: string): void {
    if (this.#beliefs.believesNames(parent)) this.#names.addAbsence(parent, key);
  }

  /** Throws ESTALE where they are of another file. */
  told(inode: Inode, attributes: Attributes): void {
    if (inode.confirmed && inode.pending) return;
    if (!isSameFile(inode.attributes, attributes)) throw new Failure('ESTALE');
    // Others may have changed them while they were not believed.
    if (!inode.confirmed) inode.xattrs = undefined;
    inode.attributes = kept(attributes);
    inode.ctimeAtServer = inode.attributes.ctime;
    inode.confirmed = !inode.pending && this.#beliefs.believesAttributes(inode);
  }

  /** The server knows it no more: it was removed. */
  vanished(inode: Inode): void {
    if (inode.confirmed && inode.pending) return;
    inode.attributes = changed(inode.attributes, { nlink: 0 });
    inode.confirmed = false;
  }

  /**
   * A page of a listing, the first (`begin`) and the last one (`end`) said so; then the directory is known whole, if it
   * was believed all the time. Returns the names in the order told, without those that were removed here meanwhile: a
   * snapshot, for those that are learned later may push them out again. `of`: the listing that it is a page of, as it was in the
   * directory behind the first page; where there is another by now, or it was given up (directory.ts), pages tell nobody but
   * who asked. Throws EIO.
   */
  pageOf(
    parent: DirectoryInode,
    entries: Iterable<ListedEntry>,
    begin: boolean,
    end: boolean,
    of: Listing<Name> | null = parent.directory.listing ?? null,
  ): Name[] {
    const { directory } = parent;
    const current = directory.listing === of ? directory.listing : undefined;
    const listing = begin ? directory.begin() : current;
    if (listing !== undefined && !this.#beliefs.believesNames(parent)) listing.doubted = true;
    this.#names.listed(parent);
    const told: Name[] = [];
    for (const { key, attributes, target } of entries) {
      const known = directory.names.get(key);
      if (known !== undefined) listing?.untold.delete(known);
      if (listing?.overtaken.has(key) === false) {
        told.push(this.found(parent, key, attributes, target));
      } else if (known !== undefined) {
        told.push(known);
      } else if (listing === undefined) {
        told.push({ parent, key, inode: this.#names.identify(attributes), confirmed: false, position: 0 });
      }
    }
    if (end && listing !== undefined) this.#end(parent, listing);
    return told;
  }

  #end(parent: DirectoryInode, { untold, overtaken, doubted }: Listing<Name>): void {
    parent.directory.listing = undefined;
    for (const name of untold) {
      if (!overtaken.has(name.key) && !isNewer(name)) this.#names.unbind(name);
    }
    if (!doubted) this.#names.completed(parent);
  }

  /** A name was removed by the server for this mount. What is left of the file and the directory is to be told next. */
  gone(parent: DirectoryInode, key: string): void {
    const name = parent.directory.names.get(key);
    parent.directory.overtake(key);
    if (name !== undefined) {
      this.#lost(name.inode);
      this.#names.unbind(name);
    }
    parent.confirmed = false;
    this.#absent(parent, key);
  }

  /** The same for a name that was moved. `flags`: RENAME_*. */
  moved(parent: DirectoryInode, key: string, newParent: DirectoryInode, newKey: string, flags: number): void {
    const name = parent.directory.names.get(key);
    const target = newParent.directory.names.get(newKey);
    if (name !== undefined && name.inode === target?.inode) return;
    parent.directory.overtake(key);
    newParent.directory.overtake(newKey);
    parent.confirmed = false;
    newParent.confirmed = false;
    for (const each of [name, target]) if (each !== undefined) each.inode.confirmed = false;
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    const left = (): void => {
      if ((flags & RENAME_WHITEOUT) !== 0) this.#unknown(parent, key);
      else this.#absent(parent, key);
    };
    if (name === undefined || (exchange && target === undefined)) {
      if (target !== undefined) this.#names.unbind(target);
      if (name !== undefined) this.#names.unbind(name);
      this.#unknown(newParent, newKey);
      if (exchange) this.#unknown(parent, key);
      else left();
      return;
    }
    const confirmed = (each: DirectoryInode): boolean => this.#beliefs.believesNames(each);
    if (exchange && target !== undefined) {
      this.#names.exchange(name, target, confirmed);
      return;
    }
    if (target !== undefined) this.#lost(target.inode);
    this.#names.move(name, newParent, newKey, confirmed(newParent));
    left();
  }

  /** There is a name, and it is not known what it leads to. */
  #unknown(parent: DirectoryInode, key: string): void {
    parent.directory.giveUpListing();
    parent.directory.changed();
    this.#names.forgetAbsence(parent, key);
  }

  /** A file has a name less. */
  #lost(inode: Inode): void {
    const { nlink } = inode.attributes;
    const left = inode.isDirectory() ? 0 : Math.max(nlink - 1, 0);
    inode.attributes = changed(inode.attributes, { nlink: left });
    inode.confirmed = false;
  }
}

/** Whether what a name leads to was made or changed here, and the server does not know it yet. */
function isNewer({ confirmed, inode }: Name): boolean {
  return confirmed && inode.pending;
}

/** Whether a name was removed or moved away here, and the server does not know it yet. */
function isRemovedHere(parent: DirectoryInode, key: string): boolean {
  if (!parent.pending) return false;
  return parent.entries.some((entry) => {
    const { operation } = entry;
    if (!isUnsettled(entry)) return false;
    switch (operation.kind) {
      case UNLINK:
      case RMDIR:
      case RENAME:
        return operation.directory.ino === parent.attributes.ino && operation.name.toString('latin1') === key;
      default:
        return false;
    }
  });
}

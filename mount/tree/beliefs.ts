/**
 * What may be told, and what may be changed here: the one place that decides it.
 *
 * Every fact belongs to a unit of the leases. A fact is believed while it is confirmed and its unit is leased; a recall
 * of the unit ends both. A change may be made here where every unit that it touches is leased for writing, and all that
 * decides its outcome is known.
 *
 * A unit is found by what is confirmed only: of a file whose one name is a guess, nothing is believed.
 */
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from '../../protocol/operations.js';
import { MAX_NAME } from '../../protocol/limits.js';
import type { DirectoryInode, Inode, Name } from './inode.js';
import type { Namespace } from './namespace.js';

/** What is leased of a unit now. */
export interface LeasedUnits {
  /** For reading at least. */
  believes(unit: bigint): boolean;
  /** For writing. */
  owns(unit: bigint): boolean;
}

/** What the kernel knows of something that is not believed any more. */
export interface Doubts {
  readonly names: Name[];
  readonly inodes: Inode[];
}

export class Beliefs {
  readonly #names: Namespace;
  readonly #leases: LeasedUnits;

  constructor(names: Namespace, leases: LeasedUnits) {
    this.#names = names;
    this.#leases = leases;
  }

  /**
   * A directory is a unit: with its names, and with the files in it that have no other name. A file with several names, or
   * none any more, is one of its own. Undefined where it is not known in which directory a file is.
   */
  unitOf(inode: Inode): bigint | undefined {
    const { ino, nlink } = inode.attributes;
    if (inode.isDirectory() || nlink !== 1) return ino;
    let unit: bigint | undefined;
    for (const { parent, confirmed } of inode.names) {
      if (!confirmed) continue;
      // Two, of one that there is: one of them is out of date.
      if (unit !== undefined) return undefined;
      unit = parent.attributes.ino;
    }
    return unit;
  }

  /** Those of which one is unitOf(), also where that is not known. */
  possibleUnitsOf(inode: Inode): bigint[] {
    const { ino } = inode.attributes;
    return inode.isDirectory()
      ? [ino]
      : [ino, ...[...inode.names].map(({ parent }) => parent.attributes.ino)];
  }

  /** Whether what is told of names in the directory may be believed. */
  believesNames(directory: DirectoryInode): boolean {
    return this.#leases.believes(directory.attributes.ino);
  }

  /** Whether what is told of the inode may be believed. */
  believesAttributes(inode: Inode): boolean {
    const unit = this.unitOf(inode);
    return unit !== undefined && this.#leases.believes(unit);
  }

  knows(inode: Inode): boolean {
    return inode.confirmed && this.believesAttributes(inode);
  }

  /** What a name leads to; undefined where it is to be asked for. */
  lookup(parent: DirectoryInode, key: string): Name | 'absent' | undefined {
    if (parent.removed) return 'absent';
    if (!this.believesNames(parent)) return undefined;
    const { names, absent, complete } = parent.directory;
    const name = names.get(key);
    if (name !== undefined) return name.confirmed ? name : undefined;
    return complete || absent.has(key) ? 'absent' : undefined;
  }

  /** All names of a directory are known. */
  isWhole(parent: DirectoryInode): boolean {
    return parent.removed || (parent.directory.complete && this.believesNames(parent));
  }

  mayChange(inode: Inode): boolean {
    const unit = this.unitOf(inode);
    // A file that lost its last name is there for who has it open; for others only for a moment (removed-files.ts).
    if (inode.removed && !inode.isDirectory() && !inode.held) return false;
    return inode.confirmed && unit !== undefined && this.#leases.owns(unit);
  }

  mayChangeName(parent: DirectoryInode, key: string): boolean {
    // Nothing makes these two succeed.
    if (parent.removed || key.length > MAX_NAME) return true;
    if (!this.#leases.owns(parent.attributes.ino)) return false;
    const name = this.lookup(parent, key);
    return name === 'absent' || (name !== undefined && this.mayChange(name.inode));
  }

  /** Whether a name may be removed that leads to a directory: whether that is empty has to be known. */
  mayRmdir(parent: DirectoryInode, key: string): boolean {
    if (!this.mayChangeName(parent, key)) return false;
    const name = this.lookup(parent, key);
    return name === undefined || name === 'absent' || this.#knowsWhetherEmpty(name.inode);
  }

  mayRename(
    parent: DirectoryInode,
    key: string,
    newParent: DirectoryInode,
    newKey: string,
    flags: number,
  ): boolean {
    // The whiteout that it leaves has an id that only the server knows.
    if ((flags & RENAME_WHITEOUT) !== 0) return false;
    if (!this.mayChangeName(parent, key) || !this.mayChangeName(newParent, newKey)) return false;
    if (parent.removed || newParent.removed) return true;
    const name = this.lookup(parent, key);
    const target = this.lookup(newParent, newKey);
    if (name === undefined || name === 'absent' || target === undefined) return true;
    const directories = name.inode.isDirectory() || (target !== 'absent' && target.inode.isDirectory());
    const crosses = parent !== newParent && directories;
    if (crosses && !(this.#knowsWay(parent) && this.#knowsWay(newParent))) return false;
    return target === 'absent' || (flags & RENAME_EXCHANGE) !== 0 || this.#knowsWhetherEmpty(target.inode);
  }

  #knowsWhetherEmpty(inode: Inode): boolean {
    if (!inode.isDirectory()) return true;
    if (inode.directory.names.size === 0) return this.isWhole(inode);
    if (!this.believesNames(inode)) return false;
    for (const { confirmed } of inode.directory.names.values()) if (confirmed) return true;
    return false;
  }

  /** Whether it is known what is above a directory: what is moved across must not come below itself. */
  #knowsWay(directory: DirectoryInode): boolean {
    const way = this.#names.namesTo(directory);
    return way?.every(({ parent, confirmed }) => confirmed && this.believesNames(parent)) ?? false;
  }

  /** A unit is not leased any more: nothing of it is believed, whatever is leased later. Returns what the kernel knows. */
  doubt(unit: bigint): Doubts {
    const doubts: Doubts = { names: [], inodes: [] };
    const inode = this.#names.byIndex(unit);
    if (inode === undefined) return doubts;
    doubtAttributes(inode, doubts);
    if (inode.isDirectory()) {
      this.#doubtNames(inode, doubts);
      for (const { inode: file } of inode.directory.names.values()) {
        if (!file.isDirectory() && file.attributes.nlink <= 1) doubtAttributes(file, doubts);
      }
    }
    return doubts;
  }

  /** The unit of a file is not leased any more, as it is another one since its names changed. */
  doubtFile(inode: Inode): Doubts {
    const doubts: Doubts = { names: [], inodes: [] };
    doubtAttributes(inode, doubts);
    return doubts;
  }

  /** Nothing is leased any more. */
  doubtAll(inodes: Iterable<Inode>): Doubts {
    const doubts: Doubts = { names: [], inodes: [] };
    for (const inode of inodes) {
      doubtAttributes(inode, doubts);
      if (inode.isDirectory()) this.#doubtNames(inode, doubts);
    }
    return doubts;
  }

  #doubtNames(parent: DirectoryInode, { names }: Doubts): void {
    this.#names.forgetAbsences(parent);
    parent.directory.doubt();
    for (const name of parent.directory.names.values()) {
      name.confirmed = false;
      if (name.inode.lookups > 0) names.push(name);
    }
  }
}

function doubtAttributes(inode: Inode, { inodes }: Doubts): void {
  inode.confirmed = false;
  if (inode.lookups > 0) inodes.push(inode);
}

/**
 * Changes made here: whether they are allowed, with the errno that Linux gives, what they make of names and attributes,
 * and what they charge, as the server will when it carries them out.
 *
 * Invariants:
 * - A change that throws has changed nothing.
 * - Charged are the bytes of regular files and of extended attributes, and an inode for each file, hard links once. What loses
 *   its last name is given back then; a file that is open here, when it is closed.
 */
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK, S_ISGID } from '../../posix/flags.js';
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_NAME, MAX_TARGET } from '../../protocol/limits.js';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../protocol/operations.js';
import type { Charge } from '../log/entry.js';
import {
  changed,
  owned,
  ofNewDirectory,
  ofNewFile,
  ofNewSymlink,
  permitted,
  relinked,
  removed,
  renamed,
  resized,
  timed,
  withNames,
  written,
  type New,
} from './attributes.js';
import type { DirectoryInode, Inode, Name } from './inode.js';
import type { Namespace } from './namespace.js';
import { chargedXattrs, NO_XATTRS, type Xattrs } from './xattrs.js';

/** Names of one file (ext4; other disks allow more). */
const MAX_LINKS = 65_000;

const NOTHING: Charge = { bytes: 0, files: 0 };

/** A file to make. `mode`: type (of a directory: none needed) and permissions. */
export interface Making extends New {
  readonly mode: number;
}

/** A symbolic link to make. `id`: until the server has told its own, a provisional one, [0, ...]. */
export interface Linking extends New {
  readonly target: Buffer;
}

/** Attributes to change, as in the operation; 'now' is the time of the change. */
export interface AttributeChanges {
  readonly mode?: number | null | undefined;
  readonly size?: number | null | undefined;
  /** Only of a file that has an owner. */
  readonly uid?: number | null | undefined;
  readonly gid?: number | null | undefined;
  readonly atime?: Timestamp | 'now' | null | undefined;
  readonly mtime?: Timestamp | 'now' | null | undefined;
}

/** A name was removed. */
export interface Removed {
  /** What it led to. */
  readonly inode: Inode;
  readonly freed: Charge;
}

export interface Renamed extends Removed {
  /** What lost the new name to it. */
  readonly replaced: Inode | undefined;
}

export class Changes {
  readonly #names: Namespace;
  /** The mode of the root stays, whatever is asked, unless files have owners: it is the home itself. */
  readonly #rootIsHome: boolean;

  constructor(names: Namespace, rootIsHome: boolean) {
    this.#names = names;
    this.#rootIsHome = rootIsHome;
  }

  /**
   * Makes a regular file, FIFO or socket; a device where files have owners. EEXIST, ENOENT (the directory is removed),
   * ENAMETOOLONG, EPERM.
   */
  create(parent: DirectoryInode, key: string, making: Making): Inode {
    const { mode, time } = making;
    const type = mode & S_IFMT;
    if (!mayBeMade(type, parent)) throw new Failure('EPERM', 'device files are not kept in this home');
    const whole = (type || S_IFREG) | (mode & ~S_IFMT);
    return this.#make(parent, key, () => ofNewFile(making, whole), 0, time);
  }

  /** As `create`. Makes a directory that is known whole. */
  mkdir(parent: DirectoryInode, key: string, making: Making): Inode {
    // Some disks do not count subdirectories: as the root's tells.
    const nlink = this.#names.root.attributes.nlink < 2 ? 1 : 2;
    const inherited = making.mode | (parent.attributes.mode & S_ISGID);
    const inode = this.#make(parent, key, () => ofNewDirectory(making, inherited, nlink), 1, making.time);
    if (inode.isDirectory()) inode.directory.complete = true;
    return inode;
  }

  /** As `create`. ENOENT for an empty target. */
  symlink(parent: DirectoryInode, key: string, linking: Linking): Inode {
    const { target } = linking;
    if (target.length === 0) throw new Failure('ENOENT');
    if (target.length > MAX_TARGET) throw new Failure('ENAMETOOLONG');
    const inode = this.#make(parent, key, () => ofNewSymlink(linking, target), 0, linking.time);
    inode.target = Buffer.from(target);
    return inode;
  }

  #make(
    parent: DirectoryInode,
    key: string,
    attributes: () => Attributes,
    subdirectories: 0 | 1,
    time: Timestamp,
  ): Inode {
    requireFree(parent, key);
    const inode = this.#names.make(attributes());
    inode.xattrs = NO_XATTRS;
    this.#bind(parent, key, inode);
    inode.confirmed = true;
    parent.attributes = withNames(parent.attributes, subdirectories, time);
    return inode;
  }

  #bind(parent: DirectoryInode, key: string, inode: Inode): Name {
    parent.directory.overtake(key);
    return this.#names.bind(parent, key, inode, true);
  }

  /** As `create`. EPERM for directories, ENOENT for a file without a name, EMLINK. */
  link(inode: Inode, parent: DirectoryInode, key: string, time: Timestamp): Name {
    requireFree(parent, key);
    if (inode.isDirectory()) throw new Failure('EPERM', 'a directory has one name');
    if (inode.removed) throw new Failure('ENOENT');
    if (inode.attributes.nlink >= MAX_LINKS) throw new Failure('EMLINK');
    const name = this.#bind(parent, key, inode);
    inode.attributes = relinked(inode.attributes, 1, time);
    parent.attributes = withNames(parent.attributes, 0, time);
    return name;
  }

  /** ENOENT, ENAMETOOLONG, EISDIR. */
  unlink(parent: DirectoryInode, key: string, time: Timestamp): Removed {
    const name = requireName(parent, key);
    const { inode } = name;
    if (inode.isDirectory()) throw new Failure('EISDIR');
    this.#remove(name);
    parent.attributes = withNames(parent.attributes, 0, time);
    return { inode, freed: this.#lost(inode, time) };
  }

  /** ENOENT, ENAMETOOLONG, ENOTDIR, ENOTEMPTY. */
  rmdir(parent: DirectoryInode, key: string, time: Timestamp): Removed {
    const name = requireName(parent, key);
    const { inode } = name;
    requireEmptyDirectory(inode);
    this.#remove(name);
    parent.attributes = withNames(parent.attributes, -1, time);
    return { inode, freed: this.#lost(inode, time) };
  }

  #remove(name: Name): void {
    name.parent.directory.overtake(name.key);
    this.#names.unbind(name);
    this.#names.addAbsence(name.parent, name.key);
  }

  /** What losing a name makes of a file, and gives back. */
  #lost(inode: Inode, time: Timestamp): Charge {
    const { attributes } = inode;
    inode.attributes = inode.isDirectory() ? removed(attributes, time) : relinked(attributes, -1, time);
    return isCharged(inode) ? NOTHING : negative(charged(inode));
  }

  /**
   * As renameat2(2). `flags`: RENAME_NOREPLACE or RENAME_EXCHANGE. Two names of one file: nothing is done, as told by
   * `inode` and `replaced` being the same. ENOENT, ENAMETOOLONG, EEXIST, EINVAL, ENOTEMPTY, ENOTDIR, EISDIR.
   */
  rename(
    parent: DirectoryInode,
    key: string,
    newParent: DirectoryInode,
    newKey: string,
    flags: number,
    time: Timestamp,
  ): Renamed {
    const exchange = (flags & RENAME_EXCHANGE) !== 0;
    const noReplace = (flags & RENAME_NOREPLACE) !== 0;
    if ((flags & ~(RENAME_EXCHANGE | RENAME_NOREPLACE)) !== 0 || (exchange && noReplace)) {
      throw new Failure('EINVAL');
    }
    const name = requireName(parent, key);
    const target = exchange ? requireName(newParent, newKey) : nameOrNothing(newParent, newKey);
    if (noReplace && target !== undefined) throw new Failure('EEXIST');
    const { inode } = name;
    const replaced = target?.inode;
    if (parent !== newParent) {
      if (this.#names.isAbove(inode, newParent)) throw new Failure('EINVAL');
      if (replaced !== undefined && this.#names.isAbove(replaced, parent)) {
        throw new Failure(exchange ? 'EINVAL' : 'ENOTEMPTY');
      }
    }
    if (inode === replaced) return { inode, replaced, freed: NOTHING };
    return exchange && target !== undefined
      ? this.#exchange(name, target, time)
      : this.#move(name, newParent, newKey, replaced, time);
  }

  #exchange(name: Name, target: Name, time: Timestamp): Renamed {
    for (const { parent, key } of [name, target]) parent.directory.overtake(key);
    this.#names.exchange(name, target, () => true);
    for (const { inode } of [name, target]) inode.attributes = renamed(inode.attributes, time);
    const moved = countDirectory(name.inode) - countDirectory(target.inode);
    gained(name.parent, -moved, time);
    gained(target.parent, moved, time);
    return { inode: name.inode, replaced: undefined, freed: NOTHING };
  }

  #move(
    name: Name,
    newParent: DirectoryInode,
    newKey: string,
    replaced: Inode | undefined,
    time: Timestamp,
  ): Renamed {
    const { parent, inode } = name;
    if (replaced !== undefined) {
      if (inode.isDirectory()) requireEmptyDirectory(replaced);
      else if (replaced.isDirectory()) throw new Failure('EISDIR');
    }
    parent.directory.overtake(name.key);
    newParent.directory.overtake(newKey);
    this.#names.move(name, newParent, newKey, true);
    this.#names.addAbsence(parent, name.key);
    inode.attributes = renamed(inode.attributes, time);
    gained(parent, -countDirectory(inode), time);
    gained(newParent, countDirectory(inode) - countDirectory(replaced), time);
    return { inode, replaced, freed: replaced === undefined ? NOTHING : this.#lost(replaced, time) };
  }

  /** EISDIR and EINVAL for the size of what is no regular file. Returns what it charges. */
  setattr(inode: Inode, changes: AttributeChanges, time: Timestamp): Charge {
    const { mode, size, uid = null, gid = null, atime, mtime } = changes;
    let charge = NOTHING;
    if (isNumber(size)) {
      if (inode.isDirectory()) throw new Failure('EISDIR');
      if (!inode.isRegular) throw new Failure('EINVAL', 'not a regular file');
      charge = resize(inode, size, time);
    }
    if (uid !== null || gid !== null) inode.attributes = owned(inode.attributes, uid, gid, time);
    if (isNumber(mode)) {
      const isHome = inode === this.#names.root && this.#rootIsHome;
      const stays = isHome && inode.attributes.owner === null;
      inode.attributes = permitted(inode.attributes, stays ? inode.attributes.mode : mode, time);
    }
    inode.attributes = timed(inode.attributes, toSet(atime, time), toSet(mtime, time), time);
    return charge;
  }

  /** What it charges that a file has these extended attributes from now on. */
  chargeOfXattrs(inode: Inode, after: Xattrs): Charge {
    return { bytes: chargedXattrs(after) - chargedXattrs(inode.xattrs), files: 0 };
  }

  /** A file has these extended attributes from now on. Returns what it charges. */
  setXattrs(inode: Inode, after: Xattrs, time: Timestamp): Charge {
    const charge = this.chargeOfXattrs(inode, after);
    inode.attributes = changed(inode.attributes, { ctime: time });
    return charge;
  }

  /** [start, end) was written. Returns what it charges. */
  wrote(inode: Inode, start: number, end: number, time: Timestamp): Charge {
    const { size } = inode.attributes;
    inode.attributes = written(inode.attributes, start, end, time);
    return { bytes: inode.attributes.size - size, files: 0 };
  }

  /** A file was closed. The last time, without a name: it is gone, and what it charged is given back. */
  closed(inode: Inode): Charge {
    if (inode.opens > 0) return NOTHING;
    this.#names.release(inode);
    return inode.removed && !inode.isDirectory() ? negative(charged(inode)) : NOTHING;
  }
}

/** The name of a change, if there is one. ENOENT in a removed directory, ENAMETOOLONG. */
function nameOrNothing(parent: DirectoryInode, key: string): Name | undefined {
  if (parent.removed) throw new Failure('ENOENT');
  if (key.length > MAX_NAME) throw new Failure('ENAMETOOLONG');
  return parent.directory.names.get(key);
}

function requireName(parent: DirectoryInode, key: string): Name {
  const name = nameOrNothing(parent, key);
  if (name === undefined) throw new Failure('ENOENT');
  return name;
}

function requireFree(parent: DirectoryInode, key: string): void {
  if (nameOrNothing(parent, key) !== undefined) throw new Failure('EEXIST');
}

function mayBeMade(type: number, { attributes: { owner } }: DirectoryInode): boolean {
  if (type === S_IFCHR || type === S_IFBLK) return owner !== null;
  return type === 0 || type === S_IFREG || type === S_IFIFO || type === S_IFSOCK;
}

function requireEmptyDirectory(inode: Inode): void {
  if (!inode.isDirectory()) throw new Failure('ENOTDIR');
  if (inode.directory.names.size > 0) throw new Failure('ENOTEMPTY');
}

function gained(parent: DirectoryInode, subdirectories: number, time: Timestamp): void {
  parent.attributes = withNames(parent.attributes, subdirectories, time);
}

function countDirectory(inode: Inode | undefined): number {
  return inode !== undefined && inode.isDirectory() ? 1 : 0;
}

function resize(inode: Inode, size: number, time: Timestamp): Charge {
  const bytes = size - inode.attributes.size;
  inode.attributes = resized(inode.attributes, size, time);
  return { bytes, files: 0 };
}

/** What a file charges while it is there. */
function charged(inode: Inode): Charge {
  const data = inode.isRegular ? inode.attributes.size : 0;
  return { bytes: data + chargedXattrs(inode.xattrs), files: 1 };
}

/** Whether a file is there: it has a name, or is open. Directories go with their name. */
function isCharged(inode: Inode): boolean {
  return !inode.removed || (!inode.isDirectory() && inode.opens > 0);
}

function negative({ bytes, files }: Charge): Charge {
  return { bytes: 0 - bytes, files: -files };
}

function isNumber(value: number | null | undefined): value is number {
  return value !== null && value !== undefined;
}

function isTime(time: Timestamp | 'now' | null | undefined): time is Timestamp | 'now' {
  return time !== null && time !== undefined;
}

function toSet(time: Timestamp | 'now' | null | undefined, now: Timestamp): Timestamp | undefined {
  if (!isTime(time)) return undefined;
  return time === 'now' ? now : time;
}

/**
 * Which name leads to which inode, and which inodes are kept: the structure, without a word on what is believed of it.
 *
 * Invariants besides those of inode.ts:
 * - An inode that has a name, that the kernel knows, or that is open, is kept; no other is. What was below a directory that
 *   is not kept has lost that name.
 * - A name that the kernel, the log or an open file needs is never evicted, nor one that leads to a directory in which names
 *   are kept.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { remotePath, type RemotePath } from '../../protocol/ids.js';
import { MAX_PATH, MAX_PATH_NAMES } from '../../protocol/limits.js';
import type { FileId } from '../../protocol/references.js';
import { changed, isSameFile, kept } from './attributes.js';
import { Budget } from './budget.js';
import { Inode, shownIno, type DirectoryInode, type Name } from './inode.js';
import { Unsettled } from './unsettled.js';

/** What an inode is found by: its number; of a provisional id, [0, n], -n. */
export function indexOf({ ino, birth }: FileId): bigint {
  return ino === 0n ? -birth : ino;
}

export class Namespace {
  readonly root: DirectoryInode;
  readonly unsettled = new Unsettled<Inode>();
  readonly #basePath: string;
  /** By indexOf(). */
  readonly #byIndex = new Map<bigint, Inode>();
  readonly #budget: Budget;

  constructor(root: Attributes, path: RemotePath, maxNames: number, forget: (inodes: Inode[]) => void) {
    const inode = this.make(root);
    if (!inode.isDirectory()) throw new Failure('ENOTDIR', 'what is to be mounted is not a directory');
    this.root = inode;
    this.#basePath = path.toString('latin1');
    this.#byIndex.set(root.ino, inode);
    this.#budget = new Budget({
      limit: maxNames,
      evict: (directory, growing) => this.#evict(directory, growing),
      askBack: (directories, most) => forget([...knownOnly(directories, most)]),
    });
  }

  byIndex(index: bigint): Inode | undefined {
    return this.#byIndex.get(index);
  }

  /** By the id that it has, a provisional one, too. */
  byId(id: FileId): Inode | undefined {
    return this.#byIndex.get(indexOf(id));
  }

  all(): Iterable<Inode> {
    return this.#byIndex.values();
  }

  get kept(): number {
    return this.#budget.kept;
  }

  /** A new inode, which is kept only once it is bound. */
  make(attributes: Attributes): Inode {
    return new Inode(attributes, this.unsettled);
  }

  /** The inode of these attributes: known, or new, which is kept only once it is bound. A known one learns nothing here. */
  identify(attributes: Attributes): Inode {
    const known = this.#byIndex.get(attributes.ino);
    if (known !== undefined && isSameFile(known.attributes, attributes)) return known;
    return this.make(kept(attributes));
  }

  /** The inode that is kept of the same file: another one where it was forgotten meanwhile and found again. */
  keptOf(inode: Inode): Inode {
    const known = this.#byIndex.get(inode.attributes.ino);
    if (known !== undefined && isSameFile(known.attributes, inode.attributes)) return known;
    this.#register(inode);
    return inode;
  }

  /** The inode has another id from now on. */
  identified(inode: Inode, { ino, birth }: FileId): void {
    this.#unregister(inode);
    inode.formerIno ??= shownIno(inode);
    inode.attributes = changed(inode.attributes, { ino, birth });
    if (this.#isKept(inode)) this.#register(inode);
  }

  /** Puts an inode (back) where its id leads to it. */
  #register(inode: Inode): void {
    this.#byIndex.set(indexOf(inode.attributes), inode);
  }

  #unregister(inode: Inode): void {
    const index = indexOf(inode.attributes);
    if (this.#byIndex.get(index) === inode) this.#byIndex.delete(index);
  }

  /**
   * The name leads to the inode; what it led to before loses it. In a directory that is not kept the name is made, and
   * nothing knows of it. Throws EIO where a directory would be in itself.
   */
  bind(parent: DirectoryInode, key: string, inode: Inode, confirmed: boolean): Name {
    const { directory } = parent;
    this.forgetAbsence(parent, key);
    if (!confirmed) directory.complete = false;
    const known = directory.names.get(key);
    if (known?.inode === inode) {
      known.confirmed = confirmed;
      return known;
    }
    if (known !== undefined) this.unbind(known);
    if (inode.isDirectory()) this.#parts(inode, parent);
    const position = directory.nextPosition();
    const name: Name = { parent, key: flat(key), inode, confirmed, position };
    if (!this.#isKept(parent)) return { ...name, confirmed: false };
    this.#budget.makeRoom(parent);
    // A directory has one name: what else is said of it was said before it moved.
    if (inode.isDirectory()) for (const other of inode.names) this.#lose(other);
    directory.names.set(name.key, name);
    directory.changed();
    if (inode.names.size === 0) this.#register(inode);
    inode.names.add(name);
    this.#budget.add(parent, 1);
    return name;
  }

  /** Sees to it that `directory` is not above `parent`, so that it can come below. */
  #parts(directory: DirectoryInode, parent: DirectoryInode): void {
    if (directory === this.root || directory === parent) {
      throw new Failure('EIO', 'the server says that a directory is in itself');
    }
    // What is empty is above nothing: a new one need not be looked for all the way up.
    if (directory.directory.names.size === 0) return;
    for (const name of this.#upFrom(parent)) {
      if (name.parent !== directory) continue;
      // It was moved below what was below it: that went elsewhere first.
      this.unbind(name);
      return;
    }
  }

  /** The name leads nowhere any more. */
  unbind(name: Name): void {
    if (this.#lose(name)) this.release(name.inode);
  }

  /** The inode gets another name for this one; what that led to before loses it. Throws as `bind` does. */
  move(name: Name, parent: DirectoryInode, key: string, confirmed: boolean): Name {
    this.#lose(name);
    try {
      return this.bind(parent, key, name.inode, confirmed);
    } finally {
      this.release(name.inode);
    }
  }

  /** Two names change what they lead to. Throws as `bind` does. */
  exchange(one: Name, other: Name, confirmed: (parent: DirectoryInode) => boolean): void {
    this.#lose(one);
    this.#lose(other);
    try {
      this.bind(other.parent, other.key, one.inode, confirmed(other.parent));
      this.bind(one.parent, one.key, other.inode, confirmed(one.parent));
    } finally {
      this.release(one.inode);
      this.release(other.inode);
    }
  }

  /** The kernel does not know the inode any more. */
  forgotten(inode: Inode): void {
    this.#budget.spared();
    this.release(inode);
  }

  /** Forgets an inode that nothing needs any more, and what was known to be below it. */
  release(inode: Inode): void {
    const unneeded = [inode];
    for (let each = unneeded.pop(); each !== undefined; each = unneeded.pop()) {
      if (this.#isKept(each)) continue;
      this.#unregister(each);
      if (!each.isDirectory()) continue;
      for (const name of each.directory.names.values()) {
        this.#detach(name);
        unneeded.push(name.inode);
      }
      this.forgetAbsences(each);
    }
  }

  #isKept(inode: Inode): boolean {
    return inode === this.root || inode.names.size > 0 || inode.lookups > 0 || inode.opens > 0;
  }

  /** The name is not there any more. False where it was not. */
  #lose(name: Name): boolean {
    if (!this.#detach(name)) return false;
    name.parent.directory.changed();
    return true;
  }

  /** The name is not known any more. False where it was not. */
  #detach(name: Name): boolean {
    const { parent, key, inode } = name;
    if (parent.directory.names.get(key) !== name) return false;
    parent.directory.names.delete(key);
    parent.directory.listing?.untold.delete(name);
    inode.names.delete(name);
    this.#budget.add(parent, -1);
    return true;
  }

  /** The directory is known whole from now on. */
  completed(parent: DirectoryInode): void {
    this.forgetAbsences(parent);
    parent.directory.complete = true;
  }

  /** The directory is listed: others lose names before it does. */
  listed(parent: DirectoryInode): void {
    this.#budget.listed(parent);
  }

  /** The name does not exist. */
  addAbsence(parent: DirectoryInode, key: string): void {
    if (parent.directory.complete || !this.#isKept(parent)) return;
    this.#budget.makeRoom(parent);
    this.#budget.add(parent, parent.directory.addAbsent(flat(key)));
  }

  /** It is not known any more whether the name exists. */
  forgetAbsence(parent: DirectoryInode, key: string): void {
    if (parent.directory.absent.delete(key)) this.#budget.add(parent, -1);
  }

  forgetAbsences(parent: DirectoryInode): void {
    const { absent } = parent.directory;
    const { size } = absent;
    absent.clear();
    this.#budget.add(parent, -size);
  }

  /** Drops what is known of the names in a directory, as far as nothing needs it. `growing` stays known itself. */
  #evict(parent: DirectoryInode, growing: DirectoryInode): void {
    this.forgetAbsences(parent);
    for (const name of parent.directory.names.values()) {
      if (name.inode !== growing) this.#letGo(name);
    }
  }

  /** Names that are not likely to be wanted again: lets go of them where much is kept. */
  passed(names: Iterable<Name>): void {
    if (!this.#budget.crowded) return;
    for (const name of names) this.#letGo(name);
  }

  /** Drops a name that nothing needs. */
  #letGo(name: Name): void {
    if (isNeeded(name.inode) || !this.#detach(name)) return;
    name.parent.directory.doubt();
    this.release(name.inode);
  }

  /** The names that lead to a directory: its own, its parent's, and so on up to the root, or where it ends. */
  *#upFrom(directory: DirectoryInode): Generator<Name> {
    for (let at: Inode = directory; at !== this.root;) {
      const [name] = at.names;
      if (name === undefined) return;
      yield name;
      at = name.parent;
    }
  }

  /** Whether `directory` is `other` or above it. */
  isAbove(directory: Inode, other: DirectoryInode): boolean {
    if (!directory.isDirectory()) return false;
    if (directory === other) return true;
    for (const { parent } of this.#upFrom(other)) if (parent === directory) return true;
    return false;
  }

  /** The names that lead from the root to a directory, the last one first; undefined where some are not known. */
  namesTo(directory: DirectoryInode): Name[] | undefined {
    const names = [...this.#upFrom(directory)];
    return directory === this.root || names.at(-1)?.parent === this.root ? names : undefined;
  }

  /** The path of an inode in the home, by a name that is confirmed if there is one; undefined without, or where it is too long. */
  pathOf(inode: Inode): RemotePath | undefined {
    const keys: string[] = [];
    for (let at = inode; at !== this.root;) {
      const name = bestName(at);
      if (name === undefined) return undefined;
      keys.push(name.key);
      at = name.parent;
    }
    if (this.#basePath !== '') keys.push(this.#basePath);
    const path = keys.reverse().join('/');
    // The base is one key of several names: what it makes too deep the server refuses.
    if (path.length > MAX_PATH || keys.length > MAX_PATH_NAMES) return undefined;
    return remotePath(Buffer.from(path, 'latin1'));
  }
}

/** Inodes that have to stay known for no other reason than that the kernel knows them. */
function* knownOnly(directories: Iterable<DirectoryInode>, most: number): Generator<Inode> {
  let left = most;
  for (const { directory } of directories) {
    for (const { inode } of directory.names.values()) {
      if (inode.lookups === 0 || isUsed(inode)) continue;
      if (left-- === 0) return;
      yield inode;
    }
  }
}

/** Whether the name of an inode has to stay known. */
function isNeeded(inode: Inode): boolean {
  return inode.lookups > 0 || isUsed(inode);
}

/** Whether somebody else than the kernel needs it. */
function isUsed(inode: Inode): boolean {
  return inode.opens > 0 || inode.pending || (inode.isDirectory() && inode.directory.names.size > 0);
}

function bestName(inode: Inode): Name | undefined {
  let best: Name | undefined;
  for (const name of inode.names) {
    if (name.confirmed) return name;
    best ??= name;
  }
  return best;
}

/** The same string on its own: a slice would keep the text that it was cut from. */
function flat(key: string): string {
  return Buffer.from(key, 'latin1').toString('latin1');
}

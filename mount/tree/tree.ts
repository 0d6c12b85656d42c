/**
 * The tree of files as this mount knows it: pure and synchronous. The one door to this directory; what it is made of:
 *
 *   inode, directory      one file, its names
 *   namespace, budget     which name leads where; what is kept
 *   unsettled             which changes the server does not know
 *   numbers               what the kernel calls an inode, and whether it knows it
 *   beliefs               what may be told and changed
 *   learning              what the server tells
 *   changes, attributes   what is done here
 *   xattrs                extended attributes
 *
 * Keys of names are latin1 strings (inode.ts). A directory that a change or a fact is about has to be known to the kernel, or
 * have a name, or be open.
 */
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { NodeId, RemotePath } from '../../protocol/ids.js';
import { WHOLE_HOME } from '../../protocol/methods.js';
import type { FileId, FileRef } from '../../protocol/references.js';
import type { Charge } from '../log/entry.js';
import { Beliefs, type Doubts, type LeasedUnits } from './beliefs.js';
import {
  Changes,
  type AttributeChanges,
  type Linking,
  type Making,
  type Removed,
  type Renamed,
} from './changes.js';
import type { Listing } from './directory.js';
import type { DirectoryInode, Inode, Name } from './inode.js';
import { Learning, type ListedEntry } from './learning.js';
import { Namespace } from './namespace.js';
import { Numbers } from './numbers.js';
import { isUnsettled } from './unsettled.js';
import { KnownXattrs, NO_XATTRS, type Xattrs } from './xattrs.js';

/** Names kept in all directories together: 17 MiB. */
const MAX_NAMES = 28_000;

export type { Doubts };

export interface TreeOptions {
  /** Of the mounted directory, with its path in the home. */
  readonly root: Attributes;
  readonly path: RemotePath;
  readonly leases: LeasedUnits;
  readonly maxNames?: number;
  /** The kernel is to forget these, as there are too many, where no program uses them. */
  readonly forget?: (inodes: Inode[]) => void;
}

export class Tree {
  readonly root: DirectoryInode;
  readonly #names: Namespace;
  readonly #numbers: Numbers;
  readonly #beliefs: Beliefs;
  readonly #learning: Learning;
  readonly #changes: Changes;
  readonly #xattrs = new KnownXattrs();

  constructor({ root, path, leases, maxNames = MAX_NAMES, forget = () => undefined }: TreeOptions) {
    this.#names = new Namespace(root, path, maxNames, forget);
    this.root = this.#names.root;
    this.#numbers = new Numbers(this.root);
    this.#beliefs = new Beliefs(this.#names, leases);
    this.#learning = new Learning(this.#names, this.#beliefs);
    this.#changes = new Changes(this.#names, path.length === 0);
    this.#learning.told(this.root, root);
  }

  /** The inode of the kernel's number. Throws ESTALE. */
  get(id: NodeId): Inode {
    return this.#numbers.get(id);
  }

  /** The same, of a directory. Throws ENOTDIR too. */
  getDirectory(id: NodeId): DirectoryInode {
    const inode = this.#numbers.get(id);
    if (!inode.isDirectory()) throw new Failure('ENOTDIR');
    return inode;
  }

  /** The file of a number that the kernel knows, or knew before (numbers.ts). Throws ESTALE. */
  fileOf(id: NodeId): FileId {
    return this.#numbers.fileOf(id);
  }

  /** By what indexOf() says. */
  byIndex(index: bigint): Inode | undefined {
    return this.#names.byIndex(index);
  }

  byId(id: FileId): Inode | undefined {
    return this.#names.byId(id);
  }

  /** The kernel is told of the inode: counts a lookup and returns its number. */
  remember(inode: Inode): NodeId {
    return this.#numbers.remember(inode.nodeId === 0 ? this.#names.keptOf(inode) : inode);
  }

  /** The kernel is told of the inode by another number from now on. */
  renumber(inode: Inode): void {
    this.#numbers.renumber(inode);
  }

  /** The kernel gives lookups back. Returns the inode where it does not know it any more. */
  forget(id: NodeId, count: bigint): Inode | undefined {
    const forgotten = this.#numbers.forget(id, count);
    if (forgotten !== undefined) this.#names.forgotten(forgotten);
    return forgotten;
  }

  /** The inodes that are open here. */
  opened(): Inode[] {
    return [...this.#names.all()].filter(({ opens }) => opens > 0);
  }

  /** Entries of the log were settled: lets go of them. */
  settled(): void {
    this.#names.unsettled.settle();
  }

  /** The inodes that were changed here and whose changes the server has still to carry out; some more than once. */
  unsettled(): Iterable<Inode> {
    return this.#names.unsettled.inodes();
  }

  /** Names that are not likely to be wanted again: lets go of them where much is kept. */
  passed(names: Iterable<Name>): void {
    this.#names.passed(names);
  }

  /** How many names, and names known not to exist, are kept. */
  get kept(): number {
    return this.#names.kept;
  }

  // What is known

  /** What the name leads to; undefined where it has to be asked for. */
  lookup(parent: DirectoryInode, key: string): Name | 'absent' | undefined {
    return this.#beliefs.lookup(parent, key);
  }

  /** Whether the attributes (and data and target) are believed. */
  knows(inode: Inode): boolean {
    return this.#beliefs.knows(inode);
  }

  /** The extended attributes; undefined where they have to be asked for. */
  xattrsOf(inode: Inode): Xattrs | undefined {
    if (inode.isGone) return this.#xattrs.of(inode) ?? NO_XATTRS;
    return this.#beliefs.knows(inode) ? this.#xattrs.of(inode) : undefined;
  }

  /** Whether all names of a directory are known. */
  isWhole(parent: DirectoryInode): boolean {
    return this.#beliefs.isWhole(parent);
  }

  /** All names of a directory, as of now; undefined where they have to be asked for. */
  listing(parent: DirectoryInode): Name[] | undefined {
    if (!this.#beliefs.isWhole(parent)) return undefined;
    this.#names.listed(parent);
    return [...parent.directory.names.values()];
  }

  /** The unit of the leases that an inode's attributes and data belong to; undefined where it is not known. */
  unitOf(inode: Inode): bigint | undefined {
    return this.#beliefs.unitOf(inode);
  }

  /** The units that they may belong to. */
  possibleUnitsOf(inode: Inode): bigint[] {
    return this.#beliefs.possibleUnitsOf(inode);
  }

  /** Where an inode is in the home; undefined where it has no name, or is too deep. */
  pathOf(inode: Inode): RemotePath | undefined {
    return this.#names.pathOf(inode);
  }

  /** The inode for the server, with its path as a hint. */
  refOf(inode: Inode): FileRef {
    const { ino, birth } = inode.attributes;
    return { ino, birth, path: this.pathOf(inode) ?? null };
  }

  // What the server tells: learning.ts

  found(parent: DirectoryInode, key: string, attributes: Attributes, target: Buffer | null = null): Name {
    return this.#learning.found(parent, key, attributes, target);
  }

  made(parent: DirectoryInode, key: string, attributes: Attributes, target: Buffer | null = null): Name {
    return this.#learning.made(parent, key, attributes, target);
  }

  /** The server made a file without a name for this mount. */
  unnamed(attributes: Attributes): Inode {
    const inode = this.#names.identify(attributes);
    this.#learning.told(inode, attributes);
    return inode;
  }

  notFound(parent: DirectoryInode, key: string): void {
    this.#learning.notFound(parent, key);
  }

  told(inode: Inode, attributes: Attributes): void {
    this.#learning.told(inode, attributes);
  }

  vanished(inode: Inode): void {
    this.#learning.vanished(inode);
  }

  toldXattrs(inode: Inode, xattrs: Xattrs): void {
    if (!this.#beliefs.knows(inode) || inode.xattrs !== undefined) return;
    // They may be older than what was done here.
    if (inode.entries.some((entry) => isUnsettled(entry) && 'xattr' in entry.operation)) return;
    this.#xattrs.set(inode, xattrs);
  }

  forgetXattrs(inode: Inode): void {
    this.#xattrs.set(inode, undefined);
  }

  pageOf(
    parent: DirectoryInode,
    entries: Iterable<ListedEntry>,
    begin: boolean,
    end: boolean,
    of?: Listing<Name> | null,
  ): Name[] {
    return this.#learning.pageOf(parent, entries, begin, end, of);
  }

  gone(parent: DirectoryInode, key: string): void {
    this.#learning.gone(parent, key);
  }

  moved(parent: DirectoryInode, key: string, newParent: DirectoryInode, newKey: string, flags: number): void {
    this.#learning.moved(parent, key, newParent, newKey, flags);
  }

  /** The file has this id from now on. What was done to it here stays. */
  identified(inode: Inode, id: FileId): void {
    this.#names.identified(inode, id);
  }

  /** A unit is recalled: nothing of it is believed. Returns what the kernel knows of it. WHOLE_HOME: of everything. */
  doubt(unit: bigint): Doubts {
    return unit === WHOLE_HOME ? this.doubtAll() : this.#beliefs.doubt(unit);
  }

  /** The unit of a file is not leased, as it is another one since its names changed. Returns what the kernel knows of it. */
  doubtFile(inode: Inode): Doubts {
    return this.#beliefs.doubtFile(inode);
  }

  /** All leases are lost. */
  doubtAll(): Doubts {
    return this.#beliefs.doubtAll(new Set([...this.#names.all(), ...this.#numbers.all()]));
  }

  // What is done here: changes.ts. Each is to be done only where it may be.

  /** Whether what becomes of the name can be decided and changed here: by create, mkdir, symlink, link, unlink. */
  mayChangeName(parent: DirectoryInode, key: string): boolean {
    return this.#beliefs.mayChangeName(parent, key);
  }

  mayRmdir(parent: DirectoryInode, key: string): boolean {
    return this.#beliefs.mayRmdir(parent, key);
  }

  mayRename(
    parent: DirectoryInode,
    key: string,
    newParent: DirectoryInode,
    newKey: string,
    flags: number,
  ): boolean {
    return this.#beliefs.mayRename(parent, key, newParent, newKey, flags);
  }

  /** Whether attributes and data may be changed here; for a link, also the number of names. */
  mayChange(inode: Inode): boolean {
    return this.#beliefs.mayChange(inode);
  }

  create(parent: DirectoryInode, key: string, making: Making): Inode {
    return this.#changes.create(parent, key, making);
  }

  mkdir(parent: DirectoryInode, key: string, making: Making): Inode {
    return this.#changes.mkdir(parent, key, making);
  }

  symlink(parent: DirectoryInode, key: string, linking: Linking): Inode {
    return this.#changes.symlink(parent, key, linking);
  }

  link(inode: Inode, parent: DirectoryInode, key: string, time: Timestamp): Name {
    return this.#changes.link(inode, parent, key, time);
  }

  unlink(parent: DirectoryInode, key: string, time: Timestamp): Removed {
    return this.#changes.unlink(parent, key, time);
  }

  rmdir(parent: DirectoryInode, key: string, time: Timestamp): Removed {
    return this.#changes.rmdir(parent, key, time);
  }

  rename(
    parent: DirectoryInode,
    key: string,
    newParent: DirectoryInode,
    newKey: string,
    flags: number,
    time: Timestamp,
  ): Renamed {
    return this.#changes.rename(parent, key, newParent, newKey, flags, time);
  }

  setattr(inode: Inode, changes: AttributeChanges, time: Timestamp): Charge {
    return this.#changes.setattr(inode, changes, time);
  }

  wrote(inode: Inode, start: number, end: number, time: Timestamp): Charge {
    return this.#changes.wrote(inode, start, end, time);
  }

  chargeOfXattrs(inode: Inode, after: Xattrs): Charge {
    return this.#changes.chargeOfXattrs(inode, after);
  }

  setXattrs(inode: Inode, after: Xattrs, time: Timestamp): Charge {
    const charge = this.#changes.setXattrs(inode, after, time);
    this.#xattrs.set(inode, after);
    return charge;
  }

  /** To be called when `opens` has been counted down. */
  closed(inode: Inode): Charge {
    return this.#changes.closed(inode);
  }
}

/**
 * One file as the mount knows it, and its names.
 *
 * Invariants:
 * - An inode stands for one file, (inode number, time of birth), whatever its names. It may have several (hard links) or none
 *   (removed, but open or known to the kernel).
 * - A name in a directory's map is in its inode's set, and the other way round.
 * - A directory has one name at most, and is not below itself: walking up ends.
 *
 * `confirmed` says that a fact was told, or made here, while its unit was leased, and not doubted since. It may be believed
 * only while the unit is still leased (beliefs.ts).
 *
 * 100,000 files in 100 directories, as listings tell them: 613 bytes each, with its name (2026-11-26, Node 20.20).
 */
import { S_IFDIR, S_IFMT, S_IFREG } from '../../posix/flags.js';
import type { Attributes, Timestamp } from '../../protocol/attributes.js';
import type { Failure } from '../../protocol/failure.js';
import type { NodeId } from '../../protocol/ids.js';
import type { FileId } from '../../protocol/references.js';
import type { Entry } from '../log/entry.js';
import { Directory } from './directory.js';
import { Links } from './links.js';
import { isUnsettled, NO_ENTRIES, type Unsettled } from './unsettled.js';

/** A name in a directory and the inode that it leads to. */
export interface Name {
  readonly parent: DirectoryInode;
  /** Its bytes as a latin1 string: one character a byte, so that any bytes survive and maps need no objects as keys. */
  readonly key: string;
  readonly inode: Inode;
  confirmed: boolean;
  /** Where it comes in a listing of the directory: behind all names that were there before it (directory.ts). */
  readonly position: number;
}

/** What went wrong after a change was answered. `seen`: a program was told; who opens the file later is not. */
export interface Loss {
  readonly failure: Failure;
  seen: boolean;
}

export type DirectoryInode = Inode & { readonly directory: Directory<Name> };

/** Inode numbers of files that have one of their own until the server has made them: no disk's are so high. */
const FIRST_PROVISIONAL = 1n << 62n;

const NO_NODES: readonly NodeId[] = [];

export class Inode {
  /** As last told or made, whether it is believed or not. */
  attributes: Attributes;
  /** Whether the attributes (and the data) are confirmed. */
  confirmed = false;
  readonly directory: Directory<Name> | undefined;
  /** The target of a symbolic link, where it is known: it never changes. */
  target: Buffer | undefined;
  /** Its extended attributes, where they are known, by name; null: the value is not (xattrs.ts). */
  xattrs: ReadonlyMap<string, Buffer | null> | undefined;
  readonly names = new Links<Name>();
  /** The kernel's number of it; 0 while the kernel does not know it. */
  nodeId: NodeId | 0 = 0;
  /** Numbers of a directory that it had in the kernel before that one, and which the kernel still knows (numbers.ts). */
  formerNodes: readonly NodeId[] = NO_NODES;
  /** How often the kernel was told of it, by whatever number, and has not forgotten. */
  lookups = 0;
  /** How often the kernel has asked for it by a number. */
  asked = 0;
  /** How often the kernel was told of its attributes, or to forget them. */
  told = 0;
  /** The inode number that programs were told, where it is another by now: the server has made the file since. */
  formerIno: bigint | undefined;
  /** How often it is open here. */
  opens = 0;
  /** How many openings of it wait for the server. */
  openings = 0;
  /** The server keeps it for this mount, whatever happens to its names. */
  held = false;
  /** The entries of the log that made or changed it, in order, until they are settled. */
  entries: Entry[] = NO_ENTRIES;
  /** The ctime that it has at the server unless somebody else changes it; undefined: the server does not have it yet. */
  ctimeAtServer: Timestamp | undefined;
  /** The last one of its changes. */
  loss: Loss | undefined;
  readonly #unsettled: Unsettled<Inode>;

  constructor(attributes: Attributes, unsettled: Unsettled<Inode>) {
    this.attributes = attributes;
    this.directory = (attributes.mode & S_IFMT) === S_IFDIR ? new Directory() : undefined;
    this.#unsettled = unsettled;
  }

  get id(): FileId {
    const { ino, birth } = this.attributes;
    return { ino, birth };
  }

  /** All numbers by which the kernel knows it. */
  get nodes(): readonly NodeId[] {
    return this.nodeId === 0 ? this.formerNodes : [this.nodeId, ...this.formerNodes];
  }

  isDirectory(): this is DirectoryInode {
    return this.directory !== undefined;
  }

  get isRegular(): boolean {
    return (this.attributes.mode & S_IFMT) === S_IFREG;
  }

  /** Without a name: for ever, unless it was made so. */
  get removed(): boolean {
    return this.attributes.nlink === 0;
  }

  /** The latest change of it that the server has still to carry out. */
  get last(): Entry | undefined {
    this.#unsettled.settle();
    return this.entries.findLast(isUnsettled);
  }

  /** Whether it was changed here, and the server does not know it yet. */
  get pending(): boolean {
    return this.last !== undefined;
  }

  /** Removed, and no regular file, which the server keeps while it is open: only who has it open, or works in it, still sees it. */
  get isGone(): boolean {
    return this.removed && !this.isRegular;
  }

  /** An entry of the log changes it. */
  touched(entry: Entry): void {
    this.#unsettled.add(this, entry);
  }

  /** The log has settled an entry of it. */
  settled({ operation, state }: Entry): void {
    if (state !== 'applied' && state !== 'durable') return;
    if ('time' in operation && operation.time !== null) this.ctimeAtServer = operation.time;
  }
}

/**
 * The inode number that programs are told. It stays as long as the inode is kept here: a program that has a file open and finds
 * another number at its name takes it for replaced (SQLite).
 */
export function shownIno({ formerIno, attributes: { ino, birth } }: Inode): bigint {
  if (formerIno !== undefined) return formerIno;
  return ino === 0n ? FIRST_PROVISIONAL + birth : ino;
}

/**
 * The files that this mount knows: which name leads to which, under which number the kernel knows them.
 *
 * Invariants:
 * - A node stands for one file: (inode number, time of birth). Its names may change, and it may have several (hard
 *   links) or none (removed, but open or known to the kernel).
 * - A node that the kernel knows (lookups > 0), that has a name, or that is open, is in the table; no other is.
 * - Node numbers are never given twice, so the generation is always 0.
 * - A name in a directory's map is in its node's list, and the other way round.
 *
 * Names are kept as latin1 strings: one character a byte, so any bytes survive, and maps need no objects as keys.
 * Paths are not kept but built by walking up: a rename of a directory then costs nothing for what is below it.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import { nodeId, remotePath, ROOT_NODE, type NodeId, type RemotePath } from '../../protocol/ids.js';
import { MAX_NAME, MAX_PATH } from '../../protocol/limits.js';
import { S_IFDIR, S_IFMT, S_IFREG } from '../../posix/flags.js';
import { DirectoryState } from './directory-state.js';
import { FileState } from './file-state.js';
import { NEVER } from './freshness.js';

/** A name in a directory and the node it leads to. */
export interface Name {
  readonly parent: Node;
  readonly key: string;
  readonly node: Node;
  /** When the server last said so (Clock). */
  confirmedAt: number;
  /** The sequence number of the request that said so. */
  asOf: number;
}

export class Node {
  readonly ino: bigint;
  readonly birth: bigint;
  /** The kernel's number of the node; 0 while the kernel does not know it. */
  id = 0;
  /** How often the kernel was told of it and has not forgotten. */
  lookups = 0;
  names: Name[] = [];
  /** As the server last told them, in an answer to request `asOf`, at `confirmedAt` (NEVER: out of date). */
  attributes: Attributes;
  asOf: number;
  confirmedAt = NEVER;
  /** Answers to requests up to this one came before a change that was told since. */
  doubtedUpTo = 0;
  readonly directory: DirectoryState | undefined;
  readonly file: FileState | undefined;
  /** The target of a symlink, once read: it never changes. */
  target: Buffer | undefined;

  constructor(attributes: Attributes, asOf: number) {
    this.ino = attributes.ino;
    this.birth = attributes.birth;
    this.attributes = attributes;
    this.asOf = asOf;
    const type = attributes.mode & S_IFMT;
    this.directory = type === S_IFDIR ? new DirectoryState() : undefined;
    this.file = type === S_IFREG ? new FileState() : undefined;
  }

  /** What is known of its attributes is out of date, also what answers to earlier requests will tell. */
  doubt(sequence: number): void {
    this.confirmedAt = NEVER;
    this.doubtedUpTo = sequence;
  }
}

/** Names kept in all directories together; beyond, the directories listed longest ago are dropped. */
const MAX_NAMES = 100_000;

export class NodeTable {
  readonly root: Node;
  #basePath: string;
  readonly #byId = new Map<number, Node>();
  readonly #byIno = new Map<bigint, Node>();
  /** Directories whose names were listed, the longest ago first. */
  readonly #listed = new Set<Node>();
  #nextId: number = ROOT_NODE + 1;
  #nameCount = 0;
  #moves = 0;
  #strangersDoubtedUpTo = 0;

  /** `path` is the directory of the home that is mounted. */
  constructor(attributes: Attributes, path: RemotePath, now: number) {
    this.#basePath = path.toString('latin1');
    this.root = new Node(attributes, 0);
    this.root.id = ROOT_NODE;
    this.root.lookups = 1;
    this.root.confirmedAt = now;
    this.#byId.set(ROOT_NODE, this.root);
    this.#byIno.set(this.root.ino, this.root);
  }

  /** Throws ESTALE for a number that the kernel should not know. */
  get(id: NodeId): Node {
    const node = this.#byId.get(id);
    if (node === undefined) throw new Failure('ESTALE');
    return node;
  }

  /** The same, for a directory. Throws ENOTDIR too. */
  getDirectory(id: NodeId): Node & { readonly directory: DirectoryState } {
    const node = this.get(id);
    if (!isDirectory(node)) throw new Failure('ENOTDIR');
    return node;
  }

  /** The node of an inode number, if it is known. */
  byIno(ino: bigint): Node | undefined {
    return this.#byIno.get(ino);
  }

  /** A file changed that is not known: answers under way, to requests up to `sequence`, may tell of it as it was. */
  doubtStrangers(sequence: number): void {
    this.#strangersDoubtedUpTo = sequence;
  }

  all(): Iterable<Node> {
    return this.#byIno.values();
  }

  /** How often a node got another name: a path built before may be out of date. */
  get moves(): number {
    return this.#moves;
  }

  /** The node of these attributes: known, or new. A known one does not learn them here. */
  identify(attributes: Attributes, asOf: number): Node {
    const known = this.#byIno.get(attributes.ino);
    if (
      known !== undefined &&
      known.birth === attributes.birth &&
      ((known.attributes.mode ^ attributes.mode) & S_IFMT) === 0
    ) {
      return known;
    }
    const node = new Node(attributes, asOf);
    node.doubtedUpTo = this.#strangersDoubtedUpTo;
    this.#byIno.set(node.ino, node);
    return node;
  }

  /**
   * The name leads to the node, from the answer to request `asOf`. What it led to before loses it. Throws EIO where
   * the server says that a directory is in itself.
   */
  bind(
    parent: Node & { directory: DirectoryState },
    key: string,
    node: Node,
    asOf: number,
    now: number,
  ): Name {
    const { directory } = parent;
    const confirmedAt = asOf > directory.doubtedUpTo ? now : NEVER;
    directory.absent.delete(key);
    const known = directory.names.get(key);
    if (known?.node === node) {
      known.confirmedAt = confirmedAt;
      known.asOf = asOf;
      return known;
    }
    if (known !== undefined) this.unbind(known);
    if (node.directory !== undefined) this.#detachFrom(node, parent);
    const name: Name = { parent, key, node, confirmedAt, asOf };
    directory.names.set(key, name);
    directory.version++;
    if (node.names.push(name) === 1) this.#byIno.set(node.ino, node);
    else this.#moves++;
    this.#nameCount++;
    if (node.directory !== undefined) {
      // A directory has one name: what else is said of it was said before it moved.
      for (const other of node.names) if (other !== name) this.unbind(other);
    }
    return name;
  }

  /** Sees to it that `directory` is not above `parent`, so that it can come below: walking up has to end. */
  #detachFrom(directory: Node, parent: Node): void {
    if (directory === this.root || directory === parent) {
      throw new Failure('EIO', 'the server says that a directory is in itself');
    }
    for (let at = parent; at !== this.root;) {
      const name = at.names.at(-1);
      if (name === undefined) return;
      if (name.parent === directory) {
        // It was moved below what was below it: that went elsewhere first.
        this.unbind(name);
        return;
      }
      at = name.parent;
    }
  }

  /** The name leads to its node no more. */
  unbind(name: Name): void {
    const { parent, key, node } = name;
    if (parent.directory?.names.get(key) !== name) return;
    parent.directory.names.delete(key);
    parent.directory.version++;
    node.names = node.names.filter((each) => each !== name);
    this.#nameCount--;
    this.drop(node);
  }

  /** Counts a lookup and returns the kernel's number of the node. */
  remember(node: Node): NodeId {
    if (node.lookups++ === 0) {
      node.id = this.#nextId++;
      this.#byId.set(node.id, node);
      this.#byIno.set(node.ino, node);
    }
    return nodeId(node.id);
  }

  /** Gives back lookups. Returns the node where the kernel does not know it any more. */
  forget(id: NodeId, count: bigint): Node | undefined {
    const node = this.#byId.get(id);
    if (node === undefined || node === this.root) return undefined;
    node.lookups = Math.max(node.lookups - Number(count), 0);
    if (node.lookups > 0) return undefined;
    this.#byId.delete(id);
    node.id = 0;
    // The kernel dropped its pages with the node.
    node.file?.kernelForgot();
    if (node.directory !== undefined) node.directory.kernelVersion = undefined;
    this.drop(node);
    return node;
  }

  /** Forgets a node that nothing needs any more, with what was known to be below it. */
  drop(node: Node): void {
    if (node.lookups > 0 || node.names.length > 0 || (node.file?.handles.size ?? 0) > 0) return;
    if (this.#byIno.get(node.ino) === node) this.#byIno.delete(node.ino);
    this.#listed.delete(node);
    if (node.directory !== undefined) {
      for (const name of [...node.directory.names.values()]) this.unbind(name);
    }
  }

  /** A directory was listed. Drops others where too much is kept. */
  listed(directory: Node): void {
    this.#listed.delete(directory);
    this.#listed.add(directory);
    for (const oldest of this.#listed) {
      if (this.#nameCount <= MAX_NAMES || oldest === directory) return;
      this.#listed.delete(oldest);
      if (oldest.directory === undefined) continue;
      oldest.directory.complete = false;
      for (const name of [...oldest.directory.names.values()]) {
        if (name.node.lookups === 0) this.unbind(name);
      }
    }
  }

  /** The path of a node in the home, by its latest name; undefined when it has none. Throws ENAMETOOLONG. */
  pathOf(node: Node): RemotePath | undefined {
    const path = this.#textOf(node);
    return path === undefined ? undefined : toPath(path);
  }

  /** The path of a name in a directory. Throws ESTALE where the directory is gone, ENAMETOOLONG. */
  pathIn(directory: Node, key: string): RemotePath {
    const path = this.#textOf(directory);
    if (path === undefined) throw new Failure('ESTALE');
    return toPath(path === '' ? key : `${path}/${key}`);
  }

  #textOf(node: Node): string | undefined {
    let path = '';
    for (let at = node; at !== this.root;) {
      const name = at.names.at(-1);
      if (name === undefined) return undefined;
      path = path === '' ? name.key : `${name.key}/${path}`;
      at = name.parent;
    }
    if (this.#basePath === '') return path;
    return path === '' ? this.#basePath : `${this.#basePath}/${path}`;
  }

  /** The node that a path of the home leads to by known names; undefined where that is not known. */
  find(path: Buffer): Node | undefined {
    const text = path.toString('latin1');
    const base = this.#basePath;
    if (text === base) return this.root;
    const below = base === '' ? text : text.startsWith(`${base}/`) ? text.slice(base.length + 1) : undefined;
    if (below === undefined) return undefined;
    let node: Node | undefined = this.root;
    for (const key of below.split('/')) {
      node = node?.directory?.names.get(key)?.node;
      if (node === undefined) return undefined;
    }
    return node;
  }

  /** A directory was renamed that may lead to the mounted one. Paths of the home, as text. */
  movedBase(from: string, to: string): void {
    if (this.#basePath === from) this.#basePath = to;
    else if (this.#basePath.startsWith(`${from}/`)) this.#basePath = to + this.#basePath.slice(from.length);
    else return;
    this.#moves++;
  }
}

/** A name as the kernel gives it. Throws ENAMETOOLONG. */
export function keyOf(name: Buffer): string {
  if (name.length > MAX_NAME) throw new Failure('ENAMETOOLONG');
  return name.toString('latin1');
}

export function isDirectory(node: Node): node is Node & { readonly directory: DirectoryState } {
  return node.directory !== undefined;
}

export function isFile(node: Node): node is Node & { readonly file: FileState } {
  return node.file !== undefined;
}

function toPath(text: string): RemotePath {
  if (text.length > MAX_PATH) throw new Failure('ENAMETOOLONG');
  return remotePath(Buffer.from(text, 'latin1'));
}

/**
 * From paths, which libfuse's high-level interface speaks in, to nodes: a tree of names, each with the node that the
 * file system answered for it.
 *
 * Invariants:
 * - A dentry owns exactly one lookup of its node (see Filesystem.forget), and gives it back when it is neither in the
 *   tree nor held by anybody.
 * - A directory was used at least as recently as what is in it, so that the least recently used is a leaf.
 * - A name is believed as long as the file system allowed, and not after it was told otherwise: libfuse has no way to
 *   pass that on to the kernel, but here it counts.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_NODE, type NodeId } from '../../protocol/ids.js';
import type { Caller, Entry, Eventually, Filesystem } from '../operations.js';

/** Names kept: some 200 bytes each. */
const MAX_DENTRIES = 8192;

/** What V8 puts in place of bytes that are not UTF-8. A path that has it does not tell which file is meant. */
const REPLACEMENT_CHARACTER = '\uFFFD';

/** A name in the tree. */
export interface Dentry {
  readonly node: NodeId;
  readonly generation: bigint;
  readonly name: string;
  /** Undefined: the root, or not in the tree (any more). */
  parent: Dentry | undefined;
  readonly children: Map<string, Dentry>;
  /** On the clock of performance.now(). */
  validUntil: number;
  /** Operations and open files that use it. */
  holders: number;
}

/** Whether a name can be told to, and got back from, somebody who takes names as strings. */
export function isRepresentable(name: Buffer): boolean {
  return !name.toString().includes(REPLACEMENT_CHARACTER);
}

export class Dentries {
  readonly #filesystem: Filesystem;
  readonly #caller: Caller;
  readonly #capacity: number;
  readonly #root = dentry(ROOT_NODE, 0n, '', Infinity);
  /** All but the root, the least recently used first. */
  readonly #recent = new Set<Dentry>();
  /** Those that have or had children: a directory has one name. */
  readonly #directories = new Map<NodeId, Dentry>([[ROOT_NODE, this.#root]]);

  constructor(filesystem: Filesystem, caller: Caller, capacity = MAX_DENTRIES) {
    this.#filesystem = filesystem;
    this.#caller = caller;
    this.#capacity = capacity;
  }

  /** The dentry at a path, held until it is released. Throws a Failure: ENOENT, ENOTDIR, EINVAL (not UTF-8) ... */
  async hold(path: string): Promise<Dentry> {
    return this.#walk(components(path));
  }

  /** Runs an operation on the node at a path. */
  async use<T>(path: string, operation: (node: NodeId) => Eventually<T>): Promise<T> {
    return this.#using(await this.hold(path), (held) => operation(held.node));
  }

  /** Runs an operation on the directory of a path and the last name in it. */
  async useParent<T>(path: string, operation: (parent: Dentry, name: Buffer) => Eventually<T>): Promise<T> {
    const names = components(path);
    const name = names.pop();
    if (name === undefined) throw new Failure('EBUSY'); // the root has no name
    return this.#using(await this.#walk(names), (held) => operation(held, Buffer.from(name)));
  }

  async #using<T>(held: Dentry, operation: (held: Dentry) => Eventually<T>): Promise<T> {
    try {
      return await operation(held);
    } catch (error) {
      // The kernel tries again after this, and must not find the same node.
      if (error instanceof Failure && error.kind === 'ESTALE') this.#drop(held);
      throw error;
    } finally {
      this.release(held);
    }
  }

  release(held: Dentry): void {
    held.holders--;
    this.#forgetUnused(held);
  }

  /** Puts an entry that the file system answered in the tree, with the lookup it counted. Held until released. */
  adopt(parent: Dentry, name: Buffer, entry: Entry): Dentry {
    const adopted = this.#insert(parent, name, entry);
    adopted.holders++;
    return adopted;
  }

  #insert(parent: Dentry, name: Buffer, entry: Entry): Dentry {
    const text = name.toString();
    const validUntil = performance.now() + entry.entryValidMs;
    const known = parent.children.get(text);
    if (known?.node === entry.nodeId && known.generation === entry.generation) {
      this.#filesystem.forget(entry.nodeId, 1n);
      known.validUntil = validUntil;
      this.#touch(known);
      return known;
    }
    if (known !== undefined) this.#drop(known);
    const added = dentry(entry.nodeId, entry.generation, text, validUntil);
    if (parent !== this.#root && parent.parent === undefined) return added; // it was dropped meanwhile
    added.parent = parent;
    parent.children.set(text, added);
    this.#directories.set(parent.node, parent);
    this.#touch(added);
    return added;
  }

  /** Drops a name, and what is below it. */
  invalidate(parent: NodeId, name: Buffer): void {
    const known = this.#directories.get(parent)?.children.get(name.toString());
    if (known !== undefined) this.#drop(known);
  }

  async #walk(names: readonly string[]): Promise<Dentry> {
    let held = this.#root;
    held.holders++;
    for (const name of names) {
      const parent = held;
      try {
        const known = parent.children.get(name);
        if (known !== undefined && known.validUntil > performance.now()) {
          known.holders++;
          held = known;
        } else {
          held = await this.#lookup(parent, name);
        }
      } finally {
        this.release(parent);
      }
    }
    this.#touch(held);
    return held;
  }

  async #lookup(parent: Dentry, name: string): Promise<Dentry> {
    const bytes = Buffer.from(name);
    const entry = await this.#filesystem.lookup(parent.node, bytes, this.#caller);
    if (entry.nodeId !== undefined) return this.adopt(parent, bytes, entry);
    this.invalidate(parent.node, bytes);
    throw new Failure('ENOENT');
  }

  #touch(used: Dentry): void {
    for (let at: Dentry | undefined = used; at?.parent !== undefined; at = at.parent) {
      this.#recent.delete(at);
      this.#recent.add(at);
    }
    for (const oldest of this.#recent) {
      if (this.#recent.size <= this.#capacity) break;
      this.#drop(oldest);
    }
  }

  #drop(dropped: Dentry): void {
    if (dropped.parent === undefined) return;
    for (const child of dropped.children.values()) this.#drop(child);
    dropped.parent.children.delete(dropped.name);
    dropped.parent = undefined;
    this.#recent.delete(dropped);
    if (this.#directories.get(dropped.node) === dropped) this.#directories.delete(dropped.node);
    this.#forgetUnused(dropped);
  }

  #forgetUnused(unused: Dentry): void {
    if (unused.holders > 0 || unused.parent !== undefined || unused === this.#root) return;
    this.#filesystem.forget(unused.node, 1n);
  }
}

function dentry(node: NodeId, generation: bigint, name: string, validUntil: number): Dentry {
  return { node, generation, name, parent: undefined, children: new Map(), validUntil, holders: 0 };
}

/** The names of a path of libfuse: '/a/b' and '/'. Throws EINVAL where one is not UTF-8. */
function components(path: string): string[] {
  if (path.includes(REPLACEMENT_CHARACTER)) throw new Failure('EINVAL', 'a name is not UTF-8');
  return path.split('/').filter((name) => name !== '');
}

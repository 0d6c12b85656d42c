/**
 * What the server tells unasked: what other sessions changed. And what nobody told while the connection was lost.
 *
 * Knowledge is only taken away here, or moved along with a rename, so that who works in a directory that was renamed
 * elsewhere goes on working in it. The kernel is told the same.
 */
import type { NodeId } from '../../protocol/ids.js';
import {
  CHANGED_ALL,
  CHANGED_NAME,
  CHANGED_NODE,
  CHANGED_RENAME,
  type Change,
} from '../../protocol/methods.js';
import type { MountState } from './mount-state.js';
import type { Names } from './names.js';
import { isDirectory, type Node } from './nodes.js';

export class Invalidation {
  readonly #mount: MountState;
  readonly #names: Names;

  constructor(mount: MountState, names: Names) {
    this.#mount = mount;
    this.#names = names;
  }

  changed(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change[0]) {
        case CHANGED_NAME:
          this.#nameChanged(change[1], change[2].toString('latin1'));
          break;
        case CHANGED_NODE:
          this.#nodeChanged(this.#mount.nodes.byIno(change[1]));
          break;
        case CHANGED_RENAME:
          this.#renamed(change[1], change[2], change[3], change[4], change[5]);
          break;
        case CHANGED_ALL:
          this.everything();
          break;
      }
    }
  }

  #nameChanged(path: Buffer, key: string): void {
    const directory = this.#mount.nodes.find(path);
    if (directory === undefined || !isDirectory(directory)) return;
    const sequence = this.#mount.remote.sequence;
    // Its link count changed, if nothing else: there may be other links, or it is still open.
    directory.directory.names.get(key)?.node.doubt(sequence);
    directory.directory.doubt(key, sequence);
    directory.doubt(sequence);
    this.#tellDirectory(directory);
    this.#tellName(directory, key);
  }

  #nodeChanged(node: Node | undefined): void {
    const { nodes, remote } = this.#mount;
    if (node === undefined) return nodes.doubtStrangers(remote.sequence);
    node.doubt(remote.sequence);
    this.#mount.dataChanged(node);
  }

  #renamed(path: Buffer, name: Buffer, newPath: Buffer, newName: Buffer, exchanged: boolean): void {
    const { nodes, remote } = this.#mount;
    const key = name.toString('latin1');
    const newKey = newName.toString('latin1');
    const from = nodes.find(path);
    const to = nodes.find(newPath);
    if (from !== undefined && to !== undefined && isDirectory(from) && isDirectory(to)) {
      this.#names.renamed(from, key, to, newKey, exchanged, remote.sequence);
      // Requests that are under way may tell of the time before.
      from.directory.doubt(key, remote.sequence);
      to.directory.doubt(newKey, remote.sequence);
    } else {
      // One end is out of sight: the other lost a name, or got one.
      this.#nameChanged(path, key);
      this.#nameChanged(newPath, newKey);
    }
    for (const [directory, changed] of [
      [from, key],
      [to, newKey],
    ] as const) {
      if (directory === undefined) continue;
      this.#tellDirectory(directory);
      this.#tellName(directory, changed);
    }
    const source = join(path, key);
    const target = join(newPath, newKey);
    nodes.movedBase(source, target);
    if (exchanged) nodes.movedBase(target, source);
  }

  /** Nothing that was known is sure any more. */
  everything(): void {
    const { nodes, remote } = this.#mount;
    const { sequence } = remote;
    for (const node of nodes.all()) {
      node.doubt(sequence);
      const { directory, file } = node;
      if (directory !== undefined) {
        directory.age();
        directory.doubtedUpTo = sequence;
        // Not the names of directories: the kernel would take them from under working directories (getcwd
        // fails then), and believes them for no more than FRESH_MS anyway.
        for (const { key, node: child } of directory.names.values()) {
          if (child.lookups > 0 && child.directory === undefined) this.#tellName(node, key);
        }
      }
      // Whether the data of a file that is not open changed shows when it is opened, by its attributes.
      if (file !== undefined && file.handles.size > 0) this.#mount.dataChanged(node);
      else if (node.lookups > 0)
        this.#mount.caches.invalidateNode(node.id as NodeId, directory === undefined ? -1 : 0, 0);
    }
  }

  /** The kernel's attributes of a directory, and its cache of the listing, which are the pages of the node. */
  #tellDirectory(directory: Node): void {
    if (directory.lookups > 0) this.#mount.caches.invalidateNode(directory.id as NodeId, 0, 0);
  }

  #tellName(directory: Node, key: string): void {
    if (directory.lookups > 0) {
      this.#mount.caches.invalidateEntry(directory.id as NodeId, Buffer.from(key, 'latin1'));
    }
  }
}

function join(path: Buffer, key: string): string {
  return path.length === 0 ? key : `${path.toString('latin1')}/${key}`;
}

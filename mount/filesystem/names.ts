/**
 * Operations that make, remove and move names. The server does them; what is known here follows its answer, so that
 * a directory whose names were known stays known.
 *
 * Invariant: an operation whose outcome is not known here (interrupted, timed out), or whose failure contradicts
 * what was known, leaves its names to be asked for again.
 */
import type { Attributes } from '../../protocol/attributes.js';
import { Failure, type FailureKind } from '../../protocol/failure.js';
import { MAX_PATH } from '../../protocol/limits.js';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../protocol/methods.js';
import { S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../posix/flags.js';
import type { Interruptible } from '../remote/interruption.js';
import type { DirectoryState } from './directory-state.js';
import type { MountState } from './mount-state.js';
import { keyOf, type Name, type Node } from './nodes.js';
import type { Entry } from './operations.js';
import type { Resolution } from './resolution.js';

type DirectoryNode = Node & { readonly directory: DirectoryState };

const PERMISSIONS = 0o7777;

/** Failures that leave no doubt about names: nothing was done, and nothing that was believed is wrong. */
const CLEAR: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'EDQUOT',
  'ENOSPC',
  'EACCES',
  'EPERM',
  'EROFS',
  'EMLINK',
  'ENAMETOOLONG',
]);

export class Names {
  readonly #mount: MountState;
  readonly #resolution: Resolution;

  constructor(mount: MountState, resolution: Resolution) {
    this.#mount = mount;
    this.#resolution = resolution;
  }

  mkdir(parent: DirectoryNode, name: Buffer, mode: number, caller: Interruptible): Promise<Entry> {
    const key = keyOf(name);
    const permissions = mode & PERMISSIONS;
    return this.#make(
      'mkdir',
      parent,
      key,
      () => [permissions],
      caller,
      (node) => {
        // Only who made it knows of it yet.
        if (node.directory === undefined) return;
        node.directory.complete = true;
        node.directory.listedAt = this.#mount.now();
      },
    );
  }

  mknod(parent: DirectoryNode, name: Buffer, mode: number, caller: Interruptible): Promise<Entry> {
    const type = mode & S_IFMT || S_IFREG;
    if (type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK) {
      throw new Failure('EPERM', 'device files are not kept in homes');
    }
    return this.#make('mknod', parent, keyOf(name), () => [type | (mode & PERMISSIONS)], caller);
  }

  symlink(parent: DirectoryNode, name: Buffer, target: Buffer, caller: Interruptible): Promise<Entry> {
    if (target.length > MAX_PATH) throw new Failure('ENAMETOOLONG');
    const kept = Buffer.from(target);
    return this.#make(
      'symlink',
      parent,
      keyOf(name),
      () => [kept],
      caller,
      (node) => {
        node.target = kept;
      },
    );
  }

  link(node: Node, parent: DirectoryNode, name: Buffer, caller: Interruptible): Promise<Entry> {
    const key = keyOf(name);
    const { nodes } = this.#mount;
    const linked = this.#mount.ask(
      'link',
      () => {
        const existing = nodes.pathOf(node);
        // Without a name it cannot be linked, just as link(2) by /proc/self/fd without AT_SYMLINK_FOLLOW.
        if (existing === undefined) throw new Failure('ENOENT');
        return [existing, nodes.pathIn(parent, key)];
      },
      caller,
      (attributes, sequence) => this.#madeEntry(parent, key, attributes, sequence),
      { failed: (failure, sequence) => this.failed(parent, key, failure, sequence) },
    );
    this.#mount.follow(parent);
    return linked;
  }

  #make(
    method: 'mkdir' | 'mknod' | 'symlink',
    parent: DirectoryNode,
    key: string,
    rest: () => unknown[],
    caller: Interruptible,
    made?: (node: Node) => void,
  ): Promise<Entry> {
    const making = this.#mount.ask(
      method,
      () => [this.#mount.nodes.pathIn(parent, key), ...rest()],
      caller,
      (attributes, sequence) => {
        const entry = this.#madeEntry(parent, key, attributes, sequence);
        made?.(this.#mount.nodes.get(entry.nodeId));
        return entry;
      },
      { failed: (failure, sequence) => this.failed(parent, key, failure, sequence) },
    );
    this.#mount.follow(parent);
    return making;
  }

  #madeEntry(parent: DirectoryNode, key: string, attributes: Attributes, sequence: number): Entry {
    const name = this.made(parent, key, attributes, sequence);
    return this.#mount.entry(name.node, name.confirmedAt);
  }

  /** The server made a name, or found it where that was as good. */
  made(parent: DirectoryNode, key: string, attributes: Attributes, sequence: number): Name {
    const name = this.#resolution.found(parent, key, attributes, sequence, true);
    this.#mount.directoryChanged(parent, sequence);
    return name;
  }

  /** Making or removing a name failed. */
  failed(parent: DirectoryNode, key: string, failure: Failure, sequence: number): void {
    if (!CLEAR.has(failure.kind)) parent.directory.doubt(key, sequence);
  }

  remove(
    method: 'unlink' | 'rmdir',
    parent: DirectoryNode,
    name: Buffer,
    caller: Interruptible,
  ): Promise<void> {
    const key = keyOf(name);
    openBeforeRemoval(parent.directory.names.get(key), this.#mount.remote.sequence);
    const removing = this.#mount.ask(
      method,
      () => [this.#mount.nodes.pathIn(parent, key)],
      caller,
      (_nil, sequence) => this.#removed(parent, key, sequence),
      {
        failed: (failure, sequence) => {
          // That a directory is not empty says nothing about its own name.
          if (failure.kind !== 'ENOTEMPTY') this.failed(parent, key, failure, sequence);
        },
      },
    );
    this.#mount.follow(parent);
    return removing;
  }

  #removed(parent: DirectoryNode, key: string, sequence: number): void {
    const { directory } = parent;
    this.#mount.directoryChanged(parent, sequence);
    const name = directory.names.get(key);
    if (name !== undefined) {
      if (name.asOf > sequence) return;
      this.#mount.nodes.unbind(name);
      name.node.doubt(sequence);
    }
    directory.removed?.set(key, sequence);
    directory.addAbsent(key, sequence, this.#mount.now());
  }

  rename(
    parent: DirectoryNode,
    name: Buffer,
    newParent: DirectoryNode,
    newName: Buffer,
    flags: number,
    caller: Interruptible,
  ): Promise<void> {
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) throw new Failure('EINVAL');
    const { nodes } = this.#mount;
    const key = keyOf(name);
    const newKey = keyOf(newName);
    if ((flags & RENAME_EXCHANGE) === 0)
      openBeforeRemoval(newParent.directory.names.get(newKey), this.#mount.remote.sequence);
    const renaming = this.#mount.ask(
      'rename',
      () => [nodes.pathIn(parent, key), nodes.pathIn(newParent, newKey), flags],
      caller,
      (_nil, sequence) =>
        this.renamed(parent, key, newParent, newKey, (flags & RENAME_EXCHANGE) !== 0, sequence),
      {
        failed: (failure, sequence) => {
          if (failure.kind === 'ENOTEMPTY') return;
          this.failed(parent, key, failure, sequence);
          this.failed(newParent, newKey, failure, sequence);
        },
      },
    );
    this.#mount.follow(parent);
    if (newParent !== parent) this.#mount.follow(newParent);
    return renaming;
  }

  /** The server renamed, by request `sequence` or, where another session asked for it, after that one. */
  renamed(
    parent: DirectoryNode,
    key: string,
    newParent: DirectoryNode,
    newKey: string,
    exchanged: boolean,
    sequence: number,
  ): void {
    const { nodes, now } = this.#mount;
    this.#mount.directoryChanged(parent, sequence);
    this.#mount.directoryChanged(newParent, sequence);
    const moved = parent.directory.names.get(key);
    const target = newParent.directory.names.get(newKey);
    // Two links of one file: rename(2) does nothing, or nothing that shows.
    if (moved !== undefined && moved.node === target?.node) return;
    for (const each of [moved, target]) each?.node.doubt(sequence);
    if (moved === undefined || (exchanged && target === undefined)) {
      if (moved !== undefined) nodes.unbind(moved);
      if (target !== undefined) nodes.unbind(target);
      parent.directory.doubt(key, sequence);
      newParent.directory.doubt(newKey, sequence);
      return;
    }
    nodes.bind(newParent, newKey, moved.node, sequence, now());
    if (exchanged && target !== undefined) {
      nodes.bind(parent, key, target.node, sequence, now());
      return;
    }
    nodes.unbind(moved);
    parent.directory.removed?.set(key, sequence);
    parent.directory.addAbsent(key, sequence, now());
  }
}

/** Files that are open here and were not opened at the server yet have to be, before their name goes. */
function openBeforeRemoval(name: Name | undefined, sequence: number): void {
  for (const handle of name?.node.file?.handles ?? []) handle.openNow();
  // Who opens it from now on has to ask the server.
  name?.node.doubt(sequence);
}

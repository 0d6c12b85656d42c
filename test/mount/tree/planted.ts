/*
 * Trees to test with: attributes as a server tells them, leases that the test gives and takes, and entries of a log.
 */
import type { Attributes, Timestamp } from '../../../protocol/attributes.js';
import { Failure, type FailureKind } from '../../../protocol/failure.js';
import { remotePath, ROOT_PATH } from '../../../protocol/ids.js';
import type { LogOperation } from '../../../protocol/operations.js';
import { Entry } from '../../../mount/log/entry.js';
import type { LeasedUnits } from '../../../mount/tree/beliefs.js';
import type { DirectoryInode, Inode, Name } from '../../../mount/tree/inode.js';
import { Tree } from '../../../mount/tree/tree.js';

export const REGULAR = 0o100644;
export const DIRECTORY = 0o040755;
export const SYMLINK = 0o120777;
export const ROOT_INO = 2n;
/** The times of everything that was not changed by a test, and of what the test does next. */
export const LONG_AGO: Timestamp = { sec: 1, nsec: 0 };
export const NOW: Timestamp = { sec: 1000, nsec: 7 };

/** As a server tells them. */
export function attributesOf(
  ino: number | bigint,
  mode = REGULAR,
  changes: Partial<Attributes> = {},
): Attributes {
  return {
    ...{ ino: BigInt(ino), birth: 5n, mode, nlink: mode === DIRECTORY ? 2 : 1, size: 0, blocks: 0, rdev: 0 },
    ...{ atime: LONG_AGO, mtime: LONG_AGO, ctime: LONG_AGO, owner: null },
    ...changes,
  };
}

/** Leases that hold everything but what the test takes away. */
export class GivenLeases implements LeasedUnits {
  /** Neither to be believed nor to be changed. */
  readonly recalled = new Set<bigint>();
  /** To be believed only. */
  readonly shared = new Set<bigint>();

  believes(unit: bigint): boolean {
    return !this.recalled.has(unit);
  }

  owns(unit: bigint): boolean {
    return this.believes(unit) && !this.shared.has(unit);
  }
}

export interface Planted {
  readonly tree: Tree;
  readonly leases: GivenLeases;
  readonly root: DirectoryInode;
}

/** A tree of which only the root is known; of that all names, which are none, if `whole`. */
interface PlantOptions {
  whole?: boolean;
  maxNames?: number;
  path?: string;
  forget?: (inodes: Inode[]) => void;
}

export function plant(options: PlantOptions = {}): Planted {
  const leases = new GivenLeases();
  const tree = new Tree({
    root: attributesOf(ROOT_INO, DIRECTORY),
    path: options.path === undefined ? ROOT_PATH : remotePath(Buffer.from(options.path)),
    leases,
    ...(options.maxNames === undefined ? {} : { maxNames: options.maxNames }),
    ...(options.forget === undefined ? {} : { forget: options.forget }),
  });
  if (options.whole === true) tree.pageOf(tree.root, [], true, true);
  return { tree, leases, root: tree.root };
}

let made = 1000n;

/** An id that no other file has. */
export function newId(): { ino: bigint; birth: bigint } {
  return { ino: ++made, birth: 9n };
}

export function makeDirectory(tree: Tree, parent: DirectoryInode, key: string): DirectoryInode {
  return asDirectory(tree.mkdir(parent, key, { id: newId(), mode: 0o755, time: NOW }));
}

export function makeFile(tree: Tree, parent: DirectoryInode, key: string): Inode {
  return tree.create(parent, key, { id: newId(), mode: REGULAR, time: NOW });
}

export function asDirectory(inode: Inode): DirectoryInode {
  if (!inode.isDirectory()) throw new Error('not a directory');
  return inode;
}

/** The inode that a name is known to lead to. */
export function known(tree: Tree, parent: DirectoryInode, key: string): Inode {
  return asName(tree.lookup(parent, key)).inode;
}

export function asName(found: Name | 'absent' | undefined): Name {
  if (found === undefined || found === 'absent') throw new Error(`the name is ${found ?? 'not known'}`);
  return found;
}

export function keysOf(names: Iterable<Name> | undefined): string[] {
  return [...(names ?? [])].map(({ key }) => key);
}

/** A listing's page of regular files. */
export function pageOf(
  files: Readonly<Record<string, number>>,
): { key: string; attributes: Attributes; target: null }[] {
  return Object.entries(files).map(([key, ino]) => ({ key, attributes: attributesOf(ino), target: null }));
}

/** An entry of the log that was not sent. */
export function entryOf(operation: LogOperation): Entry {
  return new Entry(operation, { bytes: 0, files: 0 }, 0);
}

/** The error of what fails, 'done' of what does not. */
export function outcomeOf(change: () => unknown): FailureKind | 'done' {
  try {
    change();
    return 'done';
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.kind;
    throw thrown;
  }
}

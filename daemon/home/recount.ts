/*
 * Counting a home from its tree: what the ledger is compared with, and replaced by after an unclean stop.
 *
 * The rules are the quota's: apparent bytes of regular files, extended attributes, one inode for each entry, hard links once,
 * the home itself free, and of the daemon's own directory only the partial uploads and what is in the trash are charged. What the daemon owns it counts,
 * whatever the modes say. The walk gives the thread back every PIECE entries, attributes counted in; nobody may change the home meanwhile. It counts some 400,000 entries a second when the inodes are cached.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PosixError } from '../../posix/error.js';
import { readEntries } from '../../posix/directory.js';
import type { Fd } from '../../posix/fd.js';
import { statxFd, type Status } from '../../posix/status.js';
import type { Use } from '../../state/ledger.js';
import { isOwnName, RESERVED_NAME, TRASH_NAME } from '../../state/home-layout.js';
import { statusIfAny, type ConfinedTree } from './disk/confined.js';
import { isDirectory, isRegular } from './disk/file-ids.js';
import { xattrBytes, type XattrFile } from './disk/file-xattrs.js';
import { chargedBytes } from './files/held-files.js';
import { LockedDirectories } from './disk/locked-directories.js';
import { WayDown, type Step } from './disk/way-down.js';
import type { ItemPlace } from './trash/trash-layout.js';

const PIECE = 250;
/** To open and close a directory takes as long as to count so many entries; a name on the way to it about as long as one. */
const OF_DIRECTORY = 10;
/** Bytes of attributes that take as long to count as an entry. */
const OF_XATTRS = 16;
const SCRATCH_BYTES = 8 * 1024;

export interface Count extends Use {
  /** What of it is in the trash. */
  readonly trashed: Use;
  /** Directories that could not be read: what is in them is not counted. */
  readonly unreadable: number;
}

/** Of an item of the trash that has another name, too: whether it was taken out of there just now. */
export type TakeBack = (tree: ConfinedTree, place: ItemPlace, item: Status) => boolean;

/** Counts the tree beneath the home's directory. `takeBack`: where nothing else uses the home. */
export async function recount(tree: ConfinedTree, takeBack: TakeBack = () => false): Promise<Count> {
  const way = new WayDown(tree);
  const locked = new LockedDirectories(way);
  try {
    const isTakenBack = (place: ItemPlace, item: Status): boolean => takeBack(tree, place, item);
    return await countAll(
      way,
      locked,
      xattrBytes({ fd: tree.root, status: statxFd(tree.root) }),
      isTakenBack,
    );
  } finally {
    locked.lock(0);
    way.close();
  }
}

/** A directory to be counted. */
interface Counted extends Step {
  readonly above: Counted | undefined;
  readonly inTrash: boolean;
}

/** `bytesOfHome`: what the home itself is charged. */
async function countAll(
  way: WayDown,
  locked: LockedDirectories,
  bytesOfHome: number,
  isTakenBack: (place: ItemPlace, item: Status) => boolean,
): Promise<Count> {
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  const linked = new Set<bigint>();
  const home: Counted = { above: undefined, name: Buffer.alloc(0), inTrash: false };
  const directories: Counted[] = [home];
  let bytes = bytesOfHome;
  let files = 0;
  const trashed = { bytes: 0, files: 0 };
  let unreadable = 0;
  let sinceTurn = 0;

  const count = (file: XattrFile, inTrash: boolean): void => {
    const { status } = file;
    if (isLinked(status)) {
      if (linked.has(status.ino)) return;
      linked.add(status.ino);
    }
    const charged = chargedBytes(file);
    sinceTurn += (charged - (isRegular(status) ? status.size : 0)) / OF_XATTRS;
    bytes += charged;
    files += 1;
    if (!inTrash) return;
    trashed.bytes += charged;
    trashed.files += 1;
  };

  for (;;) {
    locked.lock(directories.length);
    const step = directories.pop();
    if (step === undefined) return { bytes, files, trashed, unreadable };
    const passed = way.passed;
    const directory = openIfReadable(locked, step, directories.length);
    sinceTurn += OF_DIRECTORY + way.passed - passed;
    if (directory === undefined) {
      unreadable += 1;
      continue;
    }
    const isReserved = step.above === home && step.name.equals(RESERVED_NAME);
    let hasBelow = false;
    for (;;) {
      const records = readEntries(directory, scratch);
      if (records.length === 0) break;
      for (const { name } of records) {
        if (sinceTurn >= PIECE) {
          sinceTurn = 0;
          await nextTurn();
        }
        sinceTurn += 1;
        const status = statusIfAny(directory, name);
        if (status === undefined) continue;
        if (step.inTrash && isLinked(status) && isTakenBack(placeIn(step, name), status)) continue;
        const isTrash = isReserved && name.equals(TRASH_NAME);
        if (isReserved && isOwnName(name) && !isTrash) continue;
        const isOwn = isTrash || (step === home && name.equals(RESERVED_NAME));
        if (!isOwn) count({ directory, name, status }, step.inTrash);
        if (isDirectory(status)) {
          hasBelow = true;
          directories.push({ above: step, name, inTrash: isTrash || step.inTrash });
        }
      }
    }
    if (!hasBelow) way.leave(step);
  }
}

/** It has other names. */
function isLinked(status: Status): boolean {
  return !isDirectory(status) && status.nlink > 1;
}

/** Of an item of the trash. */
function placeIn({ above, name: batch }: Counted, name: Buffer): ItemPlace {
  return { period: above?.name.toString('latin1') ?? '', batch: batch.toString('latin1'), name };
}

/** ENOENT: removed meanwhile. EPERM, EACCES: another user's, and the daemon is not root. EXDEV: a mount point. */
function openIfReadable(locked: LockedDirectories, step: Step, left: number): Fd | undefined {
  try {
    return locked.enter(step, left);
  } catch (error) {
    const passed = ['ENOENT', 'EPERM', 'EACCES', 'EXDEV'];
    if (error instanceof PosixError && passed.includes(error.code)) return undefined;
    throw error;
  }
}

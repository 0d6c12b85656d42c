/*
 * Counting a home from its tree: what the ledger is compared with, and replaced by after an unclean stop.
 *
 * The rules are the quota's: apparent bytes of regular files, one inode for each entry, hard links once, the home itself
 * free, and of the daemon's own directory only the partial uploads are charged. The walk gives the thread back every PIECE
 * entries; nobody may change the home meanwhile. It counts some 400,000 entries a second when the inodes are cached.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PosixError } from '../../posix/error.js';
import { readEntries } from '../../posix/directory.js';
import { close } from '../../posix/files.js';
import { O_RDONLY } from '../../posix/flags.js';
import type { Status } from '../../posix/status.js';
import type { Use } from '../../state/ledger.js';
import { isOwnName, RESERVED_NAME } from '../../state/home-layout.js';
import { statusIfAny, type ConfinedTree } from './confined.js';
import { isDirectory } from './file-ids.js';
import { chargedBytes } from './held-files.js';

const PIECE = 1000;
/** Bytes of a directory's path that take as long to pass as an entry takes to count. */
const PATH_OF_ENTRY = 16;
const SCRATCH_BYTES = 32 * 1024;
const SLASH = Buffer.from('/');

export interface Count extends Use {
  /** Directories that could not be read: what is in them is not counted. */
  readonly unreadable: number;
}

/** Counts the tree beneath the home's directory. */
export async function recount(tree: ConfinedTree): Promise<Count> {
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  const linked = new Set<bigint>();
  const directories: Buffer[] = [Buffer.alloc(0)];
  let bytes = 0;
  let files = 0;
  let unreadable = 0;
  let sinceTurn = 0;

  const count = (status: Status): void => {
    if (!isDirectory(status) && status.nlink > 1) {
      if (linked.has(status.ino)) return;
      linked.add(status.ino);
    }
    bytes += chargedBytes(status);
    files += 1;
  };

  for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
    const directory = openIfReadable(tree, path);
    if (directory === undefined) {
      unreadable += 1;
      continue;
    }
    try {
      for (;;) {
        const records = readEntries(directory, scratch);
        if (records.length === 0) break;
        for (const { name } of records) {
          const status = statusIfAny(directory, name);
          if (status === undefined) continue;
          if (path.equals(RESERVED_NAME) && isOwnName(name)) continue;
          const isOwn = path.length === 0 && name.equals(RESERVED_NAME);
          if (!isOwn) count(status);
          if (isDirectory(status)) {
            directories.push(path.length === 0 ? name : Buffer.concat([path, SLASH, name]));
          }
        }
        // A directory is opened from the home on: deep ones cost as much as many entries.
        sinceTurn += records.length + Math.ceil(path.length / PATH_OF_ENTRY);
        if (sinceTurn >= PIECE) {
          sinceTurn = 0;
          await nextTurn();
        }
      }
    } finally {
      close(directory);
    }
  }
  return { bytes, files, unreadable };
}

/** ENOENT: removed meanwhile. EACCES: a daemon that is not root, and a mode that locks it out. EXDEV: a mount point. */
function openIfReadable(tree: ConfinedTree, path: Buffer) {
  try {
    return tree.openDirectory(tree.root, path, O_RDONLY);
  } catch (error) {
    if (error instanceof PosixError && ['ENOENT', 'EACCES', 'EXDEV'].includes(error.code)) return undefined;
    throw error;
  }
}

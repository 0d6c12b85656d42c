/*
 * The hidden directory of a home in which granted inodes are made: in a few parts, each a directory for the next INODES_A_PART.
 *
 * Why parts: ext4 makes an inode in the block group of its directory, and looks there through all that were deleted in the last
 * minutes where it has no journal. Everything of a home is made in here, so a home that had lost 3,000 files took 140 to 880 us
 * for an O_TMPFILE; in a new part, which FS_TOPDIR_FL puts into another group, 7 to 11 us (2026-11-26, Linux 6.18). The
 * part itself costs 0.5 to 3 ms.
 *
 * Invariant: all in here belongs to this daemon; what an earlier one left is removed when the home opens.
 */
import { randomBytes } from 'node:crypto';
import { readEntries } from '../../../posix/directory.js';
import { PosixError } from '../../../posix/error.js';
import type { Fd } from '../../../posix/fd.js';
import { close } from '../../../posix/files.js';
import { AT_REMOVEDIR, O_RDONLY } from '../../../posix/flags.js';
import { addInodeFlags, FS_TOPDIR_FL } from '../../../posix/inode-flags.js';
import { mkdirat, unlinkat } from '../../../posix/names.js';
import { OWN_NAMES } from '../../../state/home-layout.js';
import { closing, statusAt, type ConfinedTree } from './confined.js';
import { isDirectory } from './file-ids.js';

/** So many, deleted lately, cost some 20 us to look through. */
const INODES_A_PART = 512;
const PART_MODE = 0o700;
const SCRATCH_BYTES = 32 * 1024;

export class HiddenDirectory {
  /** Open for reading. */
  readonly fd: Fd;
  #part: Buffer | undefined;
  /** Parts before that one, which were not empty. */
  #former: Buffer[] = [];
  #made = 0;

  /** Opens that of a home, which is made where there is none. */
  constructor(tree: ConfinedTree) {
    this.fd = tree.makeOwn(OWN_NAMES.granted);
    try {
      addInodeFlags(this.fd, FS_TOPDIR_FL);
    } catch (error) {
      // The file system has no such flags, or keeps them for others.
      if (!(error instanceof PosixError)) throw error;
    }
  }

  /** Where the next inode is to be made: a part, and an unused name in it, as a path in here. */
  next(): { readonly part: Buffer; readonly name: Buffer } {
    const part = this.#part === undefined || this.#made % INODES_A_PART === 0 ? this.#begin() : this.#part;
    const name = Buffer.concat([part, Buffer.from(`/${this.#made}`)]);
    this.#made += 1;
    return { part, name };
  }

  /** Begins a part, and removes the former ones that are empty by now. */
  #begin(): Buffer {
    // Where ext4 begins to look for a group depends on the name.
    const part = Buffer.from(randomBytes(8).toString('hex'));
    mkdirat(this.fd, part, PART_MODE);
    this.#former = this.#former.filter((former) => !removedIfEmpty(this.fd, former));
    if (this.#part !== undefined) this.#former.push(this.#part);
    this.#part = part;
    return part;
  }

  close(): void {
    const parts = this.#part === undefined ? this.#former : [...this.#former, this.#part];
    for (const part of parts) removedIfEmpty(this.fd, part);
    close(this.fd);
  }

  /** Removes what an earlier daemon had granted in this home, and nobody can know of. */
  static clear(tree: ConfinedTree): void {
    const directory = tree.openOwn(OWN_NAMES.granted);
    if (directory !== undefined) closing(directory, () => clear(tree, directory));
  }
}

function clear(tree: ConfinedTree, directory: Fd): void {
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  for (;;) {
    const records = readEntries(directory, scratch);
    if (records.length === 0) return;
    for (const { name } of records) {
      if (!isDirectory(statusAt(directory, name))) unlinkat(directory, name, 0);
      else {
        closing(tree.openDirectory(directory, name, O_RDONLY), (fd) => clear(tree, fd));
        unlinkat(directory, name, AT_REMOVEDIR);
      }
    }
  }
}

function removedIfEmpty(directory: Fd, name: Buffer): boolean {
  try {
    unlinkat(directory, name, AT_REMOVEDIR);
    return true;
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
    return false;
  }
}

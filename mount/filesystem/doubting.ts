/**
 * What has to be done where something is not believed any more: the server keeps the files that are open here, their data here
 * are dropped, and the kernel is told. That is so for what is recalled, and for a file that belongs to another unit of the leases
 * since its names were changed here, and that one is not leased.
 */
import { packRef } from '../../protocol/references.js';
import type { DirectoryInode, Inode } from '../tree/inode.js';
import type { Doubts } from '../tree/tree.js';
import type { FileData } from './file-data.js';
import type { Home } from './home.js';

export class Doubting {
  readonly #home: Home;
  readonly #data: FileData;

  constructor(parts: { home: Home; data: FileData }) {
    this.#home = parts.home;
    this.#data = parts.data;
  }

  /** Nothing of these units is believed any more. */
  units(units: readonly bigint[]): void {
    const { tree, kernel } = this.#home;
    const doubts = units.map((unit) => tree.doubt(unit));
    for (const each of doubts) this.#holdOpen(each);
    this.#data.doubted();
    for (const each of doubts) kernel.takeBack(each);
  }

  /** Nothing at all is. */
  all(): void {
    const { tree, kernel } = this.#home;
    const doubts = tree.doubtAll();
    this.#holdOpen(doubts);
    this.#data.doubtedAll();
    kernel.takeBack(doubts);
  }

  /**
   * Runs what changes names of files here, or learns how the server changed them for this mount. With another number of names,
   * or in another directory, a file is of another unit: who holds that changes the file without a word to this mount.
   */
  renaming<T>(files: readonly (Inode | undefined)[], run: () => T): T {
    const { tree, kernel } = this.#home;
    const isKnown = (inode: Inode | undefined): inode is Inode => inode !== undefined && tree.knows(inode);
    const believed = files.filter(isKnown);
    const result = run();
    for (const inode of believed) {
      if (inode.isDirectory() || tree.knows(inode)) continue;
      const doubts = tree.doubtFile(inode);
      this.#holdOpen(doubts);
      this.#data.doubtedFile(inode);
      kernel.takeBack(doubts);
    }
    return result;
  }

  /** What lost a name here may be a unit of the leases no more, or is one from now on: the server makes the same of it. */
  lostName(inode: Inode, directory: DirectoryInode): void {
    const { leases } = this.#home;
    const { ino, nlink } = inode.attributes;
    if (nlink === 0 && !inode.isDirectory() && inode.opens > 0) leases.entered(ino, directory.attributes.ino);
    else if (nlink < 2) leases.removed(ino);
  }

  #holdOpen({ inodes }: Doubts): void {
    for (const inode of inodes) {
      if (inode.opens > 0 && !inode.held && inode.isRegular) this.hold(inode);
    }
  }

  /** The server keeps a file, whatever becomes of its names. */
  hold(inode: Inode): void {
    const { remote, tree } = this.#home;
    inode.held = true;
    remote.request('hold', [packRef(tree.refOf(inode))], undefined, (failure) => {
      // It is gone: who reads it will be told so.
      if (failure !== undefined) inode.held = false;
    });
  }
}

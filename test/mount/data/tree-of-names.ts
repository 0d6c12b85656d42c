/** A tree of names as the mount has one, as far as reading in order is concerned. */
import type { TreeInode, TreeName } from '../../../mount/data/reading-order.js';
import { S_IFDIR, S_IFREG } from '../../../posix/flags.js';

export interface TestName extends TreeName<TestName> {
  readonly parent: TestInode;
  readonly inode: TestInode;
}

export class TestInode implements TreeInode<TestName> {
  static #next = 1n;
  readonly id = { ino: TestInode.#next++, birth: 1n };
  readonly attributes: { mode: number; size: number };
  readonly names: TestName[] = [];
  /** In the order of the listing; undefined where it is not known. */
  listing: TestName[] | undefined = [];

  constructor(mode: number, size = 0) {
    this.attributes = { mode, size };
  }

  file(key: string, size = 1_000): TestName {
    return this.#name(key, new TestInode(S_IFREG, size));
  }

  directory(key: string): TestInode {
    return this.#name(key, new TestInode(S_IFDIR)).inode;
  }

  #name(key: string, inode: TestInode): TestName {
    const name = { key, parent: this, inode };
    inode.names.push(name);
    this.listing?.push(name);
    return name;
  }

  static root(): TestInode {
    return new TestInode(S_IFDIR);
  }
}

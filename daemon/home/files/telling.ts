/*
 * The attributes of files as they travel: the disk's status, with the ctime that is shown, and the virtual owner, mode and
 * device where the account has them. Where it has not, owner and group stay here: a home is its user's.
 */
import { packAttributes } from '../../../protocol/attributes.js';
import { birthOf } from '../disk/file-ids.js';
import type { XattrFile } from '../disk/file-xattrs.js';
import type { HeldFiles } from './held-files.js';
import type { ToldStatus } from './owner-record.js';
import type { ShownTimes } from './shown-times.js';
import type { VirtualOwners } from './virtual-owners.js';

export class Telling {
  readonly #shown: ShownTimes;
  readonly #owners: VirtualOwners;
  readonly #held: Pick<HeldFiles, 'isTrashed'>;

  constructor(shown: ShownTimes, owners: VirtualOwners, held: Pick<HeldFiles, 'isTrashed'>) {
    this.#held = held;
    this.#shown = shown;
    this.#owners = owners;
  }

  /** Of a file, where it is. */
  attributesOf(file: XattrFile): unknown[] {
    return this.attributes(this.#owners.told(file));
  }

  attributes(told: ToldStatus): unknown[] {
    // Spelled out: a listing makes a thousand, and object spread costs five times as much.
    return packAttributes({
      ino: told.ino,
      birth: birthOf(told),
      mode: told.mode,
      nlink: this.#held.isTrashed(told.ino) ? 0 : told.nlink,
      size: told.size,
      blocks: told.blocks,
      rdev: told.rdev,
      atime: told.atime,
      mtime: told.mtime,
      ctime: this.#shown.ctime(told),
      owner: this.#owners.enabled ? { uid: told.uid, gid: told.gid } : null,
    });
  }
}

/*
 * The places of its user's shares in a home: the directories Shared and Shared/NAME, which clients lead to the shares from. Like
 * mount points, they can be neither removed nor renamed; and nothing new is made in Shared/NAME, where nobody would see it.
 */
import { Failure } from '../../../protocol/failure.js';
import type { ShareName } from '../../../protocol/ids.js';
import type { FileId } from '../../../protocol/references.js';
import { SHARED_DIRECTORY } from '../../../protocol/shares.js';
import type { Status } from '../../../posix/status.js';
import { statusIfAny } from '../disk/confined.js';
import { isDirectory } from '../disk/file-ids.js';
import type { Directory } from './identities.js';

const SHARED = Buffer.from(SHARED_DIRECTORY);

export class SharePlaces {
  readonly #root: Directory;
  #names: ReadonlySet<string> = new Set();
  /** Inode numbers of the directories Shared/NAME. */
  #inodes: ReadonlySet<bigint> = new Set();

  /** Of a home without shares. */
  constructor(root: Directory) {
    this.#root = root;
  }

  /** These are the shares that are shown from now on. */
  show(names: readonly ShareName[]): void {
    this.#names = new Set(names);
  }

  /** The directories that show them are there. */
  shown(inodes: readonly bigint[]): void {
    this.#inodes = new Set(inodes);
  }

  /** To be called before a name is made. EXDEV. */
  requireOutside(directory: FileId): void {
    if (this.#inodes.has(directory.ino)) {
      throw new Failure('EXDEV', 'a share is here, a home of its own: name what is in it by itself');
    }
  }

  /** To be called before a name is taken away that leads to `status`. EBUSY. */
  requireNone(directory: FileId, name: Buffer, status: Status): void {
    if (this.#names.size === 0 || !isDirectory(status)) return;
    if (directory.ino === this.#root.ino) {
      if (name.equals(SHARED))
        throw new Failure('EBUSY', 'the shares are here: it cannot be removed or renamed');
    } else if (this.#names.has(name.toString('latin1'))) {
      if (statusIfAny(this.#root.fd, SHARED)?.ino !== directory.ino) return;
      throw new Failure('EBUSY', 'a share is here: it cannot be removed or renamed');
    }
  }
}

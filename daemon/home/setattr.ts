/*
 * setattr: size, permissions, times, of a path or of an open file.
 *
 * The size comes first, for it may be refused (EDQUOT) and changes the times; nothing else is then changed. The
 * mode of the home itself stays as the daemon made it (0700) whatever is asked, and that is no error, as tar and
 * rsync set the mode of the directory they unpack to: behind that mode set-user-id files of a home are harmless.
 */
import type { Changes as AttributeChanges } from '../../protocol/attributes.js';
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import type { Fd } from '../../posix/fd.js';
import { close, fchmod, ftruncate } from '../../posix/files.js';
import { AT_SYMLINK_NOFOLLOW, O_WRONLY, S_IFDIR, S_IFMT, S_IFREG } from '../../posix/flags.js';
import { fchmodat, utimensat } from '../../posix/names.js';
import { statxFd, type Status } from '../../posix/status.js';
import type { Changes } from './changes.js';
import type { HomeClient } from './clients.js';
import { statusAt, type ConfinedTree } from './confined.js';
import { chargingSize } from './growth.js';
import type { OpenFile } from './open-files.js';
import type { Quota } from './quota.js';
import { wireAttributes } from './wire-attributes.js';

export class SetAttributes {
  readonly #tree: ConfinedTree;
  readonly #quota: Quota;
  readonly #changes: Changes;

  constructor(parts: { tree: ConfinedTree; quota: Quota; changes: Changes }) {
    this.#tree = parts.tree;
    this.#quota = parts.quota;
    this.#changes = parts.changes;
  }

  ofPath(client: HomeClient, path: RemotePath, changes: AttributeChanges): unknown[] {
    this.#quota.prepare();
    const status = path.length === 0 ? this.#ofHome(changes) : this.#ofName(path, changes);
    this.#changes.node(client, status.ino, path);
    return wireAttributes(status);
  }

  ofFile(client: HomeClient, file: OpenFile, changes: AttributeChanges): unknown[] {
    const { fd } = file;
    this.#quota.prepare();
    if (changes.size !== undefined) this.#resize(fd, changes.size);
    if (changes.mode !== undefined) fchmod(fd, changes.mode);
    if (changes.atime !== undefined || changes.mtime !== undefined) {
      utimensat(fd, undefined, changes.atime, changes.mtime, 0);
    }
    this.#changes.node(client, file.ino);
    return wireAttributes(statxFd(fd));
  }

  #ofHome(changes: AttributeChanges): Status {
    if (changes.size !== undefined) throw new Failure('EISDIR', 'is a directory');
    if (changes.atime !== undefined || changes.mtime !== undefined) {
      utimensat(this.#tree.root, undefined, changes.atime, changes.mtime, 0);
    }
    return statxFd(this.#tree.root);
  }

  #ofName(path: RemotePath, changes: AttributeChanges): Status {
    return this.#tree.withParent(path, 'existing', (directory, name) => {
      if (changes.size !== undefined) this.#resizeName(directory, name, changes.size);
      if (changes.mode !== undefined) fchmodat(directory, name, changes.mode);
      if (changes.atime !== undefined || changes.mtime !== undefined) {
        utimensat(directory, name, changes.atime, changes.mtime, AT_SYMLINK_NOFOLLOW);
      }
      return statusAt(directory, name);
    });
  }

  /** As truncate(2): EISDIR, EINVAL for what is neither file nor directory. */
  #resizeName(directory: Fd, name: Buffer, size: number): void {
    const type = statusAt(directory, name).mode & S_IFMT;
    if (type === S_IFDIR) throw new Failure('EISDIR', 'is a directory');
    if (type !== S_IFREG) throw new Failure('EINVAL', 'not a regular file');
    const fd = this.#tree.openAt(directory, name, O_WRONLY);
    try {
      this.#resize(fd, size);
    } finally {
      close(fd);
    }
  }

  #resize(fd: Fd, size: number): void {
    chargingSize(this.#quota, fd, statxFd(fd), size, () => ftruncate(fd, size));
  }
}

/*
 * How a finished upload appears in the home: in place of whatever file has its name, in one rename, when nobody else has a
 * lease of the directory.
 *
 * Invariant: between the look at what is replaced and the rename nothing else happens.
 */
import { Failure } from '../../protocol/failure.js';
import { splitPath, type RemotePath } from '../../protocol/ids.js';
import type { Fd } from '../../posix/fd.js';
import { statxFd, type Status } from '../../posix/status.js';
import type { Use } from '../../state/ledger.js';
import type { Call } from './calls/call.js';
import { closingOnFailure, statusIfAny } from './disk/confined.js';
import { isDirectory } from './disk/file-ids.js';
import type { HeldFiles } from './files/held-files.js';
import type { Directory, Identities } from './files/identities.js';
import type { LeaseHolder } from './leases/lease-table.js';
import type { LeaseWaits, Prepared } from './leases/lease-waits.js';
import { readOnWay } from './leases/path-units.js';
import type { ToldStatus } from './files/owner-record.js';
import type { Account } from './quota/quota.js';
import type { SharePlaces } from './files/share-places.js';
import type { Trash } from './trash/trash.js';
import type { UnitChanges } from './leases/unit-changes.js';
import type { VirtualOwners } from './files/virtual-owners.js';

/** A file of the daemon's own that is to get a name. */
export interface Finished {
  readonly fd: Fd;
  /** Renames it to the name, in place of a file that has it. */
  rename(directory: Fd, name: Buffer): void;
}

export interface PublishingParts {
  /** What is replaced is given back to this. */
  readonly account: Account;
  readonly held: HeldFiles;
  readonly identities: Identities;
  readonly waits: LeaseWaits;
  readonly owners: VirtualOwners;
  /** To be called with each change of the home. */
  readonly changed: () => void;
  /** To be called with each file whose names change. */
  readonly moved: (ino: bigint) => void;
  readonly units: UnitChanges;
  /** What is replaced may go there. */
  readonly trash: Pick<Trash, 'take'>;
  readonly places: Pick<SharePlaces, 'requireOutside'>;
}

/** What appeared, and where. */
export interface Published {
  /** What the file was then. */
  readonly status: Status;
  /** The same as clients are told it. */
  readonly told: ToldStatus;
  /** The directory that has the name by now, open: to be synced, and closed by who gets it. */
  readonly directory: Fd;
  /** The directory's inode number. */
  readonly parent: bigint;
}

export class Publishing {
  readonly #parts: PublishingParts;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  /** Fails early where a file could not get its name. ENOENT, ENOTDIR, EACCES, EISDIR. */
  requirePlace(path: RemotePath): void {
    const { directory, name } = this.#placeOf(path);
    requireNoDirectory(statusIfAny(directory.fd, name));
  }

  /**
   * Gives a file its name as soon as the leases of others are back, and calls `named` in the same turn. ECANCELED, and nothing
   * is done.
   */
  publish<T>(
    client: LeaseHolder,
    call: Call,
    path: RemotePath,
    finished: Finished,
    named: (published: Published) => T,
  ): T | Promise<Awaited<T>> {
    const prepare = (): Prepared<T> => {
      const { identities } = this.#parts;
      const { directory, name } = this.#placeOf(path);
      const replaced = statusIfAny(directory.fd, name);
      const touches = readOnWay(identities, { path, ino: null });
      touches.push({ unit: directory.ino, write: true });
      if (replaced !== undefined && replaced.nlink > 1) touches.push({ unit: replaced.ino, write: true });
      return {
        touches,
        run: () => {
          requireNoDirectory(replaced);
          // First, for it may fail: what has its name is done.
          const own = identities.openDirectory({ ...directory, path: null });
          const status = closingOnFailure(own, () => this.#name(client, finished, directory, name, replaced));
          const told = this.#parts.owners.told({ fd: finished.fd, status });
          return named({ status, told, directory: own, parent: directory.ino });
        },
      };
    };
    return this.#parts.waits.run({ client, call, prepare, keep: () => undefined });
  }

  #name(
    client: LeaseHolder,
    finished: Finished,
    directory: Directory,
    name: Buffer,
    replaced: Status | undefined,
  ): Status {
    const { account, held, identities, changed, moved, owners, trash, units } = this.#parts;
    if (replaced !== undefined) held.freeing.requireIdle(replaced.ino);
    account.prepare();
    if (owners.enabled) this.#setOwner(finished.fd, directory, name, replaced);
    let freed: Use | undefined;
    let replacedFd: Fd | undefined;
    let untake: (() => void) | undefined;
    if (replaced !== undefined) {
      const located = { directory: directory.fd, parent: directory.ino, name, status: replaced };
      held.removing(located);
      untake = trash.take(directory, name, replaced);
      if (untake === undefined) {
        freed = held.freedBy(located);
        replacedFd = held.freeing.open(located);
      }
    }
    try {
      finished.rename(directory.fd, name);
    } catch (error) {
      untake?.();
      throw error;
    } finally {
      if (replacedFd !== undefined) held.freeing.close(replacedFd);
    }
    if (replaced !== undefined) {
      identities.removed(replaced, directory.ino, name);
      moved(replaced.ino);
      units.lost(client, { before: replaced, parent: directory.ino, hold: false }, false);
    }
    if (freed !== undefined) account.release(freed.bytes, freed.files);
    const status = statxFd(finished.fd);
    identities.learn(status, directory.ino, name);
    changed();
    return status;
  }

  /** A file belongs to whom the one that it replaces belongs, else to whom its directory does: nobody has said more. */
  #setOwner(fd: Fd, directory: Directory, name: Buffer, replaced: Status | undefined): void {
    const { owners } = this.#parts;
    const from =
      replaced === undefined
        ? { fd: directory.fd, status: statxFd(directory.fd) }
        : { directory: directory.fd, name, status: replaced };
    const status = statxFd(fd);
    owners.set({ fd, status }, { ...owners.ownerOf(from), mode: status.mode, rdev: 0 });
  }

  /** The directory and name where a file will be. ENOENT, ENOTDIR, EACCES. */
  #placeOf(path: RemotePath): { directory: Directory; name: Buffer } {
    const { identities } = this.#parts;
    const { parent, name } = splitPath(path);
    const directory = identities.directoryOf({ path: parent, ino: null });
    identities.refuseReserved(directory, name, 'new');
    this.#parts.places.requireOutside(directory);
    return { directory, name };
  }
}

function requireNoDirectory(existing: Status | undefined): void {
  if (existing !== undefined && isDirectory(existing)) throw new Failure('EISDIR', 'is a directory');
}

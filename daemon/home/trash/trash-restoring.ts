/*
 * How an item of the trash gets a name in the home again: in one rename, where nothing has that name, when nobody else has a lease
 * of the directory or the file.
 */
import { Failure } from '../../../protocol/failure.js';
import { splitPath, type RemotePath } from '../../../protocol/ids.js';
import { RENAME_NOREPLACE } from '../../../posix/flags.js';
import { renameat2 } from '../../../posix/names.js';
import { statusAt, statusIfAny } from '../disk/confined.js';
import type { HeldFiles } from '../files/held-files.js';
import type { Identities } from '../files/identities.js';
import type { Prepared } from '../leases/lease-waits.js';
import { readOnWay } from '../leases/path-units.js';
import type { Quota } from '../quota/quota.js';
import type { Telling } from '../files/telling.js';
import type { SharePlaces } from '../files/share-places.js';
import type { Trash } from './trash.js';

export interface TrashRestoringParts {
  readonly trash: Trash;
  readonly identities: Identities;
  readonly held: HeldFiles;
  readonly quota: Quota;
  readonly telling: Telling;
  readonly places: Pick<SharePlaces, 'requireOutside'>;
  /** To be called with each change of the home. */
  readonly changed: () => void;
  /** To be called with each file whose names change. */
  readonly moved: (ino: bigint) => void;
}

export class TrashRestoring {
  readonly #parts: TrashRestoringParts;

  constructor(parts: TrashRestoringParts) {
    this.#parts = parts;
  }

  /** The attributes of the file. ENOENT: there is no such item, or no such directory; ENOTDIR, EEXIST, EACCES. */
  prepare(id: Buffer, path: RemotePath): Prepared<unknown[]> {
    const { trash, identities, held, quota, telling, changed, moved, places } = this.#parts;
    const item = trash.find(id);
    const { parent, name } = splitPath(path);
    const directory = identities.directoryOf({ path: parent, ino: null });
    identities.refuseReserved(directory, name, 'new');
    places.requireOutside(directory);
    const touches = readOnWay(identities, { path, ino: null });
    touches.push({ unit: directory.ino, write: true });
    // Who has it open may have it as a unit of its own: what they did to it is sent before, and what they believe of it is over.
    touches.push({ unit: item.status.ino, write: true });
    return {
      touches,
      run: () => {
        held.freeing.requireIdle(item.status.ino);
        if (statusIfAny(directory.fd, name) !== undefined) throw new Failure('EEXIST', 'the name exists');
        quota.prepare();
        renameat2(item.directory, item.name, directory.fd, name, RENAME_NOREPLACE);
        const status = statusAt(directory.fd, name);
        const where = { directory: directory.fd, parent: directory.ino, name, status };
        trash.restored(item, where);
        identities.learn(status, directory.ino, name);
        moved(status.ino);
        changed();
        return telling.attributesOf(where);
      },
    };
  }
}

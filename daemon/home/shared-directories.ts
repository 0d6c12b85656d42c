/*
 * The directories of a home in which clients show the user's shares: Shared, and Shared/NAME for each. They are made and removed as
 * a client of the user's would, so that leases are recalled and charges are right.
 *
 * Invariant: only empty directories are removed, of shares for which they were made; what the user put there stays.
 */
import { Failure } from '../../protocol/failure.js';
import { joinPath, ROOT_PATH, type RemotePath, type ShareName, type UserName } from '../../protocol/ids.js';
import { SHARED_DIRECTORY } from '../../protocol/shares.js';
import { isDirectory } from './disk/file-ids.js';
import { OwnClient } from './own-client.js';
import type { UserHome } from './user-home.js';

const PARENT = joinPath(ROOT_PATH, Buffer.from(SHARED_DIRECTORY));

/** Which shares a home is to show. */
export interface ShownShares {
  readonly user: UserName;
  readonly names: readonly ShareName[];
  /** Those for which it was given directories before. */
  readonly former: readonly ShareName[];
}

/** Makes what is missing and removes what is over. Returns the names that cannot be shown: something else is there. */
export async function showShares(
  home: UserHome,
  { user, names, former }: ShownShares,
): Promise<readonly ShareName[]> {
  home.places.show(names);
  home.places.shown([]);
  const missing = names.filter((name) => stateOf(home, placeOf(name)) === 'missing');
  const over = former.filter((name) => !names.includes(name) && stateOf(home, placeOf(name)) === 'directory');
  if (missing.length + over.length > 0) {
    const changes = new OwnClient(home, user);
    try {
      if (missing.length > 0 && stateOf(home, PARENT) === 'missing') await changes.makeDirectory(PARENT);
      for (const name of missing) await changes.makeDirectory(placeOf(name));
      for (const name of over) await changes.removeEmpty(placeOf(name));
      if (names.length === 0 && over.length > 0) await changes.removeEmpty(PARENT);
    } finally {
      changes.end();
    }
  }
  const isShown = (name: ShareName): boolean => stateOf(home, placeOf(name)) === 'directory';
  home.places.shown(
    names.filter(isShown).map((name) => home.identities.file({ path: placeOf(name), ino: null }).status.ino),
  );
  return names.filter((name) => !isShown(name));
}

function placeOf(name: ShareName): RemotePath {
  return joinPath(PARENT, Buffer.from(name));
}

/** As it is on the disk: who has a lease of it may have changed it already, and sees the change of here then. */
function stateOf(home: UserHome, path: RemotePath): 'missing' | 'directory' | 'other' {
  try {
    return isDirectory(home.identities.file({ path, ino: null }).status) ? 'directory' : 'other';
  } catch (error) {
    const { kind } = Failure.from(error);
    if (kind === 'ENOENT') return 'missing';
    if (kind === 'ENOTDIR' || kind === 'ELOOP') return 'other';
    throw error;
  }
}

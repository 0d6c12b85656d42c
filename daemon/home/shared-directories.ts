/*
 * The directories of a home in which clients show the user's shares: Shared, and Shared/NAME for each. They are made and removed as
 * a client of the user's would, so that leases are recalled and charges are right.
 *
 * Invariant: only empty directories are removed, of shares for which they were made; what the user put there stays.
 */
import { randomBytes } from 'node:crypto';
import { Failure } from '../../protocol/failure.js';
import {
  joinPath,
  ROOT_PATH,
  splitPath,
  type RemotePath,
  type ShareName,
  type UserName,
} from '../../protocol/ids.js';
import { LEASE_NONE } from '../../protocol/methods.js';
import { MKDIR, RMDIR, type Operation } from '../../protocol/operations.js';
import type { FileRef } from '../../protocol/references.js';
import { SHARED_DIRECTORY } from '../../protocol/shares.js';
import { Call } from './call.js';
import { answer } from './dispatch.js';
import { isDirectory } from './file-ids.js';
import type { ClientSession, HomeClient } from './home-client.js';
import type { UserHome } from './user-home.js';

const PARENT = joinPath(ROOT_PATH, Buffer.from(SHARED_DIRECTORY));
const DIRECTORY_MODE = 0o755;

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
    const changes = new Changes(home, user);
    try {
      if (missing.length > 0 && stateOf(home, PARENT) === 'missing') await changes.make(PARENT);
      for (const name of missing) await changes.make(placeOf(name));
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

function nameAt(path: RemotePath): { directory: FileRef; name: Buffer } {
  const { parent, name } = splitPath(path);
  return { directory: { path: parent, ino: null }, name };
}

/** A client of the user's in the daemon itself. */
class Changes {
  readonly #home: UserHome;
  readonly #client: HomeClient;
  #last = 0;

  constructor(home: UserHome, user: UserName) {
    this.#home = home;
    const session: ClientSession = {
      user,
      isReadOnly: false,
      notify: () => undefined,
      drop: () => undefined,
      reconnect: () => undefined,
    };
    this.#client = home.attach(randomBytes(16), session, LEASE_NONE).client;
  }

  async make(path: RemotePath): Promise<void> {
    await this.#change({ kind: MKDIR, ...nameAt(path), time: null, mode: DIRECTORY_MODE, id: null }, [
      'EEXIST', // somebody else was faster
    ]);
  }

  async removeEmpty(path: RemotePath): Promise<void> {
    await this.#change({ kind: RMDIR, ...nameAt(path), time: null, id: null }, ['ENOTEMPTY', 'ENOENT']);
  }

  end(): void {
    this.#home.logout(this.#client);
  }

  async #change(operation: Operation, allowed: readonly string[]): Promise<void> {
    this.#last += 1;
    try {
      const answered = answer(this.#home, this.#client, 'change', [this.#last, operation, null], new Call());
      if (answered instanceof Promise) await answered;
    } catch (error) {
      if (!allowed.includes(Failure.from(error).kind)) throw error;
    }
  }
}

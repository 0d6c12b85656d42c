/**
 * Removes a directory with all that is in it, of a home or of this machine. Symlinks are removed, never followed.
 *
 * A directory is listed to its end before anything in it is removed, as a listing that loses entries while it is read may
 * skip others.
 */
import { readdir, rmdir, unlink } from 'node:fs/promises';
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { localJoin } from './names.js';
import { isDirectory, openDirectory, sortedEntries } from './remote/directory.js';
import type { RemoteSession } from './remote/session.js';
import { holdsShares, isSharePlace } from './remote/shared-path.js';

export interface TreeEntry<Path extends Buffer> {
  readonly name: Buffer;
  readonly path: Path;
  /** Not of a symlink that leads to one. */
  readonly isDirectory: boolean;
}

/** Where names are listed and removed. */
export interface Tree<Path extends Buffer> {
  entries(directory: Path): Promise<readonly TreeEntry<Path>[]>;
  unlink(path: Path): Promise<void>;
  rmdir(path: Path): Promise<void>;
  /** Throws what rmdir would, as far as that is known without trying it. */
  requireRemovable?(path: Path): void;
}

export interface Removal<Path extends Buffer> {
  readonly tree: Tree<Path>;
  readonly signal: AbortSignal;
  /** Carries out `action`, which is about `name`: what fails must not keep the others from being removed. */
  guard(name: Buffer, action: () => Promise<unknown>): Promise<void>;
  /** Whether it stays, and so do the directories above it; without this nothing does. */
  keeps?(name: Buffer, isDirectory: boolean): boolean;
}

/** `name`: what the directory is called, for `guard` and `keeps`. Returns whether nothing was kept in it. */
export async function removeTree<Path extends Buffer>(
  removal: Removal<Path>,
  directory: Path,
  name: Buffer,
): Promise<boolean> {
  const { tree, signal, guard } = removal;
  if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  const all = (await tree.entries(directory)).map((entry) => ({
    ...entry,
    name: localJoin(name, entry.name),
  }));
  const entries = all.filter((entry) => removal.keeps?.(entry.name, entry.isDirectory) !== true);
  let isEmptied = entries.length === all.length;
  // All at once: of a home, the client's window bounds how many are under way.
  await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory)
      .map((entry) => guard(entry.name, () => tree.unlink(entry.path))),
  );
  for (const { path, name: below } of entries.filter((entry) => entry.isDirectory)) {
    await guard(below, async () => {
      if (!(await removeTree(removal, path, below))) isEmptied = false;
    });
  }
  if (isEmptied) await tree.rmdir(directory);
  return isEmptied;
}

export function remoteTree(session: RemoteSession): Tree<RemotePath> {
  const { client, changes } = session;
  return {
    entries: async (directory) =>
      (await sortedEntries(await openDirectory(client, directory))).map(({ name, path, attributes }) => ({
        ...{ name, path, isDirectory: isDirectory(attributes) },
      })),
    unlink: (path) => changes.unlink(path),
    rmdir: (path) => changes.rmdir(path),
    requireRemovable: (path) => {
      const stays = 'it cannot be removed or renamed';
      if (isSharePlace(session, path)) throw new Failure('EBUSY', `a share is here: ${stays}`);
      if (holdsShares(session, path)) throw new Failure('EBUSY', `the shares are here: ${stays}`);
    },
  };
}

export const LOCAL_TREE: Tree<Buffer> = {
  entries: async (directory) =>
    (await readdir(directory, { encoding: 'buffer', withFileTypes: true })).map((entry) => ({
      ...{ name: entry.name, path: localJoin(directory, entry.name), isDirectory: entry.isDirectory() },
    })),
  unlink,
  rmdir,
};

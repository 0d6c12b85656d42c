/**
 * `ftpctl rm [-r] [-f] [USER@]HOST:PATH...` and `ftpctl rmdir`. Symlinks are removed, never followed.
 *
 * A directory is listed to its end before anything in it is removed, as a listing that loses entries while it is read may
 * skip others.
 */
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { localJoin } from './names.js';
import { Outcome } from './outcome.js';
import { isDirectory, openDirectory, sortedEntries, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';

export interface RmFlags {
  readonly recursive?: boolean;
  readonly force?: boolean;
  /** Also directories with nothing in them. */
  readonly emptyDirectories?: boolean;
}

export interface RmOptions extends SessionOptions, RmFlags {}

/** Returns the exit code. */
export async function rm(texts: readonly string[], options: RmOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => remove(session, places, options));
}

/** Removes files and trees of a home. Returns the exit code. */
export async function remove(
  session: RemoteSession,
  places: readonly Place[],
  flags: RmFlags,
): Promise<number> {
  const outcome = new Outcome();
  for (const { path, shown } of places) {
    await outcome.guard(shown, async () => {
      if (path.length === 0) throw new Failure('EBUSY', 'it cannot be removed, only what is in it');
      try {
        await throughLinks(session.client, path, 'kept', (there) =>
          removeOne(session, there, shown, flags, outcome),
        );
      } catch (error) {
        if (flags.force === true && Failure.from(error).kind === 'ENOENT') return;
        throw error;
      }
    });
  }
  return outcome.exitCode;
}

async function removeOne(
  session: RemoteSession,
  path: RemotePath,
  shown: Buffer,
  flags: RmFlags,
  outcome: Outcome,
): Promise<void> {
  const { client, changes } = session;
  if (!isDirectory(await client.call('getattr', [path]))) return changes.unlink(path);
  if (flags.recursive === true) return removeTree(session, path, shown, outcome);
  if (flags.emptyDirectories !== true) {
    throw new Failure('EISDIR', 'a directory: use -r to remove it with all that is in it');
  }
  try {
    return await changes.rmdir(path);
  } catch (error) {
    if (Failure.from(error).kind !== 'ENOTEMPTY') throw error;
    const text = 'a directory that is not empty: use -r to remove it with all that is in it';
    throw new Failure('ENOTEMPTY', text, { cause: error });
  }
}

/** Returns the exit code. */
export async function rmdir(texts: readonly string[], options: SessionOptions): Promise<number> {
  return withPlaces(texts, options, (session, places) => removeDirectories(session, places));
}

/** Removes empty directories of a home. Returns the exit code. */
export async function removeDirectories(
  { client, changes }: RemoteSession,
  places: readonly Place[],
): Promise<number> {
  const outcome = new Outcome();
  for (const { path, shown } of places) {
    await outcome.guard(shown, () => throughLinks(client, path, 'kept', (there) => changes.rmdir(there)));
  }
  return outcome.exitCode;
}

async function removeTree(
  session: RemoteSession,
  path: RemotePath,
  shown: Buffer,
  outcome: Outcome,
): Promise<void> {
  const { client, changes, signal } = session;
  if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  const entries = await sortedEntries(await openDirectory(client, path));
  // All at once: the client's window bounds how many are under way.
  await Promise.all(
    entries
      .filter(({ attributes }) => !isDirectory(attributes))
      .map((entry) => outcome.guard(localJoin(shown, entry.name), () => changes.unlink(entry.path))),
  );
  for (const entry of entries.filter(({ attributes }) => isDirectory(attributes))) {
    const name = localJoin(shown, entry.name);
    await outcome.guard(name, () => removeTree(session, entry.path, name, outcome));
  }
  await changes.rmdir(path);
}

/**
 * `ftpctl rm [-r] [-f] [USER@]HOST:PATH...` and `ftpctl rmdir`. Symlinks are removed, never followed.
 */
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { Outcome } from './outcome.js';
import { isDirectory, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { withPlaces } from './remote/matching.js';
import type { Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { remoteTree, removeTree } from './remove-tree.js';

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
  if (flags.recursive === true) {
    const guard = outcome.guard.bind(outcome);
    await removeTree({ tree: remoteTree(session), signal: session.signal, guard }, path, shown);
    return;
  }
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

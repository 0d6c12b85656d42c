/**
 * `ftpctl rm [-r] [-f] [USER@]HOST:PATH...` and `ftpctl rmdir`. Symlinks are removed, never followed.
 *
 * A directory is listed to its end before anything in it is removed, as a listing that loses entries while it is read may
 * skip others.
 */
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { Outcome } from './outcome.js';
import { isDirectory, openDirectory, sortedEntries } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, withSession, type RemoteSession } from './remote/session.js';

export interface RmOptions extends SessionOptions {
  readonly recursive?: boolean;
  readonly force?: boolean;
}

/** Returns the exit code. */
export async function rm(places: readonly string[], options: RmOptions): Promise<number> {
  const { target, paths } = remoteArguments(places);
  const outcome = new Outcome();
  await withSession(target, options, async (session) => {
    for (const path of paths) {
      await outcome.guard(path, async () => {
        if (path.length === 0) throw new Failure('EBUSY', 'it cannot be removed, only what is in it');
        try {
          const attributes = await session.client.call('getattr', [path]);
          if (!isDirectory(attributes)) await session.changes.unlink(path);
          else if (options.recursive === true) await removeTree(session, path, outcome);
          else throw new Failure('EISDIR', 'a directory: use -r to remove it with all that is in it');
        } catch (error) {
          if (options.force === true && Failure.from(error).kind === 'ENOENT') return;
          throw error;
        }
      });
    }
  });
  return outcome.exitCode;
}

/** Returns the exit code. */
export async function rmdir(places: readonly string[], options: SessionOptions): Promise<number> {
  const { target, paths } = remoteArguments(places);
  const outcome = new Outcome();
  await withSession(target, options, async ({ changes }) => {
    for (const path of paths) await outcome.guard(path, () => changes.rmdir(path));
  });
  return outcome.exitCode;
}

async function removeTree(session: RemoteSession, path: RemotePath, outcome: Outcome): Promise<void> {
  const { client, changes, signal } = session;
  if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
  const entries = await sortedEntries(await openDirectory(client, path));
  // All at once: the client's window bounds how many are under way.
  await Promise.all(
    entries
      .filter(({ attributes }) => !isDirectory(attributes))
      .map((entry) => outcome.guard(entry.path, () => changes.unlink(entry.path))),
  );
  for (const entry of entries.filter(({ attributes }) => isDirectory(attributes))) {
    await outcome.guard(entry.path, () => removeTree(session, entry.path, outcome));
  }
  await changes.rmdir(path);
}

/** `ftpctl mkdir [--parents] [USER@]HOST:DIR...` */
import { Failure } from '../protocol/failure.js';
import { splitPath, type RemotePath } from '../protocol/ids.js';
import { Outcome } from './outcome.js';
import { find, isDirectory, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { withSharedSession } from './remote/shared-session.js';

export interface MkdirFlags {
  readonly parents?: boolean;
}

export interface MkdirOptions extends SessionOptions, MkdirFlags {}

/** Returns the exit code. */
export async function mkdir(texts: readonly string[], options: MkdirOptions): Promise<number> {
  return withSharedSession(remoteArguments(texts), options, (session, places) =>
    makeDirectories(session, places, options),
  );
}

/** Makes directories in a home. Returns the exit code. */
export async function makeDirectories(
  session: RemoteSession,
  places: readonly Place[],
  flags: MkdirFlags,
): Promise<number> {
  const outcome = new Outcome();
  const permissions = 0o777 & ~process.umask();
  for (const { path, shown } of places) {
    await outcome.guard(shown, async () => {
      if (flags.parents === true) return makePath(session, path, permissions);
      return throughLinks(session.client, path, 'kept', (there) => session.changes.mkdir(there, permissions));
    });
  }
  return outcome.exitCode;
}

/** Makes what is missing of a path; a directory that is there already is well. ENOTDIR. */
export async function makePath(session: RemoteSession, path: RemotePath, permissions: number): Promise<void> {
  const { path: missing, attributes } = await find(session.client, path);
  if (attributes !== undefined) {
    if (isDirectory(attributes)) return;
    throw new Failure('ENOTDIR', 'there is something else of that name');
  }
  await makePath(session, splitPath(missing).parent, permissions);
  try {
    await session.changes.mkdir(missing, permissions);
  } catch (error) {
    // Another client was faster.
    if (Failure.from(error).kind !== 'EEXIST') throw error;
  }
}

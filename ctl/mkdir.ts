/** `ftpctl mkdir [--parents] [USER@]HOST:DIR...` */
import { Failure } from '../protocol/failure.js';
import { splitPath, type RemotePath } from '../protocol/ids.js';
import { Outcome } from './outcome.js';
import { isDirectory, lookUp } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, type Place } from './remote/place.js';
import { withSession, type RemoteSession } from './remote/session.js';

export interface MkdirFlags {
  readonly parents?: boolean;
}

export interface MkdirOptions extends SessionOptions, MkdirFlags {}

/** Returns the exit code. */
export async function mkdir(texts: readonly string[], options: MkdirOptions): Promise<number> {
  const { target, places } = remoteArguments(texts);
  return withSession(target, options, (session) => makeDirectories(session, places, options));
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
      if (flags.parents === true) await makePath(session, path, permissions);
      else await session.changes.mkdir(path, permissions);
    });
  }
  return outcome.exitCode;
}

/** Makes what is missing of a path; a directory that is there already is well. */
async function makePath(session: RemoteSession, path: RemotePath, permissions: number): Promise<void> {
  if (path.length === 0) return;
  const existing = await lookUp(session.client, path);
  if (existing !== undefined) {
    if (isDirectory(existing)) return;
    throw new Failure('ENOTDIR', 'there is something else of that name');
  }
  await makePath(session, splitPath(path).parent, permissions);
  try {
    await session.changes.mkdir(path, permissions);
  } catch (error) {
    // Another client was faster.
    if (Failure.from(error).kind !== 'EEXIST') throw error;
  }
}

/** `ftpctl mkdir [--parents] [USER@]HOST:DIR...` */
import { Failure } from '../protocol/failure.js';
import { splitPath, type RemotePath } from '../protocol/ids.js';
import { Outcome } from './outcome.js';
import { isDirectory, lookUp } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, withSession, type RemoteSession } from './remote/session.js';

export interface MkdirOptions extends SessionOptions {
  readonly parents?: boolean;
}

/** Returns the exit code. */
export async function mkdir(places: readonly string[], options: MkdirOptions): Promise<number> {
  const { target, paths } = remoteArguments(places);
  const outcome = new Outcome();
  const permissions = 0o777 & ~process.umask();
  await withSession(target, options, async (session) => {
    for (const path of paths) {
      await outcome.guard(path, async () => {
        if (options.parents === true) await makePath(session, path, permissions);
        else await session.changes.mkdir(path, permissions);
      });
    }
  });
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

/**
 * `ftpctl complete-path [USER@]HOST:PATH`, which the scripts of completion.ts call at Tab: what PATH may become, one a line, a slash
 * behind directories. It asks nobody anything: it goes over the session that a master keeps, or logs in by key, which leaves one.
 */
import { EXIT_CONNECTION, EXIT_OK } from '../program/exit-codes.js';
import { ROOT_PATH } from '../protocol/ids.js';
import { remoteLister, trashLister } from './listers.js';
import { writeOut } from './output/stdout.js';
import { pathCandidates, splitTyped } from './path-candidates.js';
import { remoteArguments } from './remote/place.js';
import type { SessionOptions } from './remote/session-options.js';
import { withSharedSession } from './remote/shared-session.js';

/** How long Tab waits for a server that says nothing (milliseconds). */
const COMPLETION_MS = 3_000;

export interface CompletePathOptions extends SessionOptions {
  /** What is in the trash is meant, not in the home. */
  readonly trash?: boolean;
}

/** Returns the exit code. */
export async function completePath(
  place: string,
  { trash, ...options }: CompletePathOptions,
): Promise<number> {
  const remote = remoteArguments([place]);
  const { path = '' } = remote.target;
  setTimeout(() => process.exit(EXIT_CONNECTION), COMPLETION_MS).unref();
  const { directory } = splitTyped(path);
  // The directory of what is typed says in which home that is: Shared/n may become Shared/name.
  const there = remoteArguments([`${place.slice(0, place.length - path.length)}${directory}`]);
  return withSharedSession(there, { ...options, asks: false }, async (session) => {
    const lister = trash === true ? trashLister : remoteLister;
    const candidates = await pathCandidates(path, lister(session, ROOT_PATH, session.signal));
    const lines = candidates.map(({ name, isDirectory }) => `${directory}${name}${isDirectory ? '/' : ''}\n`);
    await writeOut(lines.join(''));
    return EXIT_OK;
  });
}

/**
 * `ftpctl complete-path [USER@]HOST:PATH`, which the scripts of completion.ts call at Tab: what PATH may become, one a line, a slash
 * behind directories. It asks nobody anything: it goes over the session that a master keeps, or logs in by key, which leaves one.
 */
import { EXIT_CONNECTION, EXIT_OK } from '../protocol/login/exit-codes.js';
import { ROOT_PATH } from '../protocol/ids.js';
import { parseTarget } from '../protocol/login/target.js';
import { remoteLister } from './listers.js';
import { writeOut } from './output/stdout.js';
import { pathCandidates, splitTyped } from './path-candidates.js';
import type { SessionOptions } from './remote/session-options.js';
import { withSharedSession } from './remote/shared-session.js';

/** How long Tab waits for a server that says nothing (milliseconds). */
const COMPLETION_MS = 3_000;

/** Returns the exit code. */
export async function completePath(place: string, options: SessionOptions): Promise<number> {
  const target = parseTarget(place);
  const { path = '' } = target;
  setTimeout(() => process.exit(EXIT_CONNECTION), COMPLETION_MS).unref();
  return withSharedSession(target, { ...options, asks: false }, async ({ client, signal }) => {
    const candidates = await pathCandidates(path, remoteLister(client, ROOT_PATH, signal));
    const { directory } = splitTyped(path);
    const lines = candidates.map(({ name, isDirectory }) => `${directory}${name}${isDirectory ? '/' : ''}\n`);
    await writeOut(lines.join(''));
    return EXIT_OK;
  });
}

/** `ftpctl mv [USER@]HOST:FROM... [USER@]HOST:TO`: renames, or moves into TO if that is a directory. */
import { Failure } from '../protocol/failure.js';
import { joinPath } from '../protocol/ids.js';
import { RENAME_NOREPLACE } from '../protocol/operations.js';
import { lastComponent } from './names.js';
import { Outcome } from './outcome.js';
import { isDirectory, lookUp } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { remoteArguments, withSession } from './remote/session.js';

export interface MvOptions extends SessionOptions {
  /** False with --no-clobber. */
  readonly clobber: boolean;
}

/** Returns the exit code. */
export async function mv(places: readonly string[], options: MvOptions): Promise<number> {
  const { target, texts, paths } = remoteArguments(places);
  const [to, text] = [paths.at(-1), texts.at(-1)];
  const sources = paths.slice(0, -1);
  if (to === undefined || sources.length === 0) {
    throw new Failure('USAGE', 'mv takes two paths at least: what to move, and where to');
  }
  const outcome = new Outcome();
  await withSession(target, options, async ({ client, changes }) => {
    const attributes = await lookUp(client, to);
    const into = attributes !== undefined && isDirectory(attributes);
    if (!into && (sources.length > 1 || text?.endsWith('/') === true)) {
      throw new Failure('ENOTDIR', `'${text ?? ''}' is not a directory on the server: make it first`);
    }
    const flags = options.clobber ? 0 : RENAME_NOREPLACE;
    for (const from of sources) {
      await outcome.guard(from, async () => {
        const destination = into ? joinPath(to, lastComponent(from)) : to;
        await changes.rename(from, destination, flags);
      });
    }
  });
  return outcome.exitCode;
}

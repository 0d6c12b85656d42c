/** `ftpctl mv [USER@]HOST:FROM... [USER@]HOST:TO`: renames, or moves into TO if that is a directory. */
import { Failure, type FailureKind } from '../protocol/failure.js';
import { joinPath, type RemotePath } from '../protocol/ids.js';
import { RENAME_NOREPLACE } from '../protocol/operations.js';
import { lastComponent } from './names.js';
import { Outcome } from './outcome.js';
import { find, isDirectory, throughLinks } from './remote/directory.js';
import type { SessionOptions } from './remote/session-options.js';
import { matching } from './remote/matching.js';
import { remoteArguments, type Place } from './remote/place.js';
import type { RemoteSession } from './remote/session.js';
import { withSharedSession } from './remote/shared-session.js';

export interface MvFlags {
  /** False with --no-clobber. */
  readonly clobber: boolean;
}

export interface MvOptions extends SessionOptions, MvFlags {}

/** Returns the exit code. */
export async function mv(texts: readonly string[], options: MvOptions): Promise<number> {
  const { target, places } = remoteArguments(texts);
  const to = places.at(-1);
  if (to === undefined || places.length < 2) {
    throw new Failure('USAGE', 'mv takes two paths at least: what to move, and where to');
  }
  return withSharedSession(target, options, async (session) =>
    move(session, await matching(session, places.slice(0, -1)), to, options),
  );
}

const LEADS_NOWHERE: ReadonlySet<FailureKind> = new Set<FailureKind>(['ENOTDIR', 'ELOOP']);

/** Renames in a home. Returns the exit code. */
export async function move(
  { client, changes }: RemoteSession,
  sources: readonly Place[],
  to: Place,
  flags: MvFlags,
): Promise<number> {
  const { path: led, attributes } = await find(client, to.path).catch((error: unknown) => {
    // A link that leads nowhere is replaced, as by mv(1).
    if (!LEADS_NOWHERE.has(Failure.from(error).kind)) throw error;
    return { path: to.path, attributes: undefined };
  });
  const into = attributes !== undefined && isDirectory(attributes);
  if (!into && (sources.length > 1 || to.text.endsWith('/'))) {
    throw new Failure('ENOTDIR', `'${to.text}' is not a directory on the server: make it first`);
  }
  const outcome = new Outcome();
  for (const { path, shown } of sources) {
    await outcome.guard(shown, async () => {
      const destination = into ? joinPath(led, lastComponent(path)) : to.path;
      const rename = (from: RemotePath, onto: RemotePath): Promise<void> =>
        changes.rename(from, onto, flags.clobber ? 0 : RENAME_NOREPLACE);
      await throughLinks(client, path, 'kept', (from) =>
        throughLinks(client, destination, 'kept', (onto) => rename(from, onto)),
      );
    });
  }
  return outcome.exitCode;
}

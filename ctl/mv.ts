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
import { onlyShare } from './remote/shared-path.js';
import { withSharedSession } from './remote/shared-session.js';

export interface MvFlags {
  /** False with --no-clobber. */
  readonly clobber: boolean;
}

export interface MvOptions extends SessionOptions, MvFlags {}

/** Returns the exit code. */
export async function mv(texts: readonly string[], options: MvOptions): Promise<number> {
  const remote = remoteArguments(texts);
  if (remote.places.length < 2) {
    throw new Failure('USAGE', 'mv takes two paths at least: what to move, and where to');
  }
  requireOneHome(remote.places);
  return withSharedSession(remote, options, async (session, places) => {
    const to = places.at(-1) ?? places[0];
    return move(session, await matching(session, places.slice(0, -1)), to, options);
  });
}

/** EXDEV, as rename(2) has it. */
export function requireOneHome(places: readonly Pick<Place, 'path'>[]): void {
  try {
    onlyShare(places.map(({ path }) => path));
  } catch (cause) {
    const text = `a share is a home of its own, and nothing is moved from one into another: get it, put it, and rm it`;
    throw new Failure('EXDEV', text, { cause });
  }
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

/**
 * Patterns in the places of a command line: what they match, as at the prompt. A name of that very spelling wins over a
 * pattern; one that matches nothing stays as it is, so that the command says that it is not there.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH, type RemotePath } from '../../protocol/ids.js';
import { SHARED_DIRECTORY } from '../../protocol/shares.js';
import { parseRemotePath } from '../../client/remote-path.js';
import { expand, matches } from '../glob.js';
import { remoteLister } from '../listers.js';
import { lastComponent } from '../names.js';
import { isDirectory, lookUp, openDirectory, throughLinks } from './directory.js';
import { remoteArguments, type Place } from './place.js';
import type { SessionOptions } from './session-options.js';
import type { RemoteSession } from './session.js';
import { pathWithin, rootOf, SHARED_PATH, shareIn } from './shared-path.js';
import { withSharedSession } from './shared-session.js';

const MAGIC = /[*?[]/;

/** withSharedSession() on the places that arguments name; see remoteArguments(). */
export function withPlaces<T>(
  texts: readonly string[],
  options: SessionOptions,
  use: (session: RemoteSession, places: readonly Place[]) => Promise<T>,
  bareHost = false,
): Promise<T> {
  return withSharedSession(remoteArguments(texts, bareHost), options, async (session, places) =>
    use(session, await matching(session, places)),
  );
}

/** The places with those that match in the stead of patterns. */
export async function matching(session: RemoteSession, places: readonly Place[]): Promise<Place[]> {
  const list = remoteLister(session, ROOT_PATH, session.signal);
  const all: Place[] = [];
  for (const place of places) {
    const isPattern = MAGIC.test(place.text) && !(await exists(session, place.path));
    const found = isPattern ? await expand(place.text, list) : [];
    if (isPattern && found.length === 0 && (await isAcrossShares(session, place))) {
      throw acrossShares(place.text, 'matches nothing in the home');
    }
    if (found.length === 0) all.push(place);
    for (const name of found) {
      const path = parseRemotePath(name);
      if (await mayBeShare(session, path)) throw acrossShares(place.text, `matches ${path.toString()}`);
      const within = pathWithin(session.share, path);
      all.push({ path: within, text: name.toString(), shown: path, name: lastComponent(path) });
    }
  }
  return all;
}

/** Whether a pattern stands on the way into a share, where there may be one. */
async function isAcrossShares(session: RemoteSession, { path }: Place): Promise<boolean> {
  if (session.share !== undefined) return false;
  const [first = '', second = '', third] = path.toString().split('/', 3);
  const isOnTheWay = MAGIC.test(`${first}/${second}`) && third !== undefined;
  return isOnTheWay && matches(first, SHARED_PATH) && (await exists(session, SHARED_PATH));
}

/** Whether that is the place of a share, which in the own home is an empty directory: the session of a master knows no shares. */
async function mayBeShare({ client, share }: RemoteSession, path: RemotePath): Promise<boolean> {
  const found = share === undefined ? shareIn(path) : undefined;
  if (found === undefined || path.length !== rootOf(found).length) return false;
  const attributes = await lookUp(client, path);
  if (attributes === undefined || !isDirectory(attributes)) return false;
  for await (const _ of (await openDirectory(client, path)).entries) return false;
  return true;
}

/** `why`: what the pattern does instead. */
export function acrossShares(text: string, why: string): Failure {
  const shares = 'a share is a home of its own, and patterns do not lead into it';
  return new Failure('EXDEV', `'${text}' ${why}: ${shares}: name it, as in ${SHARED_DIRECTORY}/NAME`);
}

async function exists({ client }: RemoteSession, path: RemotePath): Promise<boolean> {
  try {
    return (await throughLinks(client, path, 'kept', (there) => lookUp(client, there))) !== undefined;
  } catch (error) {
    if (Failure.from(error).kind === 'ENOTDIR') return false;
    throw error;
  }
}

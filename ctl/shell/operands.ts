/**
 * What the operands of a command at the prompt name: places of the home from the current directory on, and paths of this machine.
 * `~` is the home of either; a pattern becomes what it matches, and one that matches nothing is an error.
 */
import { homedir } from 'node:os';
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH, type RemotePath } from '../../protocol/ids.js';
import { parseRemotePath } from '../../client/remote-path.js';
import { lastComponent } from '../names.js';
import type { Place } from '../remote/place.js';
import type { TrashPlace } from '../remote/trash-items.js';
import { acrossShares } from '../remote/matching.js';
import { isSharePlace, pathWithin } from '../remote/shared-path.js';
import type { Context } from './command.js';
import { localLister, remoteLister } from '../listers.js';
import { expand, type Lister } from '../glob.js';
import { literal, type Word } from './words.js';

/** The places of some words. Throws ENOENT where a pattern matches nothing. */
export async function remotePlaces(context: Context, words: readonly Word[]): Promise<Place[]> {
  const list = remoteLister(context.session, context.directory, context.session.signal);
  const places: Place[] = [];
  for (const word of words) {
    const typed = await written(word, '/', list);
    const found = typed.map((name) => placeOf(context, name));
    if (word.isPattern) for (const place of found) refuseShare(context, word, place);
    places.push(...found);
  }
  return places;
}

/** EXDEV: a pattern matches the place of a share, which is another home. */
function refuseShare({ session }: Context, { raw }: Word, { path }: Place): void {
  if (isSharePlace(session, path)) throw acrossShares(raw, `matches ${path.toString()}`);
}

/** What words mean of the trash, where nothing need be in the home: a pattern stays one. */
export function trashPlaces({ directory, session }: Context, words: readonly Word[]): TrashPlace[] {
  return words.map((word) => {
    const typed = word.isPattern ? word.pattern : withoutTilde(word, '/');
    const path = pathWithin(session.share, parseRemotePath(typed, directory));
    return { path, isPattern: word.isPattern, shown: Buffer.from(word.text) };
  });
}

/** The place of a word that can be one only, such as where to. Throws USAGE. */
export async function remotePlace(context: Context, word: Word): Promise<Place> {
  return only(await remotePlaces(context, [word]), word);
}

/** The current directory. */
export function currentPlace(context: Context): Place {
  return placeOf(context, Buffer.from('.'));
}

/** The home that the session is of. */
export function homePlace(): Place {
  const here = Buffer.from('/');
  return { path: ROOT_PATH, text: '/', shown: here, name: lastComponent(here) };
}

/** Where a word leads in the user's own home, as far as it is no pattern. */
export function typedPath(word: Word, directory: RemotePath): RemotePath {
  return parseRemotePath(withoutTilde(word, '/'), directory);
}

/** The local paths of some words. Throws ENOENT where a pattern matches nothing. */
export async function localPaths(words: readonly Word[]): Promise<Buffer[]> {
  const paths: Buffer[] = [];
  for (const word of words) paths.push(...(await written(word, homedir(), localLister)));
  return paths;
}

/** The local path of a word that can be one only. Throws USAGE. */
export async function localPath(word: Word): Promise<Buffer> {
  return only(await localPaths([word]), word);
}

/** A path as it was written, without `~`. */
export function withoutTilde(word: Word, home: string): string {
  return isTilde(word) ? `${home}${word.text.slice(home === '/' ? 2 : 1)}` : word.text;
}

function isTilde({ raw }: Word): boolean {
  return raw === '~' || raw.startsWith('~/');
}

async function written(word: Word, home: string, list: Lister): Promise<readonly Buffer[]> {
  if (!word.isPattern) return [Buffer.from(withoutTilde(word, home))];
  const pattern = isTilde(word)
    ? `${literal(home)}${word.pattern.slice(home === '/' ? 2 : 1)}`
    : word.pattern;
  const found = await expand(pattern, list);
  if (found.length === 0) throw new Failure('ENOENT', `nothing matches ${word.raw}`);
  return found;
}

function placeOf({ directory, session }: Context, typed: Buffer): Place {
  const path = parseRemotePath(typed, directory);
  const [within, name] = [pathWithin(session.share, path), lastComponent(typed)];
  return { path: within, text: typed.toString(), shown: typed, name };
}

function only<T>(found: readonly T[], word: Word): T {
  const [one, another] = found;
  if (one === undefined || another !== undefined) {
    throw new Failure('USAGE', `${word.raw} matches ${found.length} names, where one is meant`);
  }
  return one;
}

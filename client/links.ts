/**
 * Symbolic links in what a person writes after HOST. The server follows none: who means what they lead to finds it here, link by
 * link, and names that. What a link leads to is in the home, or it is refused.
 */
import { Failure } from '../protocol/failure.js';
import { joinPath, ROOT_PATH, splitPath, type RemotePath } from '../protocol/ids.js';

/** As Linux (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** Asks the server what a link says: ENOENT where nothing is there, EINVAL where it is no link. */
export type ReadLink = (path: RemotePath) => Promise<Buffer>;

/** Whether a link is followed that is the last name of a path; those on the way to it are. */
export type LastLink = 'kept' | 'followed';

/**
 * The path that leads to the same without links. What is not there is taken as it is. Throws ELOOP (too many), EXDEV (out of
 * the home).
 */
export async function withoutLinks(
  readLink: ReadLink,
  path: RemotePath,
  last: LastLink,
): Promise<RemotePath> {
  let at = ROOT_PATH;
  let links = 0;
  const rest = namesOf(path);
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      if (at.length === 0) throw leadsOut(path);
      at = splitPath(at).parent;
      continue;
    }
    const here = joinPath(at, Buffer.from(name, 'latin1'));
    const target = rest.length === 0 && last === 'kept' ? undefined : await targetOf(readLink, here);
    if (target === undefined) {
      at = here;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw new Failure('ELOOP', 'it leads through too many symbolic links');
    if (target.toString('latin1').startsWith('/')) throw leadsOut(here);
    rest.unshift(...namesOf(target));
  }
  return at;
}

/**
 * Acts on a path; where the server refuses it for a link, on where that leads. An action that was refused so has done
 * nothing.
 */
export async function throughLinks<T>(
  readLink: ReadLink,
  path: RemotePath,
  last: LastLink,
  act: (path: RemotePath) => Promise<T>,
): Promise<T> {
  try {
    return await act(path);
  } catch (error) {
    if (!['ELOOP', 'ENOTDIR'].includes(Failure.from(error).kind)) throw error;
    const led = await withoutLinks(readLink, path, last);
    if (led.equals(path)) throw error;
    return act(led);
  }
}

/** Undefined where there is no link. */
async function targetOf(readLink: ReadLink, path: RemotePath): Promise<Buffer | undefined> {
  try {
    return await readLink(path);
  } catch (error) {
    if (['ENOENT', 'EINVAL'].includes(Failure.from(error).kind)) return undefined;
    throw error;
  }
}

/** Bytes, one a character. */
function namesOf(path: Buffer): string[] {
  return path
    .toString('latin1')
    .split('/')
    .filter((name) => name !== '' && name !== '.');
}

function leadsOut(path: RemotePath): Failure {
  return new Failure('EXDEV', `the symbolic link ${path.toString()} leads out of the home`);
}

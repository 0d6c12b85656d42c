/*
 * Paths that lead into a share: Shared/NAME of the user's own home is the root of a home of its own, with a session of its own.
 * What people write, and see, is always the path in the own home.
 */
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { pathBelow, remotePath, shareName, type RemotePath, type ShareName } from '../../protocol/ids.js';
import { SHARED_DIRECTORY } from '../../protocol/shares.js';

/** Where the shares are in the own home. */
export const SHARED_PATH = remotePath(Buffer.from(SHARED_DIRECTORY));

/** Of a path of the own home, what may be the share that it leads into; undefined: it is in the own home. */
export function shareIn(path: RemotePath): ShareName | undefined {
  const [first, name] = path.toString('latin1').split('/', 2);
  if (first !== SHARED_DIRECTORY || name === undefined) return undefined;
  try {
    return shareName(name);
  } catch {
    return undefined;
  }
}

/** A path of the own home as one of the home of `share`; undefined: the own one. EXDEV: it is not in there. */
export function pathWithin(share: ShareName | undefined, path: RemotePath): RemotePath {
  if (share === undefined) return path;
  const below = pathBelow(remotePath(Buffer.from(rootOf(share))), path);
  if (below === undefined) throw new Failure('EXDEV', `that is not in ${rootOf(share)}`);
  return below;
}

/** The inverse of pathWithin(). */
export function pathFrom(share: ShareName | undefined, path: RemotePath): RemotePath {
  if (share === undefined) return path;
  const root = Buffer.from(rootOf(share));
  return remotePath(path.length === 0 ? root : Buffer.concat([root, Buffer.from('/'), path]));
}

/** Where the share is in the own home. */
export function rootOf(share: ShareName): string {
  return `${SHARED_DIRECTORY}/${share}`;
}

/** A session that is one's own: it knows the shares of its user. */
interface KnowingShares {
  readonly client: Pick<Client, 'session'>;
  readonly share: ShareName | undefined;
}

/** Whether a tree of the home ends at a directory, as it is the place of a share. */
export function isSharePlace({ client, share }: KnowingShares, path: RemotePath): boolean {
  const found = share === undefined ? shareIn(path) : undefined;
  if (found === undefined || path.length !== rootOf(found).length) return false;
  return client.session.shares.some(({ name }) => name === found);
}

/** Whether a directory of the home is the one in which the shares are. */
export function holdsShares({ client, share }: KnowingShares, path: RemotePath): boolean {
  return share === undefined && path.equals(SHARED_PATH) && client.session.shares.length > 0;
}

/** The one share that all these paths of the own home lead into, or undefined: the own home. EXDEV. */
export function onlyShare(paths: readonly RemotePath[]): ShareName | undefined {
  const [first, ...others] = paths.map(shareIn);
  const other = others.find((share) => share !== first);
  if (others.every((share) => share === first)) return first;
  const root = rootOf((first ?? other) as ShareName); // one of them is one
  throw new Failure('EXDEV', `${root} is a home of its own: name what is in it by a command of its own`);
}

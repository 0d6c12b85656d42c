/**
 * What a person names on a server: the [USER@]HOST:PATH arguments of a command, as places of its home.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath, ShareName } from '../../protocol/ids.js';
import { parseRemotePath } from '../../client/remote-path.js';
import { isRemote, parseTarget, type Target } from '../../client/target.js';
import { lastComponent } from '../names.js';
import { pathWithin } from './shared-path.js';

export interface Place {
  /** In the home that the session is of. */
  readonly path: RemotePath;
  /** As typed: a slash at its end means what is in a directory, or that it has to be one. */
  readonly text: string;
  /** What it is called where something is told of it; empty: the home. */
  readonly shown: Buffer;
  /** What a copy of it is called; empty: what is in it is copied. */
  readonly name: Buffer;
}

/** One at least. */
export type Places = readonly [Place, ...Place[]];

/** Places on one server, by their paths in the user's own home. */
export interface RemoteArguments {
  readonly target: Target;
  readonly places: Places;
}

/**
 * [USER@]HOST:PATH arguments, all of the same server. A lone HOST without a colon is its home where `bareHost`.
 * Throws USAGE.
 */
export function remoteArguments(texts: readonly string[], bareHost = false): RemoteArguments {
  const targets = texts.map((text) => {
    if (!isRemote(text) && !bareHost) {
      throw new Failure('USAGE', `'${text}' is not on a server: write [USER@]HOST:PATH`);
    }
    return parseTarget(text);
  });
  const [target, ...others] = targets;
  if (target === undefined) throw new Failure('USAGE', 'write [USER@]HOST:PATH');
  if (others.some(({ user, host }) => user !== target.user || host !== target.host)) {
    const bare = texts.find((text) => !isRemote(text) && !text.includes('@'));
    const why = bare === undefined ? '' : `: '${bare}' is no command here, and so the name of a server`;
    throw new Failure('USAGE', `all paths must be on the same server and of the same user${why}`);
  }
  return { target, places: [placeOf(target), ...others.map(placeOf)] };
}

/** A place in a home whose name to the person is its path. */
function placeOf({ path: text = '' }: Target): Place {
  const path = parseRemotePath(text);
  return { path, text, shown: path, name: lastComponent(path) };
}

/** Places of the own home as those of the home of a share. EXDEV. */
export function placesWithin(share: ShareName | undefined, [first, ...others]: Places): Places {
  const within = (place: Place): Place => ({ ...place, path: pathWithin(share, place.path) });
  return [within(first), ...others.map(within)];
}

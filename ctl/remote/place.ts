/**
 * What a person names on a server: the [USER@]HOST:PATH arguments of a command, as places of its home.
 */
import { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { parseRemotePath } from '../../protocol/login/remote-path.js';
import { isRemote, parseTarget, type Target } from '../../protocol/login/target.js';

export interface Place {
  readonly path: RemotePath;
  /** As typed: a slash at its end means what is in a directory, or that it has to be one. */
  readonly text: string;
  /** What it is called where something is told of it; empty: the home. */
  readonly shown: Buffer;
}

/** Places on one server; one at least. */
export interface RemoteArguments {
  readonly target: Target;
  readonly places: readonly [Place, ...Place[]];
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
    throw new Failure('USAGE', 'all paths must be on the same server and of the same user');
  }
  return { target, places: [placeOf(target), ...others.map(placeOf)] };
}

/** One [USER@]HOST:PATH argument. Throws USAGE. */
export function remoteArgument(argument: string, bareHost = false): { target: Target; place: Place } {
  const { target, places } = remoteArguments([argument], bareHost);
  return { target, place: places[0] };
}

/** A place in a home whose name to the person is its path. */
function placeOf({ path: text = '' }: Target): Place {
  const path = parseRemotePath(text);
  return { path, text, shown: path };
}

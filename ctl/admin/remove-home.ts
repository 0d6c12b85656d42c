/** Removing a home with its user or share, once nothing of it is open any more. */
import { readlink, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import type { HomeName } from '../../protocol/ids.js';
import { requireKnownHomes } from '../../state/homes-marker.js';
import type { State } from '../../state/store.js';

export interface RemoveOptions {
  /** Remove the home, too. */
  readonly remove?: boolean;
  /** The directory of homes, where no daemon has recorded it. */
  readonly home?: string;
}

/**
 * What is to be done with a home behind the removal of its user or share: it is known before whether it can be. Returns what it
 * did, in words. USAGE, EINVAL.
 */
export function removalOf(state: State, name: HomeName, options: RemoveOptions): () => Promise<string> {
  if (options.remove !== true) return () => Promise.resolve('');
  const homes = options.home === undefined ? state.homes : resolve(options.home);
  if (homes === undefined) {
    throw new Failure(
      'USAGE',
      'it is not known where the homes are, as no daemon ran yet: name them by --home',
    );
  }
  if (options.home === undefined) requireKnownHomes(state, homes);
  return () => removeHome(join(homes, name));
}

/** Removes what is there, in rm(1)'s way: symlinks are removed, never followed, also the home itself. */
async function removeHome(home: string): Promise<string> {
  const target = await readlink(home).catch(() => undefined);
  await rm(home, { recursive: true, force: true });
  if (target === undefined) return ' with the home';
  return `: the home was a link, which is removed, and what it leads to is left in ${resolve(dirname(home), target)}`;
}

/**
 * `ftpctl userdel NAME [--remove]`: removes an account; its home stays unless it is to be removed. A running daemon closes
 * the user's sessions before the tree is touched.
 */
import { readlink, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { requireKnownHomes } from '../../state/homes-marker.js';
import { writeOut } from '../output/stdout.js';
import { administer, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UserdelOptions extends StateOptions {
  /** Remove the home, too. */
  readonly remove?: boolean;
  /** The directory of homes, where no daemon has recorded it. */
  readonly home?: string;
}

/** Returns the exit code. */
export async function userdel(text: string, options: UserdelOptions): Promise<number> {
  const name = userArgument(text);
  const remove = options.remove === true;
  await administer(options, 'change', async (administration, state) => {
    const homes = options.home === undefined ? state.homes : resolve(options.home);
    if (remove && homes === undefined) {
      throw new Failure(
        'USAGE',
        'it is not known where the homes are, as no daemon ran yet: name them by --home',
      );
    }
    if (remove && options.home === undefined && homes !== undefined) requireKnownHomes(state, homes);
    await administration.removeUser(name, remove);
    const removed = remove && homes !== undefined ? await removeHome(join(homes, name)) : '';
    await writeOut(`user ${name} removed${removed}\n`);
  });
  return 0;
}

/** Removes what is there, in rm(1)'s way: symlinks are removed, never followed, also the home itself. Returns what it did. */
async function removeHome(home: string): Promise<string> {
  const target = await readlink(home).catch(() => undefined);
  await rm(home, { recursive: true, force: true });
  if (target === undefined) return ' with the home';
  return `: the home was a link, which is removed, and what it leads to is left in ${resolve(dirname(home), target)}`;
}

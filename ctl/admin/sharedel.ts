/**
 * `ftpctl sharedel NAME [--remove]`: removes a share; its files stay unless they are to be removed. A running daemon closes
 * its sessions before the tree is touched.
 */
import { homeOfShare } from '../../protocol/ids.js';
import { writeOut } from '../output/stdout.js';
import { removalOf, type RemoveOptions } from './remove-home.js';
import { shareArgument } from './share-arguments.js';
import { administerShares } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface SharedelOptions extends StateOptions, RemoveOptions {}

/** Returns the exit code. */
export async function sharedel(text: string, options: SharedelOptions): Promise<number> {
  const name = shareArgument(text);
  await administerShares(options, async (administration, state) => {
    const remove = removalOf(state, homeOfShare(name), options);
    await administration.removeShare(name, options.remove === true);
    await writeOut(`share ${name} removed${await remove()}\n`);
  });
  return 0;
}

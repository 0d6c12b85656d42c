/**
 * `ftpctl userdel NAME [--remove]`: removes an account; its home stays unless it is to be removed. A running daemon closes
 * the user's sessions before the tree is touched.
 */
import { writeOut } from '../output/stdout.js';
import { removalOf, type RemoveOptions } from './remove-home.js';
import { administer, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UserdelOptions extends StateOptions, RemoveOptions {}

/** Returns the exit code. */
export async function userdel(text: string, options: UserdelOptions): Promise<number> {
  const name = userArgument(text);
  await administer(options, 'change', async (administration, state) => {
    const remove = removalOf(state, name, options);
    await administration.removeUser(name, options.remove === true);
    await writeOut(`user ${name} removed${await remove()}\n`);
  });
  return 0;
}

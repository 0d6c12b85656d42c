/** `ftpctl unlock USER|ADDRESS`: forgets the failed logins of a user from anywhere, or of everybody from an address. */
import { writeOut } from '../output/stdout.js';
import { requireDaemon } from './state-access.js';
import type { StateOptions } from './state-option.js';

/** Returns the exit code. */
export async function unlock(userOrAddress: string, options: StateOptions): Promise<number> {
  const { lifted } = await requireDaemon(options, { type: 'unlock', userOrAddress });
  await writeOut(`failed logins of ${userOrAddress} forgotten, lockouts that ended: ${lifted}\n`);
  return 0;
}

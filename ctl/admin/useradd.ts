/** `ftpctl useradd NAME --quota 5G`: makes an account. */
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../../state/sizes.js';
import { softOf, softSettings } from './soft-settings.js';
import { newPasswordHash, type PasswordOptions } from './new-password.js';
import { administer, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UseraddOptions extends StateOptions, PasswordOptions {
  /** Bytes; 0: no limit. */
  readonly quota: number;
  readonly maxFiles?: number;
  /** Bytes; 0: none. */
  readonly soft?: number;
  /** Milliseconds. */
  readonly grace?: number;
  readonly posixOwners?: boolean;
  /** The home may be there already. */
  readonly adopt?: boolean;
}

/** Returns the exit code. */
export async function useradd(text: string, options: UseraddOptions): Promise<number> {
  const name = userArgument(text);
  const { quota: quotaBytes, maxFiles = 0, posixOwners = false, adopt = false } = options;
  const passwordHash = newPasswordHash(name, options);
  const user = { quotaBytes, maxFiles, ...softSettings(options), posixOwners, adopt, passwordHash };
  await administer(options, 'make', (administration) => administration.addUser(name, user));
  await writeOut(`user ${name} added, quota ${formatLimit(quotaBytes)}${softOf(softSettings(options))}\n`);
  return 0;
}

/** `ftpctl useradd NAME --quota 5G`: makes an account. The home is made when the user first logs in. */
import { Failure } from '../../protocol/failure.js';
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../sizes.js';
import { newPasswordHash, type PasswordOptions } from './new-password.js';
import { announce, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UseraddOptions extends StateOptions, PasswordOptions {
  /** Bytes; 0: no limit. */
  readonly quota: number;
  readonly maxFiles?: number;
  readonly posixOwners?: boolean;
}

/** Returns the exit code. */
export async function useradd(text: string, options: UseraddOptions): Promise<number> {
  const name = userArgument(text);
  const { quota: quotaBytes, maxFiles = 0, posixOwners = false } = options;
  await withState(options, 'make', async ({ accounts }) => {
    // Before a password is asked for nothing; create() decides.
    if (accounts.get(name) === undefined) {
      const passwordHash = await newPasswordHash(name, options);
      accounts.create({
        name,
        quotaBytes,
        maxFiles,
        passwordHash,
        keys: [],
        createdAt: Date.now(),
        disabled: false,
        posixOwners,
      });
    } else {
      throw new Failure('EEXIST', `there is a user ${name} already: change it with usermod`);
    }
    await announce(
      options,
      { action: 'useradd', user: name, details: { quotaBytes, maxFiles, posixOwners } },
      { type: 'accountChanged', name },
    );
  });
  await writeOut(`user ${name} added, quota ${formatLimit(quotaBytes)}\n`);
  return 0;
}

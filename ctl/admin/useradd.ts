/** `ftpctl useradd NAME --quota 5G` makes an account; `ftpctl useradd --batch FILE` those of a file. */
import { Failure } from '../../protocol/failure.js';
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../../state/sizes.js';
import { parseEnd } from '../../state/times.js';
import type { State } from '../../state/store.js';
import { MISSING_QUOTA } from '../../state/user-record.js';
import { addRecords } from './add-records.js';
import { expiryOf } from './expiry.js';
import { describeLimits, limitSettings, type LimitOptions } from './limit-settings.js';
import { newCredential, type PasswordOptions } from './new-password.js';
import { administer, tryOut, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';
import { readUserFile } from './user-file.js';
import { readRecords } from './user-records.js';

export interface UseraddOptions extends StateOptions, PasswordOptions, LimitOptions {
  /** A file of users, or `-`. */
  readonly batch?: string;
  /** Bytes; 0: no limit. */
  readonly quota?: number;
  readonly maxFiles?: number;
  readonly posixOwners?: boolean;
  /** See parseEnd(). */
  readonly expires?: string;
  /** The home may be there already. */
  readonly adopt?: boolean;
}

/** Returns the exit code. */
export async function useradd(text: string | undefined, options: UseraddOptions): Promise<number> {
  const { batch, posixOwners = false, adopt = false } = options;
  const expiresAt = parseEnd(options.expires ?? 'never');
  const given = {
    ...(options.quota === undefined ? {} : { quotaBytes: options.quota }),
    ...(options.maxFiles === undefined ? {} : { maxFiles: options.maxFiles }),
    ...limitSettings(options),
    ...{ posixOwners, expiresAt, adopt },
  };
  if ((batch === undefined) === (text === undefined)) {
    throw new Failure('USAGE', 'say the name of one user, or --batch FILE');
  }
  if (batch !== undefined) return addRecords(batch, readRecords(readUserFile(batch)), given, options);
  const name = userArgument(text ?? '');
  const credential = newCredential(name, options);
  const userOf = ({ userDefaults }: State) => {
    const { quotaBytes, ...user } = { ...userDefaults, ...given };
    if (quotaBytes === undefined) throw new Failure('USAGE', MISSING_QUOTA);
    return { ...user, quotaBytes };
  };
  await tryOut(options, async (_, __, state) => userOf(state));
  await administer(options, 'make', async (administration, state) => {
    const user = userOf(state);
    await administration.addUser(name, { ...user, credential });
    const limits = `${formatLimit(user.quotaBytes)}${describeLimits(user)}`;
    await writeOut(`user ${name} added, quota ${limits}${expiryOf({ expiresAt })}\n`);
  });
  return 0;
}

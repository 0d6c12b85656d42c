/**
 * `ftpctl usermod NAME`: changes limits, whether and until when the user may log in, or whether files have owners of their own. Open sessions
 * follow at once; of owners they are told by connecting again.
 */
import { Failure } from '../../protocol/failure.js';
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../../state/sizes.js';
import { parseEnd } from '../../state/times.js';
import { expiryOf } from './expiry.js';
import { describeLimits, limitSettings, type LimitOptions } from './limit-settings.js';
import { administer, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UsermodOptions extends StateOptions, LimitOptions {
  /** Bytes; 0: no limit. */
  readonly quota?: number;
  readonly maxFiles?: number;
  readonly disable?: boolean;
  readonly enable?: boolean;
  readonly posixOwners?: boolean;
  /** See parseEnd(). */
  readonly expires?: string;
}

/** Returns the exit code. */
export async function usermod(text: string, options: UsermodOptions): Promise<number> {
  const name = userArgument(text);
  const { quota, maxFiles, disable, enable, posixOwners, expires } = options;
  const disabled = disable === true ? true : enable === true ? false : undefined;
  const details = {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
    ...limitSettings(options),
    ...(disabled === undefined ? {} : { disabled }),
    ...(posixOwners === undefined ? {} : { posixOwners }),
    ...(expires === undefined ? {} : { expiresAt: parseEnd(expires) }),
  };
  if (Object.keys(details).length === 0 || (disable === true && enable === true)) {
    throw new Failure(
      'USAGE',
      'say what to change: --quota, --soft, --grace, --max-files, --bandwidth, --trash, --expires, --disable, --enable, --posix-owners or --no-posix-owners',
    );
  }
  const account = await administer(options, 'change', (administration) =>
    administration.changeUser(name, details),
  );
  const files = account.maxFiles === 0 ? 'none' : String(account.maxFiles);
  const login = account.disabled ? ', may not log in' : '';
  const owners = account.posixOwners === true ? ', files have owners' : '';
  await writeOut(
    `user ${name}: quota ${formatLimit(account.quotaBytes)}${describeLimits(account)}, limit of files ${files}${owners}${expiryOf(account)}${login}\n`,
  );
  return 0;
}

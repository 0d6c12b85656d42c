/** `ftpctl usermod NAME`: changes limits, or whether the user may log in. Open sessions follow at once. */
import { Failure } from '../../protocol/failure.js';
import { writeOut } from '../output/stdout.js';
import { formatLimit } from '../sizes.js';
import { announce, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface UsermodOptions extends StateOptions {
  /** Bytes; 0: no limit. */
  readonly quota?: number;
  readonly maxFiles?: number;
  readonly disable?: boolean;
  readonly enable?: boolean;
}

/** Returns the exit code. */
export async function usermod(text: string, options: UsermodOptions): Promise<number> {
  const name = userArgument(text);
  const { quota, maxFiles, disable, enable } = options;
  const disabled = disable === true ? true : enable === true ? false : undefined;
  const details = {
    ...(quota === undefined ? {} : { quotaBytes: quota }),
    ...(maxFiles === undefined ? {} : { maxFiles }),
    ...(disabled === undefined ? {} : { disabled }),
  };
  if (Object.keys(details).length === 0 || (disable === true && enable === true)) {
    throw new Failure('USAGE', 'say what to change: --quota, --max-files, --disable or --enable');
  }
  await withState(options, 'change', async ({ accounts }) => {
    const account = accounts.update(name, (before) => ({ ...before, ...details }));
    await announce(
      options,
      { action: 'usermod', user: name, details },
      { type: 'accountChanged', name, closeSessions: disabled === true },
    );
    const files = account.maxFiles === 0 ? 'none' : String(account.maxFiles);
    const login = account.disabled ? ', may not log in' : '';
    await writeOut(
      `user ${name}: quota ${formatLimit(account.quotaBytes)}, limit of files ${files}${login}\n`,
    );
  });
  return 0;
}

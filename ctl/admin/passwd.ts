/** `ftpctl passwd NAME`: gives a user another password. Sessions that are open stay, unless they are to be closed. */
import { noSuchUser } from '../../state/accounts.js';
import { writeOut } from '../output/stdout.js';
import { newPasswordHash, type PasswordOptions } from './new-password.js';
import { announce, userArgument, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface PasswdOptions extends StateOptions, PasswordOptions {
  readonly closeSessions?: boolean;
}

/** Returns the exit code. */
export async function passwd(text: string, options: PasswdOptions): Promise<number> {
  const name = userArgument(text);
  await withState(options, 'change', async ({ accounts }) => {
    if (accounts.get(name) === undefined) throw noSuchUser(name);
    const passwordHash = await newPasswordHash(name, options);
    accounts.update(name, (account) => ({ ...account, passwordHash }));
    await announce(
      options,
      {
        action: 'passwd',
        user: name,
        details: { login: passwordHash === null ? 'by key only' : 'by password' },
      },
      { type: 'accountChanged', name, closeSessions: options.closeSessions === true },
    );
  });
  await writeOut(`password of ${name} ${options.password ? 'changed' : 'removed: login is by key only'}\n`);
  return 0;
}

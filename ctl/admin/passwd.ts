/** `ftpctl passwd NAME`: gives a user another password. Sessions that are open stay, unless they are to be closed. */
import { writeOut } from '../output/stdout.js';
import { newCredential, type PasswordOptions } from './new-password.js';
import { administer, userArgument } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface PasswdOptions extends StateOptions, PasswordOptions {
  readonly closeSessions?: boolean;
}

/** Returns the exit code. */
export async function passwd(text: string, options: PasswdOptions): Promise<number> {
  const name = userArgument(text);
  const credential = newCredential(name, options);
  await administer(options, 'change', (administration) =>
    administration.setPassword(name, credential, options.closeSessions === true),
  );
  await writeOut(`password of ${name} ${options.password ? 'changed' : 'removed: login is by key only'}\n`);
  return 0;
}

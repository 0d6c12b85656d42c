/** `ftpctl web-password`: the password of the administrator at the web page. Who is signed in has to sign in again. */
import { writeOut } from '../output/stdout.js';
import { newCredential, type PasswordOptions } from './new-password.js';
import { administer } from './state-access.js';
import type { StateOptions } from './state-option.js';

/** Returns the exit code. */
export async function webPassword(options: StateOptions & PasswordOptions): Promise<number> {
  const credential = newCredential('the web page', options);
  await administer(options, 'make', (administration) => administration.setWebPassword(credential));
  await writeOut(
    `password of the web page ${options.password ? 'changed' : 'removed: nobody can sign in there'}\n`,
  );
  return 0;
}

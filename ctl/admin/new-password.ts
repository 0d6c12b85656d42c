/** The password that a user gets: of a file, of the terminal, or none, which leaves login by key. */
import { Failure } from '../../protocol/failure.js';
import { askNewPassword, readPasswordFile } from '../../protocol/login/password.js';
import { openTerminal } from '../../protocol/login/terminal.js';
import { hashPassword } from '../../state/password.js';

export interface PasswordOptions {
  readonly passwordFile?: string;
  /** False with --no-password. */
  readonly password: boolean;
}

/** The hash of the new password; null: no login by password. Throws USAGE where there is nobody to ask. */
export async function newPasswordHash(user: string, options: PasswordOptions): Promise<string | null> {
  if (!options.password) return null;
  if (options.passwordFile !== undefined) return hashPassword(readPasswordFile(options.passwordFile));
  const terminal = openTerminal();
  if (terminal === undefined) {
    throw new Failure(
      'USAGE',
      `${user} needs a password and there is no terminal to ask on: use --password-file, or --no-password for login by key`,
    );
  }
  try {
    return await hashPassword(await askNewPassword(terminal, user));
  } finally {
    terminal.close();
  }
}

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

/**
 * What asks for the new password and answers its hash; null: no login by password. A file is read at once, with the rights of
 * the caller. Throws USAGE where there is nobody to ask.
 */
export function newPasswordHash(user: string, options: PasswordOptions): () => Promise<string | null> {
  if (!options.password) return async () => null;
  if (options.passwordFile === undefined) return () => askedPasswordHash(user);
  const password = readPasswordFile(options.passwordFile);
  return () => hashPassword(password);
}

async function askedPasswordHash(user: string): Promise<string> {
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

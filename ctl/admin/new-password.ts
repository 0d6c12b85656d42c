/** The password that a user gets: of a file, of the terminal, or none, which leaves login by key. */
import { Failure } from '../../protocol/failure.js';
import { askNewPassword, readPasswordFile } from '../../client/password.js';
import { openTerminal } from '../../client/terminal.js';
import type { NewCredential } from '../../state/new-credential.js';

export interface PasswordOptions {
  readonly passwordFile?: string;
  /** False with --no-password. */
  readonly password: boolean;
}

/**
 * What asks for the new password. A file is read at once, with the rights of the caller. Throws USAGE where there is nobody to
 * ask.
 */
export function newCredential(user: string, options: PasswordOptions): () => Promise<NewCredential> {
  if (!options.password) return async () => null;
  if (options.passwordFile === undefined) return () => asked(user);
  const password = readPasswordFile(options.passwordFile);
  return async () => ({ password });
}

async function asked(user: string): Promise<NewCredential> {
  const terminal = openTerminal();
  if (terminal === undefined) {
    throw new Failure(
      'USAGE',
      `${user} needs a password and there is no terminal to ask on: use --password-file, or --no-password for login by key`,
    );
  }
  try {
    return { password: await askNewPassword(terminal, user) };
  } finally {
    terminal.close();
  }
}

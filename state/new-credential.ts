/*
 * What an administrator gives a user to log in with, beside keys: a password, or the hash of one that was made elsewhere.
 */
import { hashPassword } from './password.js';
import { hashPasswords } from './password-threads.js';

/** Null: no login by password. */
export type NewCredential = { readonly password: string } | { readonly passwordHash: string } | null;

/** What is kept of each of them (Account.passwordHash). EINVAL: a password is empty or too long. */
export async function hashesOf(credentials: readonly NewCredential[]): Promise<(string | null)[]> {
  const passwords = credentials.flatMap((each) =>
    each !== null && 'password' in each ? [each.password] : [],
  );
  // A thread costs more than one hash.
  const hashes =
    passwords.length > 1 ? await hashPasswords(passwords) : await Promise.all(passwords.map(hashPassword));
  return credentials.map((each) => {
    if (each === null) return null;
    return 'password' in each ? (hashes.shift() ?? null) : each.passwordHash;
  });
}

/*
 * Which passwords may be set. One that is set already is never looked at again.
 */
import { Failure } from '../protocol/failure.js';
import { isInLists } from './guessed-passwords.js';

/** Characters, where the daemon's configuration does not say otherwise (min-password). */
export const MIN_PASSWORD = 8;
/** Of a password there are at least so many different characters. */
const MIN_DIFFERENT = 3;

/** EINVAL, saying what is wrong with it. `user`: whose password it is to be. */
export function requireGoodPassword(password: string, user: string, minPassword: number): void {
  const { length } = [...password];
  if (length < minPassword) {
    throw new Failure('EINVAL', `the password has ${length} characters, and ${minPassword} are needed`);
  }
  if (isGuessedFirst(password, user)) {
    throw new Failure('EINVAL', 'the password is one of those that are guessed first: choose another');
  }
}

function isGuessedFirst(password: string, user: string): boolean {
  const isName = password.toLowerCase() === user.toLowerCase();
  return isName || new Set(password).size < MIN_DIFFERENT || isInLists(password);
}

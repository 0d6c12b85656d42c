/**
 * Directories of a user's programs that nobody else may enter: whoever can reach a socket in one may use what is behind it, and
 * whoever can make names in one has files overwritten that they lead to.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whether `directory` is there and nobody else can enter it, or put another one in its place. */
export function isPrivate(directory: string): boolean {
  const status = lstatSync(directory, { throwIfNoEntry: false });
  return status?.isDirectory() === true && status.uid === process.getuid?.() && (status.mode & 0o077) === 0;
}

/**
 * Makes it where it is missing, but not in a directory of another user, which sudo may leave in the environment. Returns whether
 * it isPrivate().
 */
export function makePrivate(directory: string): boolean {
  try {
    if (!isOwn(directory)) return false;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return isPrivate(directory);
  } catch {
    return false;
  }
}

/** Whether a directory, or where it is to be, belongs to this user. */
function isOwn(directory: string): boolean {
  const status = lstatSync(directory, { throwIfNoEntry: false });
  return status === undefined ? isOwn(dirname(directory)) : status.uid === process.getuid?.();
}

/*
 * That a state is its owner's alone: it holds password hashes and the server's key.
 *
 * What is found wider (a directory made by hand, files restored from a backup) is closed. But a directory that holds other things,
 * too, is others' business, and only refused where they could put their files in the place of these.
 */
import { chmodSync, closeSync, fstatSync, openSync, readdirSync, statSync, type Stats } from 'node:fs';
import { basename, join } from 'node:path';
import { O_NOFOLLOW, O_PATH } from '../posix/flags.js';
import { Failure } from '../protocol/failure.js';
import { defaultHomes, type StatePaths } from './directory.js';

const OF_OTHERS = 0o077;
const WRITTEN_BY_OTHERS = 0o022;
/** Only the owner of a file may replace it. */
const STICKY = 0o1000;

/** Closes a state to others. EACCES where that cannot be. The server's key is checked by who reads it. */
export function closeToOthers(paths: StatePaths): void {
  const { directory, database, throttle, managerLog, userLog } = paths;
  const status = statSync(directory);
  const own = [database, throttle, managerLog, userLog].map((path) => basename(path));
  // With what belongs to them: the lock of the database, logs that were moved aside.
  for (const name of readdirSync(directory)) {
    if (!own.includes(name.replace(/(?:-lock|\.\d+)$/, ''))) continue;
    closeFile(join(directory, name), status.uid);
  }
  const mode = status.mode & 0o7777;
  if ((mode & OF_OTHERS) === 0) return;
  if (isOwn(status) && holdsNothingElse(paths)) return chmodSync(directory, 0o700);
  if ((mode & WRITTEN_BY_OTHERS) === 0 || (mode & STICKY) !== 0) return;
  throw new Failure(
    'EACCES',
    `${directory} is writable by others (mode ${mode.toString(8)}): chmod go-w it, or name a directory of its own`,
  );
}

/**
 * Closes a file of the state, whose owner is `uid`. What is another's, no file, or a file by another name, too, is left to who opens it:
 * the owner could have root close any file of the machine by a link.
 */
function closeFile(path: string, uid: number): void {
  let file: number;
  try {
    file = openSync(path, O_PATH | O_NOFOLLOW);
  } catch {
    return;
  }
  try {
    const status = fstatSync(file);
    const isItsOwn = status.isFile() && status.nlink === 1 && status.uid === uid && isOwn(status);
    if (isItsOwn && (status.mode & OF_OTHERS) !== 0) chmodSync(`/proc/self/fd/${file}`, 0o600);
  } finally {
    // By O_PATH: to close any other descriptor of its lock would end all locks that the database of this process has (fcntl(2)).
    closeSync(file);
  }
}

/** Whether this process may change its mode. */
function isOwn({ uid }: Stats): boolean {
  const own = process.geteuid?.();
  return own === 0 || own === uid;
}

function holdsNothingElse({ directory, ...files }: StatePaths): boolean {
  const own = [...Object.values(files).map((path) => basename(path)), basename(defaultHomes(directory))];
  return readdirSync(directory).every((name) => own.some((file) => name.startsWith(file)));
}

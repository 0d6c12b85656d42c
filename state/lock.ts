/*
 * One daemon per state directory, and per directory of homes: two would keep two ledgers of the same homes. The locks are
 * flocks: the kernel drops them with the process, however it ends, so there is nothing stale to clean up.
 */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { Failure } from '../protocol/failure.js';
import { fd } from '../posix/fd.js';
import { flock } from '../posix/files.js';
import { LOCK_EX, LOCK_NB } from '../posix/flags.js';
import { holderText, statePaths } from './directory.js';

export interface Lock {
  release(): void;
}

/** Locks a state directory, by a file that stays and holds the process id, for people. EBUSY. */
export function lockState(directory: string): Lock {
  const path = statePaths(directory).lock;
  // Truncates nothing yet: it may be another daemon's.
  const file = open(path, constants.O_RDWR | constants.O_CREAT);
  lock(
    file,
    `another daemon${holderText(file)} runs on ${directory}: stop it, or give this one a --state of its own`,
  );
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`, 0);
  return { release: () => closeSync(file) };
}

/** Locks a directory of homes itself. EBUSY. */
export function lockHomes(directory: string): Lock {
  const file = open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  lock(
    file,
    `another daemon serves the homes in ${directory}: stop it, or give this one a --home of its own`,
  );
  return { release: () => closeSync(file) };
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw Failure.from(error);
  }
}

function lock(file: number, held: string): void {
  try {
    flock(fd(file), LOCK_EX | LOCK_NB);
  } catch (error) {
    closeSync(file);
    const failure = Failure.from(error);
    throw failure.kind === 'EAGAIN' ? new Failure('EBUSY', held, { cause: error }) : failure;
  }
}

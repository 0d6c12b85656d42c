/**
 * The part of a get: `.NAME.ftpmount-part` next to the target, which becomes the target in one rename. Its journal is beside it.
 *
 * Invariant: one get has a part at a time, by flock(2) on it.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { Fd } from '../../posix/fd.js';
import { flock } from '../../posix/files.js';
import { LOCK_EX, LOCK_NB } from '../../posix/flags.js';
import { Failure } from '../../protocol/failure.js';
import { MAX_NAME } from '../../protocol/limits.js';
import { displayName } from '../names.js';

const PART_SUFFIX = '.ftpmount-part';
const JOURNAL_SUFFIX = '.state';
/** Permissions that a server may give to a local file: no set-user-ID and the like. */
export const PERMISSIONS = 0o777;
/** How a part is opened: never through a symbolic link, nor waiting for the writer of a FIFO. */
export const PART_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
export const PART_MODE = 0o600;

/** The name of the part of a file; a hash stands for a name that would become too long. */
export function partName(name: Buffer): Buffer {
  const room = MAX_NAME - 1 - PART_SUFFIX.length - JOURNAL_SUFFIX.length;
  const stem = name.length <= room ? name : Buffer.from(createHash('sha256').update(name).digest('hex'));
  return Buffer.concat([Buffer.from('.'), stem, Buffer.from(PART_SUFFIX)]);
}

export function journalOf(part: Buffer): Buffer {
  return Buffer.concat([part, Buffer.from(JOURNAL_SUFFIX)]);
}

/** Two gets into one part would mix; the lock ends with the descriptor. EBUSY. */
export function lockPart(part: Fd, name: Buffer): void {
  try {
    flock(part, LOCK_EX | LOCK_NB);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind !== 'EAGAIN') throw failure;
    throw new Failure('EBUSY', `another get is writing ${displayName(name)}: wait for its end`);
  }
}

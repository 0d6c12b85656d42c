/*
 * Where the programs' logs go: a file or standard error, by pino.
 *
 * Invariant: logging never throws, and never ends a program. Where a line cannot be written (the disk is full, who read standard
 * error is gone) it is kept, up to MAX_KEPT bytes, and written before the next line that can be.
 */
import { destination, type DestinationStream } from 'pino';

/** Bytes of lines that wait for room; what comes then is dropped. */
const MAX_KEPT = 1024 * 1024;

export type LogDestination = DestinationStream & { reopen(): void };

/** Undefined: standard error; else a file (0600, appended). Throws where it cannot be opened. */
export function openLogDestination(path: string | undefined): LogDestination {
  const where = path === undefined ? { fd: 2 } : { dest: path, append: true, mode: 0o600 };
  // Synchronous: a line that was logged is there even if the process dies next; lines are rare.
  const file = destination({ ...where, sync: true, maxLength: MAX_KEPT });
  // Without a listener a failed write would be thrown at whoever logs.
  file.on('error', () => undefined);
  return file;
}

/*
 * The daemon's logs on the disk or on standard error, by pino: one JSON object a line. Only the main thread writes, so that
 * each file has one writer and one reopening.
 *
 * Invariant: logging never throws. Where a line cannot be written (the disk is full) it is kept, up to MAX_KEPT bytes, and
 * written before the next line that can be; the service goes on meanwhile.
 */
import { destination, pino, type DestinationStream, type Logger } from 'pino';
import { Failure } from '../protocol/failure.js';
import { withError, type Log, type LogLevel } from './log.js';

/** Bytes of lines that wait for room on the disk; what comes then is dropped. */
const MAX_KEPT = 1024 * 1024;

export interface LogFile extends Log {
  setLevel(level: LogLevel): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
}

/** A log of JSON lines into a file (0600, appended), or on standard error. Throws a Failure that names the file. */
export function openLog(path: string | undefined, level: LogLevel): LogFile {
  // Synchronous: a line that was logged is there even if the process dies next; lines are rare.
  const file = openDestination(path);
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    file,
  );
  const write = (name: LogLevel) => (fields: Record<string, unknown>, message: string) =>
    logger[name](withError(fields), message);
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    setLevel: (name) => {
      logger.level = name;
    },
    reopen: () => {
      if (path !== undefined) file.reopen();
    },
  };
}

function openDestination(path: string | undefined): DestinationStream & { reopen(): void } {
  try {
    const where = path === undefined ? { fd: 2 } : { dest: path, mode: 0o600 };
    const file = destination({ ...where, sync: true, maxLength: MAX_KEPT });
    // Without a listener a failed write would be thrown at whoever logs.
    file.on('error', () => undefined);
    return file;
  } catch (error) {
    throw new Failure(
      'EACCES',
      `log file ${String(path)} cannot be written: ${Failure.from(error).message}`,
      {
        cause: error,
      },
    );
  }
}

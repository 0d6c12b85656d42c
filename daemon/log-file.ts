/*
 * The daemon's logs on the disk or on standard error, by pino: one JSON object a line. Only the main thread writes, so that
 * each file has one writer, and one who begins it anew.
 * Logging never throws (program/log-destination.ts): the service goes on where a line cannot be written.
 */
import { statSync } from 'node:fs';
import { pino, type DestinationStream, type Logger } from 'pino';
import { Failure } from '../protocol/failure.js';
import { openLogDestination, type LogDestination } from '../program/log-destination.js';
import type { LogRotation } from './log-rotation.js';
import { withError, type Log, type LogLevel } from './log.js';

export interface LogFile extends Log {
  setLevel(level: LogLevel): void;
}

/**
 * A log of JSON lines into a file (0600, appended) that is rotated, or on standard error. Throws a Failure that names the
 * file.
 */
export function openLog(path: string | undefined, level: LogLevel, rotation: LogRotation): LogFile {
  const file = openDestination(path);
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    path === undefined ? file : rotated(file, path, rotation),
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
  };
}

/** Looks at the file also as often as so much was written that it may be due. */
function rotated(file: LogDestination, path: string, rotation: LogRotation): DestinationStream {
  const reopen = (): void => file.reopen();
  let unlooked = statSync(path).size;
  rotation.watch(path, reopen);
  return {
    write(line) {
      file.write(line);
      unlooked += Buffer.byteLength(line);
      if (unlooked < rotation.maxBytes) return;
      unlooked = 0;
      rotation.look(path, reopen);
    },
  };
}

function openDestination(path: string | undefined): LogDestination {
  try {
    return openLogDestination(path);
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

/**
 * The mount's own log, by pino: JSON lines into a file once it is in the background, plain lines on standard error with
 * `-f`. It tells of lost connections and of data that could not be written and that nobody waited for.
 */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type Logger } from 'pino';
import { Failure } from '../protocol/failure.js';
import { openLogDestination } from '../program/log-destination.js';

/** Bytes after which a mount that starts begins the log anew; the former one is FILE.1. Others that are mounted write on there. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A log into a file (0600, appended), or on standard error. Throws EACCES naming the file. */
export function openMountLog(file: string | undefined, mountpoint: string): Logger {
  const options = {
    base: { mountpoint },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  if (file === undefined) return pino(options, openLogDestination(file));
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    moveAside(file);
    return pino(options, openLogDestination(file));
  } catch (error) {
    throw new Failure('EACCES', `log file ${file} cannot be written: choose another one with --log`, {
      cause: error,
    });
  }
}

function moveAside(file: string): void {
  const status = statSync(file, { throwIfNoEntry: false });
  if (status?.isFile() === true && status.size >= MAX_BYTES) renameSync(file, `${file}.1`);
}

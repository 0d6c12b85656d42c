/**
 * The mount's own log, by pino: JSON lines into a file once it is in the background, plain lines on standard error with
 * `-f`. It tells of lost connections and of data that could not be written and that nobody waited for.
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { destination, pino, type Logger } from 'pino';
import { Failure } from '../protocol/failure.js';

/** $XDG_STATE_HOME/ftpmount/mount.log: one file for all mounts of a user; lines tell their mount point. */
export function defaultLogFile(): string {
  return join(stateDirectory(), 'mount.log');
}

/** Where data are kept that the server could not take after their program had been told that all is well: by server and time. */
export function lossDirectory(server: string, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[:.]/g, '');
  return join(stateDirectory(), 'lost', `${server.replaceAll(/[^\w.@-]/g, '_')}-${time}`);
}

function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const state = environment['XDG_STATE_HOME'];
  const base = state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local/state');
  return join(base, 'ftpmount');
}

/** A log into a file (0600, appended), or on standard error. Throws EACCES naming the file. */
export function openMountLog(file: string | undefined, mountpoint: string): Logger {
  const options = {
    base: { mountpoint },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  if (file === undefined) return pino(options, destination({ fd: 2, sync: true }));
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Synchronous: lines are rare, and the last one matters most.
    return pino(options, destination({ dest: file, sync: true, append: true, mode: 0o600 }));
  } catch (error) {
    throw new Failure('EACCES', `log file ${file} cannot be written: choose another one with --log`, {
      cause: error,
    });
  }
}

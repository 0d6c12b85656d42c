/* Logs for tests of parts that want one. */
import { LOG_LEVELS, type Log } from '../../daemon/log.js';

export interface LoggedLine {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A log that keeps its lines in `lines`. */
export function recordingLog(): Log & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const writers = LOG_LEVELS.map((level) => [
    level,
    (fields: Record<string, unknown>, message: string) => lines.push({ level, fields, message }),
  ]);
  return Object.assign(Object.fromEntries(writers) as Log, { lines });
}

/** A log that keeps nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

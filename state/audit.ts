/*
 * The audit trail of account changes: manager.log, one JSON object a line, appended by whoever made the change. What was changed
 * at once is one write(2) with O_APPEND, so that several programs may append at once.
 * Invariant: an entry says that a password or key changed, never which password or hash.
 */
import { appendFileSync } from 'node:fs';
import { pino } from 'pino';
import type { UserName } from '../protocol/ids.js';
import type { StatePaths } from './directory.js';

export type AccountAction =
  | 'useradd'
  | 'usermod'
  | 'userdel'
  | 'passwd'
  | 'key-add'
  | 'key-remove'
  | 'disconnect'
  | 'trash-empty'
  | 'trash-restore'
  | 'trash-remove'
  | 'unlock'
  | 'ban'
  | 'unban'
  | 'groupadd'
  | 'groupmod'
  | 'groupdel'
  | 'shareadd'
  | 'sharemod'
  | 'sharedel'
  | 'web-password'
  | 'token-add'
  | 'token-remove';

export type AuditDetails = Readonly<Record<string, string | number | boolean>>;

export interface AccountChange {
  readonly action: AccountAction;
  /** Whose account; missing where it is none's. */
  readonly user?: UserName;
  /** What changed, for reading: { quotaBytes: 1024 }, { fingerprint: 'SHA256:...' }. Nothing secret. */
  readonly details?: AuditDetails;
  /** What that was before, where it was something. */
  readonly before?: AuditDetails;
}

/** Appends entries to manager.log; they are with the kernel when this returns. */
export function recordAccountChanges(
  { managerLog }: Pick<StatePaths, 'managerLog'>,
  by: string,
  changes: readonly AccountChange[],
): void {
  const lines: string[] = [];
  const formatters = { level: (name: string) => ({ level: name }) };
  const log = pino(
    { base: { by }, formatters, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line) => void lines.push(line) },
  );
  for (const { action, user, details, before } of changes) log.info({ user, ...details, before }, action);
  appendFileSync(managerLog, lines.join(''), { mode: 0o600 });
}

/** Who runs this program, and who became it by sudo. */
export function personAtTerminal(): string {
  const uid = process.getuid?.() ?? 0;
  const name = uid === 0 ? process.env['SUDO_USER'] : undefined;
  return name === undefined ? `uid ${uid}` : `uid ${uid} (${name})`;
}

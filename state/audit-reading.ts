/*
 * The end of the audit trail: what administrators changed (manager.log), and who came, what they moved, and who was refused
 * (user.log). Newest first; as much as the last TAIL_BYTES of each file hold, and of the one before it.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { Failure } from '../protocol/failure.js';
import { formerLog, type StatePaths } from './directory.js';

const TAIL_BYTES = 1024 * 1024;

export interface AuditEntry {
  /** ISO 8601. */
  readonly time: string;
  readonly what: string;
  /** The account; null where it is none. */
  readonly user: string | null;
  /** All else that the line says. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface AuditFilter {
  /** The whole name; empty: all. */
  readonly user: string;
  /** Something in the line, in upper or lower case; empty: all. */
  readonly text: string;
  /** Older than this time; missing or empty: all. */
  readonly before?: string;
  /** How many at most. */
  readonly limit: number;
}

export async function readAudit(
  { managerLog, userLog }: Pick<StatePaths, 'managerLog' | 'userLog'>,
  { user, text, before = '', limit }: AuditFilter,
): Promise<AuditEntry[]> {
  const files = [managerLog, userLog].flatMap((log) => [formerLog(log, 1), log]);
  const lines = (await Promise.all(files.map(readTail))).flat();
  const wanted = text.toLowerCase();
  return lines
    .filter((line) => line.toLowerCase().includes(wanted))
    .flatMap((line) => entryOf(line))
    .filter((entry) => (user === '' || entry.user === user) && (before === '' || entry.time < before))
    .toSorted((a, b) => (a.time < b.time ? 1 : -1))
    .slice(0, limit);
}

/** The last whole lines of a file; none where there is none, or something else. */
async function readTail(path: string): Promise<string[]> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const status = await file.stat();
    if (!status.isFile()) return [];
    const { size } = status;
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    // The first is the end of a line, or was cut.
    return start === 0 ? lines : lines.slice(1);
  } catch (error) {
    if (Failure.from(error).kind === 'ENOENT') return [];
    throw error;
  } finally {
    await file?.close();
  }
}

/** Nothing where a line is none: a disk that was full cut it. */
function entryOf(line: string): AuditEntry[] {
  try {
    const { time, msg, user, level: _, ...details } = JSON.parse(line) as Record<string, unknown>;
    if (typeof time !== 'string' || typeof msg !== 'string') return [];
    return [{ time, what: msg, user: typeof user === 'string' ? user : null, details }];
  } catch {
    return [];
  }
}

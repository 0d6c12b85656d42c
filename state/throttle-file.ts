/*
 * What the daemon knows of failed logins, and whence and when users were let in, over its restarts: a file of its own, for the database
 * has room for small changes only (room.ts). It is written now and then, and not synced: a crash loses some seconds of it, and
 * nothing that anybody was promised.
 */
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { Failure } from '../protocol/failure.js';

/** Whence a user was let in, the latest last; and when last. */
export interface KnownPlaces {
  readonly addresses: readonly string[];
  readonly devices: readonly string[];
  /** Milliseconds since 1970. */
  readonly lastLogin: number;
}

/** `age`: how long before the record the last failure was, in milliseconds. */
type FailureCount = readonly [key: string, failures: number, age: number];

export interface ThrottleRecord {
  /** When it was made: milliseconds since 1970. */
  readonly at: number;
  readonly known: readonly (readonly [user: string, known: KnownPlaces])[];
  readonly places: readonly FailureCount[];
  readonly users: readonly FailureCount[];
  readonly addresses: readonly FailureCount[];
}

/** Undefined where there is none. Throws a Failure where it is damaged, or cannot be read. */
export function readThrottle(path: string): ThrottleRecord | undefined {
  if (!existsSync(path)) return undefined;
  const record = parseOrNull(readFileSync(path, 'utf8'));
  if (!isRecord(record)) throw new Failure('EIO', `${path} is damaged`);
  return record;
}

/** Replaces it. Only one at a time. */
export async function writeThrottle(path: string, record: ThrottleRecord): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** What is no JSON, as a record that is none. */
function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is ThrottleRecord {
  const { at, known, places, users, addresses } = Object(value) as Partial<Record<string, unknown>>;
  return (
    typeof at === 'number' &&
    isListOf(known, ([user, of]) => typeof user === 'string' && isKnown(of)) &&
    [places, users, addresses].every((counts) =>
      isListOf(
        counts,
        ([key, failures, age]) =>
          typeof key === 'string' && typeof failures === 'number' && typeof age === 'number',
      ),
    )
  );
}

function isKnown(value: unknown): boolean {
  const { addresses, devices, lastLogin } = Object(value) as Partial<Record<string, unknown>>;
  return (
    typeof lastLogin === 'number' &&
    [addresses, devices].every((list) => Array.isArray(list) && list.every((one) => typeof one === 'string'))
  );
}

function isListOf(value: unknown, check: (entry: readonly unknown[]) => boolean): boolean {
  return Array.isArray(value) && value.every((entry) => Array.isArray(entry) && check(entry));
}

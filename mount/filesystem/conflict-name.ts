/**
 * The names of conflict copies: NAME.conflict-DATE-HOST. They sort by date, are legal on every system, and tell where the
 * version comes from.
 */
import { MAX_NAME } from '../../protocol/limits.js';

/** Characters of the host's name that are shown. */
const MAX_HOST = 64;

/** What is appended to a name: of this moment (milliseconds since 1970) and this machine. */
export function conflictSuffix(now: number, host: string): string {
  const date = new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '.');
  const shown = host.replaceAll(/[^\w.-]/g, '-').slice(0, MAX_HOST);
  return `.conflict-${date}-${shown === '' ? 'unknown' : shown}`;
}

/** The name of a copy, shortened where it would be too long. `attempt`: 1, and more where the names before are taken. */
export function conflictName(name: Buffer, suffix: string, attempt: number): Buffer {
  const end = Buffer.from(attempt === 1 ? suffix : `${suffix}-${attempt}`);
  return Buffer.concat([shortened(name, MAX_NAME - end.length), end]);
}

/** At most so many bytes, and no part of a character of UTF-8. */
function shortened(name: Buffer, length: number): Buffer {
  if (name.length <= length) return name;
  let end = length;
  while (end > 0 && ((name[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  // What is no UTF-8 is cut where it has to be.
  return name.subarray(0, length - end < 4 ? end : length);
}

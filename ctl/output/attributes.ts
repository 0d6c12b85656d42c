/**
 * Attributes of files as `ls -l` and `stat` show them.
 */
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../posix/flags.js';
import type { Timestamp } from '../../protocol/attributes.js';

const TYPES: ReadonlyMap<number, { readonly letter: string; readonly text: string }> = new Map([
  [S_IFREG, { letter: '-', text: 'regular file' }],
  [S_IFDIR, { letter: 'd', text: 'directory' }],
  [S_IFLNK, { letter: 'l', text: 'symbolic link' }],
  [S_IFIFO, { letter: 'p', text: 'fifo' }],
  [S_IFSOCK, { letter: 's', text: 'socket' }],
]);

export function typeText(mode: number): string {
  return TYPES.get(mode & S_IFMT)?.text ?? 'unknown';
}

/** `drwxr-xr-x`, with the letters of set-user-ID, set-group-ID and sticky. */
export function modeText(mode: number): string {
  const letters = [TYPES.get(mode & S_IFMT)?.letter ?? '?'];
  for (const [shift, special, set, unset] of [
    [6, 0o4000, 's', 'S'],
    [3, 0o2000, 's', 'S'],
    [0, 0o1000, 't', 'T'],
  ] as const) {
    const bits = (mode >> shift) & 7;
    const execute = (bits & 1) !== 0;
    letters.push((bits & 4) !== 0 ? 'r' : '-', (bits & 2) !== 0 ? 'w' : '-');
    letters.push((mode & special) !== 0 ? (execute ? set : unset) : execute ? 'x' : '-');
  }
  return letters.join('');
}

/** Local time, `2024-03-09 17:05`. */
export function minuteText({ sec }: Timestamp): string {
  return localTime(sec).replace(/:\d\d$/, '');
}

/** Local time with nanoseconds and zone, `2024-03-09 17:05:01.000000001 +0100`. */
export function exactText({ sec, nsec }: Timestamp): string {
  const offset = -new Date(sec * 1000).getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(offset) / 60))}${pad(Math.abs(offset) % 60)}`;
  return `${localTime(sec)}.${String(nsec).padStart(9, '0')} ${zone}`;
}

function localTime(sec: number): string {
  const date = new Date(sec * 1000);
  if (Number.isNaN(date.getTime())) return `@${sec}`;
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

function pad(n: number): string {
  return String(n).padStart(2, '0');
}

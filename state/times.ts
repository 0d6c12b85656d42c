/* Points in time and spans as people write and read them, in the time zone of the machine. */
import { Failure } from '../protocol/failure.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS: Readonly<Record<string, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };
/** Longest span: a hundred years. */
const MAX_SPAN_MS = 36_525 * DAY_MS;

/** Reads a span, such as 30m, 12h, 7d or 2w, in milliseconds. Throws USAGE. */
export function parseSpan(text: string): number {
  const span = spanOf(text);
  if (span !== undefined) return span;
  throw new Failure('USAGE', `'${text}' is not a span of time: write one such as 30m, 12h, 7d or 2w`);
}

/**
 * Reads when something ends, in milliseconds since 1970: a date (its beginning), a date with a time, a point in time as
 * toISOString() writes it, or a span from `now`; null: `never`. Throws USAGE.
 */
export function parseEnd(text: string, now = Date.now()): number | null {
  if (text === 'never') return null;
  const span = spanOf(text);
  if (span !== undefined) return now + span;
  if (isPoint(text)) return Date.parse(text);
  const [, date = '', time = '00:00'] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d))?$/.exec(text) ?? [];
  const end = Date.parse(`${date}T${time}`);
  // The 31st of February is one of March to Date.parse.
  if (!Number.isNaN(end) && formatTime(end).startsWith(date)) return end;
  throw new Failure(
    'USAGE',
    `'${text}' is no date: write one such as 2027-01-31, '2027-01-31 18:00', 90d from now, or never`,
  );
}

function isPoint(text: string): boolean {
  const time = Date.parse(text);
  return text.endsWith('Z') && !Number.isNaN(time) && new Date(time).toISOString() === text;
}

/** As parseEnd() reads it: 2027-01-31 18:00. */
export function formatTime(ms: number): string {
  const local = ms - new Date(ms).getTimezoneOffset() * MINUTE_MS;
  return new Date(local).toISOString().slice(0, 16).replace('T', ' ');
}

/** As parseEnd() reads it. */
export function formatEnd(end: number | null): string {
  return end === null ? 'never' : formatTime(end);
}

function spanOf(text: string): number | undefined {
  const [, count, unit = ''] = /^([1-9]\d{0,8})([mhdw])$/.exec(text) ?? [];
  const span = Number(count) * (UNITS[unit] ?? Number.NaN);
  return span <= MAX_SPAN_MS ? span : undefined;
}

/** The longest unit that fits, rounded up: 7 days, 1 hour, 2 minutes. */
export function formatSpan(ms: number): string {
  const [name, unit] =
    ms > DAY_MS ? ['day', DAY_MS] : ms > HOUR_MS ? ['hour', HOUR_MS] : (['minute', MINUTE_MS] as const);
  const count = Math.ceil(ms / unit);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** As parseSpan() reads it, and exactly: 7d, 90m. Of whole minutes. */
export function exactSpan(ms: number): string {
  const [unit, length] = Object.entries(UNITS).findLast(([, each]) => ms % each === 0) ?? ['m', MINUTE_MS];
  return `${ms / length}${unit}`;
}

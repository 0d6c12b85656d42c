/* Spans of time as people write them. */
import { Failure } from '../protocol/failure.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS: Readonly<Record<string, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };
/** Longest span: a hundred years. */
const MAX_SPAN_MS = 36_525 * DAY_MS;

/** Reads a span, such as 30m, 12h, 7d or 2w, in milliseconds. Throws USAGE. */
export function parseSpan(text: string): number {
  const [, count, unit = ''] = /^([1-9]\d{0,8})([mhdw])$/.exec(text) ?? [];
  const span = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (span <= MAX_SPAN_MS) return span;
  throw new Failure('USAGE', `'${text}' is not a span of time: write one such as 30m, 12h, 7d or 2w`);
}

/** The longest unit that fits, rounded up: 7 days, 1 hour, 2 minutes. */
export function formatSpan(ms: number): string {
  const [name, unit] =
    ms > DAY_MS ? ['day', DAY_MS] : ms > HOUR_MS ? ['hour', HOUR_MS] : (['minute', MINUTE_MS] as const);
  const count = Math.ceil(ms / unit);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

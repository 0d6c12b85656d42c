/**
 * Sizes as people write and read them: K M G T are powers of 1024, as in `ls -h` and `df -h`.
 */
import { Failure } from '../protocol/failure.js';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/**
 * Reads a size in bytes: a number, with a fraction if there is a unit, and K M G T (also KiB, KB, ...); 0 is no limit
 * where a limit is meant. Throws USAGE.
 */
export function parseSize(text: string): number {
  const match = /^(?<number>[0-9]+(?:\.[0-9]+)?)\s*(?:(?<unit>[KMGT])(?:i?B)?|B)?$/i.exec(text.trim());
  const unit = match?.groups?.['unit']?.toUpperCase() ?? '';
  const bytes = Number(match?.groups?.['number']) * 1024 ** UNITS.findIndex((name) => name === unit);
  if (
    !Number.isFinite(bytes) ||
    bytes > Number.MAX_SAFE_INTEGER ||
    (unit === '' && !Number.isInteger(bytes))
  ) {
    throw new Failure(
      'USAGE',
      `'${text}' is not a size: write a number with K, M, G or T, such as 5G or 0.5T`,
    );
  }
  return Math.floor(bytes);
}

/** Reads how many there are of something: 1 at least. Throws USAGE. */
export function parseNumber(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new Failure('USAGE', "'0' is too few: write 1 at least");
  return count;
}

/** Reads a whole number from 0. Throws USAGE. */
export function parseCount(text: string): number {
  const count = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
  if (count < 0) throw new Failure('USAGE', `'${text}' is not a whole number: write one such as 10000`);
  return count;
}

/** A size in at most five characters, such as 512, 1.5G or 120M. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 and not 1024, so that 1023K is shown as 1.0M and never needs four digits.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return String(bytes);
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)}${UNITS[unit] ?? ''}`;
}

/** A limit: its size, or 'none'. */
export function formatLimit(bytes: number): string {
  return bytes === 0 ? 'none' : formatSize(bytes);
}

/** A duration in seconds as 0:07, 12:34 or 1:02:03. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** A size as it may be typed, without loss. */
export function exactSize(bytes: number): string {
  for (const [power, unit] of [
    [4, 'T'],
    [3, 'G'],
    [2, 'M'],
    [1, 'K'],
  ] as const) {
    if (bytes > 0 && bytes % 1024 ** power === 0) return `${bytes / 1024 ** power}${unit}`;
  }
  return String(bytes);
}

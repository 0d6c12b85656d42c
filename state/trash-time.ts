/* For how long an account's trash keeps what was removed, as people write and read it: a span, or `off`. */
import { Failure } from '../protocol/failure.js';
import { exactSpan, parseSpan } from './times.js';

const OFF = 'off';
/** The server looks through what is kept by the ten minutes in which it was removed (daemon/home/trash/trash-layout.ts). */
const MAX_TRASH_MS = 366 * 86_400_000;

/** Milliseconds; 0: there is none. Throws USAGE. */
export function parseTrashTime(text: string): number {
  if (text === OFF) return 0;
  let span: number;
  try {
    span = parseSpan(text);
  } catch {
    throw new Failure('USAGE', `'${text}' is no time for the trash: write one such as 30d or 12h, or ${OFF}`);
  }
  if (span <= MAX_TRASH_MS) return span;
  throw new Failure('USAGE', `the trash keeps nothing for ${text}: say 366d at most`);
}

/** As parseTrashTime() reads it. */
export function formatTrashTime(ms: number): string {
  return ms === 0 ? OFF : exactSpan(ms);
}

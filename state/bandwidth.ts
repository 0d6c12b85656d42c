/* Bandwidths as people write and read them: bytes a second, 0 for no limit. */
import { Failure } from '../protocol/failure.js';
import { formatSize, parseSize } from './sizes.js';

/** A message is up to 1 MiB long, and one comes every five seconds at least (daemon/worker/pace.ts). */
const MIN_BANDWIDTH = 256 * 1024;
/** In KiB it fits where the threads of the daemon share it (daemon/worker/pace.ts). */
const MAX_BANDWIDTH = 1024 ** 4;

/** Throws USAGE. */
export function parseBandwidth(text: string): number {
  const bytes = parseSize(text);
  if (bytes > MAX_BANDWIDTH)
    throw new Failure('USAGE', `a bandwidth of ${text} a second is too much: 0 is no limit`);
  if (bytes === 0 || bytes >= MIN_BANDWIDTH) return bytes;
  throw new Failure(
    'USAGE',
    `a bandwidth of ${text} a second is too little: say 256K at least, or 0 for no limit`,
  );
}

/** `10M/s`, or `none`. */
export function formatBandwidth(bytes: number): string {
  return bytes === 0 ? 'none' : `${formatSize(bytes)}/s`;
}

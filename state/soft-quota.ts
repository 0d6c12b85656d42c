/*
 * The soft quota of an account: bytes that may be passed, up to the quota, for a time of grace. When that is over, and the use has
 * not been within it since, nothing is added until it is. As setquota(8).
 */
import { softQuotaAdvice } from '../protocol/soft-quota.js';
import { formatSize } from './sizes.js';
import { formatSpan } from './times.js';

/** As setquota(8) has it by default: a week. */
export const DEFAULT_GRACE_MS = 7 * 86_400_000;

export interface SoftQuota {
  /** 0: there is none. */
  readonly softBytes: number;
  /** Milliseconds. */
  readonly graceMs: number;
}

export function softQuotaOf({ softBytes = 0, graceMs = DEFAULT_GRACE_MS }: Partial<SoftQuota>): SoftQuota {
  return { softBytes, graceMs };
}

/** What is told to the user; undefined: nothing is to be told. `graceLeft`: seconds; null: the use is within it. */
export function sizedAdvice(used: number, softBytes: number, graceLeft: number | null): string | undefined {
  return softQuotaAdvice(graceLeft, {
    excess: `${formatSize(used - softBytes)} over the soft quota of ${formatSize(softBytes)}`,
    left: formatSpan((graceLeft ?? 0) * 1000),
  });
}

/* --soft and --grace of useradd and usermod, and what they came to, in words. */
import { formatLimit } from '../../state/sizes.js';
import { softQuotaOf, type SoftQuota } from '../../state/soft-quota.js';
import { formatSpan } from '../../state/times.js';

/** What is not given is not there. */
export function softSettings({
  soft,
  grace,
}: {
  readonly soft?: number;
  readonly grace?: number;
}): Partial<SoftQuota> {
  return {
    ...(soft === undefined ? {} : { softBytes: soft }),
    ...(grace === undefined ? {} : { graceMs: grace }),
  };
}

/** Nothing where there is none. */
export function softOf(account: Partial<SoftQuota>): string {
  const { softBytes, graceMs } = softQuotaOf(account);
  return softBytes === 0 ? '' : ` (soft ${formatLimit(softBytes)}, grace ${formatSpan(graceMs)})`;
}

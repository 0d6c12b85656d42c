/* What the mount's log says of a soft quota that was passed: `df` in a mount cannot show it. */
import { softQuotaAdvice } from '../../protocol/soft-quota.js';
import type { LossLog } from './losses.js';

/** Of the figures of the notification `softLimit`. */
export function logSoftQuota(
  log: LossLog,
  usedBytes: number,
  softBytes: number,
  graceSeconds: number | null,
): void {
  const what = softQuotaAdvice(graceSeconds, {
    excess: 'the home is over its soft quota',
    left: 'the time of grace',
  });
  if (what !== undefined) log.error({ usedBytes, softBytes, graceSeconds }, what);
}

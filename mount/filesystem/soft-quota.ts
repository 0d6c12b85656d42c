/* What the mount's log says of a soft quota that was passed: `df` in a mount cannot show it. */
import type { LossLog } from './losses.js';

/** Of the figures of the notification `softLimit`. */
export function logSoftQuota(
  log: LossLog,
  usedBytes: number,
  softBytes: number,
  graceSeconds: number | null,
): void {
  if (graceSeconds === null) return;
  const what =
    graceSeconds > 0
      ? 'the home is over its soft quota: remove files before the time of grace is over'
      : 'the home is over its soft quota, and the time of grace is over: nothing more is taken until files are removed';
  log.error({ usedBytes, softBytes, graceSeconds }, what);
}

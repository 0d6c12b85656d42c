/* --soft, --grace, --bandwidth and --trash of useradd and usermod, and what they came to, in words. */
import type { Account } from '../../state/accounts.js';
import { formatBandwidth } from '../../state/bandwidth.js';
import { formatLimit } from '../../state/sizes.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import { exactSpan } from '../../state/times.js';
import { formatTrashTime } from '../../state/trash-time.js';

type LimitSettings = Pick<Account, 'softBytes' | 'graceMs' | 'bandwidth' | 'trashMs'>;

/** As they are given. */
export interface LimitOptions {
  /** Bytes; 0: none. */
  readonly soft?: number;
  /** Milliseconds. */
  readonly grace?: number;
  /** Bytes a second; 0: no limit. */
  readonly bandwidth?: number;
  /** Milliseconds; 0: there is none. */
  readonly trash?: number;
}

/** What is not given is not there. */
export function limitSettings({ soft, grace, bandwidth, trash }: LimitOptions): LimitSettings {
  return {
    ...(soft === undefined ? {} : { softBytes: soft }),
    ...(grace === undefined ? {} : { graceMs: grace }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(trash === undefined ? {} : { trashMs: trash }),
  };
}

/** Nothing where there is none. */
export function describeLimits(settings: LimitSettings): string {
  const { softBytes, graceMs } = softQuotaOf(settings);
  const { bandwidth = 0, trashMs = 0 } = settings;
  const soft = softBytes === 0 ? '' : ` (soft ${formatLimit(softBytes)}, grace ${exactSpan(graceMs)})`;
  const rate = bandwidth === 0 ? '' : `, bandwidth ${formatBandwidth(bandwidth)}`;
  const trash = trashMs === 0 ? '' : `, trash ${formatTrashTime(trashMs)}`;
  return `${soft}${rate}${trash}`;
}

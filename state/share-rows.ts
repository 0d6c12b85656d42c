/* What there is to show of each share: `ftpctl shares` and the metrics. */
import { homeOfShare } from '../protocol/ids.js';
import type { DaemonStatus } from './control.js';
import type { Use } from './ledger.js';
import type { ShareRecord } from './shares.js';
import type { State } from './store.js';

export interface ShareRow {
  readonly share: ShareRecord;
  /** Undefined: never counted. */
  readonly use: Use | undefined;
  /** How many are open. */
  readonly sessions: number;
}

/** All shares, by name. `status`: of the daemon, if one runs. */
export function shareRows(
  { shares, ledger }: Pick<State, 'shares' | 'ledger'>,
  status: Pick<DaemonStatus, 'uses' | 'sessions'> | undefined,
): ShareRow[] {
  const uses = new Map(status?.uses.map((use) => [use.home, use] as const));
  return shares.list().map((share) => {
    const home = homeOfShare(share.name);
    return {
      share,
      // The ledger of a home that is open is behind: its daemon knows.
      use: uses.get(home) ?? ledger.read(home),
      sessions: status?.sessions.filter((one) => one.share === share.name).length ?? 0,
    };
  });
}

/*
 * What becomes of the sessions, and of homes that are open, when groups or shares are changed while the daemon runs.
 */
import type { HomeName } from '../protocol/ids.js';
import { sharedHome, type Shares } from '../state/shares.js';
import { consequenceOf } from './login/memberships.js';
import type { WorkerPool } from './pool.js';
import type { SessionRecord, Sessions } from './sessions.js';

/**
 * Why a session ends, whether its client may connect again, and whether that will not be as the same client: then nobody waits for
 * what it was leased. Default: where it may not.
 */
export type End = readonly [reason: string, again: boolean, isOver?: boolean];

export interface ShareChangesOptions {
  readonly shares: Pick<Shares, 'list' | 'ofAny'>;
  readonly sessions: Sessions;
  readonly pool: Pick<WorkerPool, 'homeChanged' | 'tellShares' | 'closeHome'>;
  /** Ends them; resolves when they are closed. */
  readonly end: (ending: readonly SessionRecord[], endOf: (record: SessionRecord) => End) => Promise<void>;
}

export class ShareChanges {
  readonly #options: ShareChangesOptions;

  constructor(options: ShareChangesOptions) {
    this.#options = options;
  }

  /** Limits, who is told of which shares, and whose sessions end. */
  async changed(): Promise<{ closedSessions: number }> {
    const { shares, sessions, pool, end } = this.#options;
    for (const record of shares.list()) pool.homeChanged(sharedHome(record));
    const sharesOf = shares.ofAny();
    const ends = new Map<SessionRecord, End>();
    for (const record of sessions.list()) {
      const consequence = consequenceOf(sharesOf(record.user), record);
      if (consequence.kind === 'told') {
        record.shares = consequence.shares;
        pool.tellShares(record.sessionId, consequence.shares);
      } else if (consequence.kind === 'ended') {
        ends.set(record, [consequence.reason, consequence.again, true]);
      }
    }
    await end([...ends.keys()], (record) => ends.get(record) ?? ['', false]);
    return { closedSessions: ends.size };
  }

  /** Resolves when nothing of the shares of these homes is open any more, however long that takes: their files may be removed then. */
  async removed(homes: readonly HomeName[]): Promise<{ closedSessions: number }> {
    const { sessions, pool } = this.#options;
    const gone = new Set(homes);
    const closedSessions = sessions.list().filter(({ home }) => gone.has(home)).length;
    await Promise.all(homes.map((home) => pool.closeHome(home, 'the share was removed')));
    if (homes.length > 0) await this.changed();
    return { closedSessions };
  }
}

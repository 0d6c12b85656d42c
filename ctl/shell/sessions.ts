/*
 * The sessions of a prompt: that of the user's own home, and one for each share that a command was about, opened by then and kept.
 */
import type { RemotePath, ShareName } from '../../protocol/ids.js';
import type { LastingSession } from '../remote/session.js';
import { shareIn } from '../remote/shared-path.js';

export class ShellSessions {
  readonly own: LastingSession;
  readonly #ofShares = new Map<ShareName, Promise<LastingSession>>();

  constructor(own: LastingSession) {
    this.own = own;
  }

  /** The share that a path of the own home leads into, as the user has them now; undefined: it is in the own home. */
  shareIn(path: RemotePath): ShareName | undefined {
    const share = shareIn(path);
    return this.own.client.session.shares.some(({ name }) => name === share) ? share : undefined;
  }

  /** The session of a share, or of the own home. */
  of(share: ShareName | undefined, signal: AbortSignal): Promise<LastingSession> {
    if (share === undefined) return Promise.resolve(this.own);
    const known = this.#ofShares.get(share);
    if (known !== undefined) return known;
    const opening = this.own.openShare(share, signal);
    this.#ofShares.set(share, opening);
    // The next command tries again.
    opening.catch(() => this.#ofShares.delete(share));
    return opening;
  }

  /** Ends the connections: what has no answer fails with ECANCELED. */
  breakOff(): void {
    this.own.breakOff();
    for (const opening of this.#ofShares.values()) void opening.then((session) => session.breakOff(), ignore);
  }

  /** Logs out of the shares; the own session is whose it was before. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#ofShares.values()].map((opening) => opening.then((session) => session.close(), ignore)),
    );
  }
}

/** Who waits for it is told. */
function ignore(): void {}

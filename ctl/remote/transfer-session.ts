/**
 * A session for a transfer. Little goes over the session that a master keeps, where there is one (ctl/master), so that it costs no
 * login; much has a connection of its own, as all that passes a master is encrypted and copied once more (256 MiB: 1.06 s of
 * processor time instead of 0.95, 2026-11-28) and would hold up the other commands there. Its session is left to a master.
 */
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import type { ShareName } from '../../protocol/ids.js';
import { Changes } from './changes.js';
import { accountOf, homeOf, type HomeEndpoint } from './endpoint.js';
import { withGrace, withInterrupt } from './interrupt.js';
import { placesWithin, type Places, type RemoteArguments } from './place.js';
import type { SessionOptions } from './session-options.js';
import { connectWithin, LastingSession, type OwnSession, type RemoteSession } from './session.js';
import { joinSharedSession, withOwnSession } from './shared-session.js';

/** What goes over a master's session, in all (bytes). */
const LITTLE_BYTES = 1024 * 1024;

/**
 * Runs `use`; `size` tells what it moves (bytes), and may ask over the session that is there. Ctrl-C: see interrupt.ts. EXDEV: the
 * places are in several homes.
 */
export function withTransferSession<T>(
  remote: RemoteArguments,
  options: SessionOptions,
  use: (session: OwnSession, places: Places) => Promise<T>,
  size?: (session: RemoteSession, places: Places) => Promise<number>,
): Promise<T> {
  return withInterrupt(async (signal) => {
    const endpoint = homeOf(remote, options);
    const useThere = (session: OwnSession): Promise<T> =>
      use(session, placesWithin(session.share, remote.places));
    const client = size && (await joinSharedSession(endpoint, options, signal));
    if (size !== undefined && client !== undefined) {
      const session = new JoinedSession(client, endpoint, options, signal);
      try {
        const interruptible = <R>(act: () => Promise<R>): Promise<R> =>
          withGrace(signal, () => session.breakOff(), act);
        // Why it cannot be known the transfer finds out, too.
        const bytes = await interruptible(() =>
          size(session, placesWithin(session.share, remote.places)).catch(() => Infinity),
        );
        if (bytes <= LITTLE_BYTES) return await interruptible(() => useThere(session));
      } finally {
        await session.close();
      }
    }
    return withOwnSession(endpoint, options, signal, useThere);
  });
}

/** That of a master, until it is lost: then a session of its own. */
class JoinedSession implements OwnSession {
  readonly signal: AbortSignal;
  readonly account: string;
  readonly share: ShareName | undefined;
  readonly #shared: { readonly client: Client; readonly changes: Changes };
  readonly #login: () => Promise<LastingSession>;
  #own: LastingSession | undefined;

  constructor(client: Client, endpoint: HomeEndpoint, options: SessionOptions, signal: AbortSignal) {
    this.signal = signal;
    this.account = accountOf(endpoint);
    this.share = endpoint.share;
    this.#shared = { client, changes: new Changes(client) };
    this.#login = () => LastingSession.open(endpoint, options, signal);
  }

  get client(): Client {
    return (this.#own ?? this.#shared).client;
  }

  get changes(): Changes {
    return (this.#own ?? this.#shared).changes;
  }

  /** See OwnSession. */
  async reconnect(ms: number): Promise<void> {
    if (this.#own !== undefined) return this.#own.reconnect(ms, this.signal);
    this.#own = await connectWithin(ms, this.signal, this.#login);
  }

  breakOff(): void {
    this.client.destroy(new Failure('ECANCELED', 'interrupted'));
  }

  async close(): Promise<void> {
    await this.#shared.client.close();
    await this.#own?.close();
  }
}

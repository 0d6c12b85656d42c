/**
 * A session for a command that asks and changes little: the one that a master keeps, where there is one (ctl/master), else a
 * login, whose session then becomes that of a master. What only a login needs is loaded for it.
 */
import { dirname } from 'node:path';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { readClientConfig } from '../../client/config.js';
import { clientFiles } from '../../client/files.js';
import { joinMaster } from '../master/greeting.js';
import { makePrivate } from '../../client/private-directory.js';
import { masterSocket } from '../master/master-place.js';
import { Changes } from './changes.js';
import { accountOf, homeOf, type HomeEndpoint } from './endpoint.js';
import { withGrace, withInterrupt } from './interrupt.js';
import { placesWithin, type Places, type RemoteArguments } from './place.js';
import type { SessionOptions } from './session-options.js';
import type { LastingSession, OwnSession, RemoteSession } from './session.js';

/** Runs `use` on a session of the home that the places are in. Ctrl-C: see interrupt.ts. Throws EXDEV where they are in several. */
export function withSharedSession<T>(
  remote: RemoteArguments,
  options: SessionOptions,
  use: (session: RemoteSession, places: Places) => Promise<T>,
): Promise<T> {
  return withInterrupt(async (signal) => {
    const endpoint = homeOf(remote, options);
    const useThere = (session: RemoteSession): Promise<T> =>
      use(session, placesWithin(session.share, remote.places));
    const client = await joinSharedSession(endpoint, options, signal);
    if (client !== undefined) return useShared(client, endpoint, signal, useThere);
    return withOwnSession(endpoint, options, signal, useThere);
  });
}

/** Runs `use` on a session of its own, which is left to a master where it was not interrupted. */
export async function withOwnSession<T>(
  endpoint: HomeEndpoint,
  options: SessionOptions,
  signal: AbortSignal,
  use: (session: OwnSession) => Promise<T>,
): Promise<T> {
  const { LastingSession } = await import('./session.js');
  const session = await LastingSession.open(endpoint, options, signal);
  try {
    const result = await session.run(signal, use);
    if (!signal.aborted) await leaveToMaster(session, endpoint, options);
    return result;
  } finally {
    await session.close();
  }
}

/** A client on the session that a master keeps; undefined where there is none. */
export async function joinSharedSession(
  endpoint: HomeEndpoint,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<Client | undefined> {
  const place = masterPlace(endpoint, options)?.place;
  return place === undefined ? undefined : joinMaster(place, signal);
}

async function useShared<T>(
  client: Client,
  endpoint: HomeEndpoint,
  signal: AbortSignal,
  use: (session: RemoteSession) => Promise<T>,
): Promise<T> {
  const breakOff = (): void => client.destroy(new Failure('ECANCELED', 'interrupted'));
  const { share } = endpoint;
  try {
    return await withGrace(signal, breakOff, () =>
      use({ client, changes: new Changes(client), account: accountOf(endpoint), share, signal }),
    );
  } finally {
    await client.close();
  }
}

/** The next command goes on with the session. Where no master can be, it is as it was. */
export async function leaveToMaster(
  session: LastingSession,
  endpoint: HomeEndpoint,
  options: SessionOptions,
): Promise<void> {
  // Not before: the login may have added to what the place depends on.
  const at = masterPlace({ ...endpoint, share: session.share }, options);
  if (at === undefined || !makePrivate(dirname(at.place))) return;
  const { handOver } = await import('../master/handing-over.js');
  try {
    await handOver(session.client, {
      ...at,
      account: session.account,
      server: session.server,
      share: session.share,
      lastChange: session.changes.last,
    });
  } catch {
    // Something is under way, or the connection was lost.
  }
}

function masterPlace(
  endpoint: HomeEndpoint,
  { master, passwordFile }: SessionOptions,
): { readonly place: string; readonly idleMs: number } | undefined {
  const files = clientFiles();
  const idleMs = master === false ? 0 : readClientConfig(files.config).masterIdleMs;
  const place = idleMs === 0 ? undefined : masterSocket(endpoint, passwordFile, files);
  return place === undefined ? undefined : { place, idleMs };
}

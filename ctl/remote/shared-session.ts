/**
 * A session for a command that asks and changes little: the one that a master keeps, where there is one (ctl/master), else a
 * login, whose session then becomes that of a master. What only a login needs is loaded for it.
 */
import { dirname } from 'node:path';
import type { Client } from '../../protocol/client.js';
import { Failure } from '../../protocol/failure.js';
import { readClientConfig } from '../../protocol/login/client-config.js';
import { clientFiles } from '../../protocol/login/client-files.js';
import type { Endpoint, Target } from '../../protocol/login/target.js';
import { joinMaster } from '../master/greeting.js';
import { makePrivate, masterSocket } from '../master/master-place.js';
import { Changes } from './changes.js';
import { accountOf, endpointOf } from './endpoint.js';
import { withGrace, withInterrupt } from './interrupt.js';
import type { SessionOptions } from './session-options.js';
import type { LastingSession, OwnSession, RemoteSession } from './session.js';

/** Runs `use` on a session of the home. Ctrl-C: see interrupt.ts. */
export function withSharedSession<T>(
  target: Target,
  options: SessionOptions,
  use: (session: RemoteSession) => Promise<T>,
): Promise<T> {
  return withInterrupt(async (signal) => {
    const endpoint = endpointOf(target, options);
    const client = await joinSharedSession(endpoint, options, signal);
    if (client !== undefined) return useShared(client, accountOf(endpoint), signal, use);
    return withOwnSession(endpoint, options, signal, use);
  });
}

/** Runs `use` on a session of its own, which is left to a master where it was not interrupted. */
export async function withOwnSession<T>(
  endpoint: Endpoint,
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
  endpoint: Endpoint,
  options: SessionOptions,
  signal: AbortSignal,
): Promise<Client | undefined> {
  const place = masterPlace(endpoint, options)?.place;
  return place === undefined ? undefined : joinMaster(place, signal);
}

async function useShared<T>(
  client: Client,
  account: string,
  signal: AbortSignal,
  use: (session: RemoteSession) => Promise<T>,
): Promise<T> {
  const breakOff = (): void => client.destroy(new Failure('ECANCELED', 'interrupted'));
  try {
    return await withGrace(signal, breakOff, () =>
      use({ client, changes: new Changes(client), account, signal }),
    );
  } finally {
    await client.close();
  }
}

/** The next command goes on with the session. Where no master can be, it is as it was. */
export async function leaveToMaster(
  session: LastingSession,
  endpoint: Endpoint,
  options: SessionOptions,
): Promise<void> {
  // Not before: the login may have added to what the place depends on.
  const at = masterPlace(endpoint, options);
  if (at === undefined || !makePrivate(dirname(at.place))) return;
  const { handOver } = await import('../master/handing-over.js');
  try {
    await handOver(session.client, { ...at, account: session.account, lastChange: session.changes.last });
  } catch {
    // Something is under way, or the connection was lost.
  }
}

function masterPlace(
  endpoint: Endpoint,
  { master, passwordFile }: SessionOptions,
): { readonly place: string; readonly idleMs: number } | undefined {
  const files = clientFiles();
  const idleMs = master === false ? 0 : readClientConfig(files.config).masterIdleMs;
  const place = idleMs === 0 ? undefined : masterSocket(endpoint, passwordFile, files);
  return place === undefined ? undefined : { place, idleMs };
}

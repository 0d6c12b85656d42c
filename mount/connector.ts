/**
 * How the mount connects: the first time as a person logs in (questions at the terminal, known_hosts, the queue), from
 * then on by itself, as the same client, with what was good the first time.
 */
import type { AeadProvider } from '../protocol/aead.js';
import { Client, type ConnectOptions } from '../protocol/client.js';
import { Failure } from '../protocol/failure.js';
import type { ClientFiles } from '../protocol/login/client-files.js';
import { openSession } from '../protocol/login/open-session.js';
import type { Endpoint } from '../protocol/login/target.js';
import type { LeaseMode } from '../protocol/methods.js';
import { VERSION } from '../protocol/version.js';
import type { Connection, Hello } from './remote/connection.js';

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly files: ClientFiles;
  readonly aead: AeadProvider;
  readonly passwordFile: string | undefined;
  readonly acceptNew: boolean;
  /** The highest mode in which units of the home shall be leased to the mount. */
  readonly leaseWanted: LeaseMode;
  /** See ConnectOptions. */
  readonly keepaliveMs?: number | undefined;
}

/** What the Remote connects by. */
export function connector(options: ConnectionOptions): (hello: Hello) => Promise<Connection> {
  let again: ConnectOptions | undefined;
  return async (hello) => {
    if (again === undefined) {
      const opened = await openSession({ ...options, ...hello, program: `ftpmount ${VERSION}` });
      again = opened.reconnect;
      return opened.client;
    }
    const { clientId, notifications, signal } = hello;
    const login = { ...again.login, clientId };
    const client = await Client.connect({ ...again, login, notifications, signal });
    if (client.loginFailure === undefined) return client;
    await client.close();
    throw new Failure(client.loginFailure.kind, `logging in again failed: ${client.loginFailure.message}`);
  };
}

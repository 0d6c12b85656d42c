/**
 * How the mount connects: the first time as a person logs in (questions at the terminal, known_hosts, the queue), from
 * then on by itself, with what was good the first time: as the same client again, and to the homes of shares.
 */
import type { AeadProvider } from '../protocol/transport/aead.js';
import { Client, type ConnectOptions } from '../protocol/session/client.js';
import { Failure } from '../protocol/failure.js';
import type { ShareName } from '../protocol/ids.js';
import type { ClientFiles } from '../client/files.js';
import { openSession } from '../client/open-session.js';
import type { Endpoint } from '../client/target.js';
import { LEASE_READ, type LeaseMode } from '../protocol/methods.js';
import { VERSION } from '../program/version.js';
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

export class Connector {
  readonly #options: ConnectionOptions;
  #again: ConnectOptions | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Connects to the user's own home. */
  async connect(hello: Hello): Promise<Connection> {
    if (this.#again !== undefined) return this.#connectAgain(this.#again, hello, {});
    const opened = await openSession({ ...this.#options, ...hello, program: `ftpmount ${VERSION}` });
    this.#again = opened.reconnect;
    return opened.client;
  }

  /** Connects to the home of a share, once there was a connection to the own one. */
  connectToShare(share: ShareName, isWritable: boolean, hello: Hello): Promise<Connection> {
    if (this.#again === undefined) throw new Failure('ENOTCONN');
    const leaseWanted = isWritable ? this.#options.leaseWanted : LEASE_READ;
    return this.#connectAgain(this.#again, hello, { share, leaseWanted });
  }

  async #connectAgain(
    again: ConnectOptions,
    { clientId, notifications, signal }: Hello,
    to: { readonly share?: ShareName; readonly leaseWanted?: LeaseMode },
  ): Promise<Connection> {
    const login = { ...again.login, ...to, clientId };
    const client = await Client.connect({ ...again, login, notifications, signal });
    if (client.loginFailure === undefined) return client;
    await client.close();
    throw new Failure(client.loginFailure.kind, `logging in again failed: ${client.loginFailure.message}`);
  }
}

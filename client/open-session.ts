/**
 * From an endpoint to a client that is logged in: identity, the server's key, the password with its three tries, and
 * the wait in the queue, all of it as a person at a terminal sees it. Both client programs come in through here.
 *
 * A password is asked only when the server does not know the static key, and a wrong one from a file is not tried again.
 */
import { randomBytes } from 'node:crypto';
import type { AeadProvider } from '../protocol/transport/aead.js';
import { Client, type ConnectOptions, type NotificationHandlers } from '../protocol/session/client.js';
import type { LoginRequest } from '../protocol/session/login-call.js';
import { Failure } from '../protocol/failure.js';
import { LEASE_NONE, type LeaseMode } from '../protocol/methods.js';
import type { ClientFiles } from './files.js';
import { loadIdentity } from './identity.js';
import { readPasswordFile } from './password.js';
import { QueueDisplay } from './queue-display.js';
import type { Endpoint } from './target.js';
import { openTerminal, type Terminal } from './terminal.js';
import { verifyHost } from './verify-host.js';

/** Tries to type a password, as many as the server allows a connection. */
const TRIES = 3;

export interface OpenSessionOptions {
  /** Name and version, for the server's log. */
  readonly program: string;
  readonly endpoint: Endpoint;
  readonly files: ClientFiles;
  readonly aead: AeadProvider;
  /** `-` is standard input. */
  readonly passwordFile?: string | undefined;
  /** Pin the key of an unknown server without asking. */
  readonly acceptNew?: boolean;
  /** False: as where there is no terminal. */
  readonly asks?: boolean;
  /** See LoginRequest; default: LEASE_NONE. */
  readonly leaseWanted?: LeaseMode;
  readonly notifications?: NotificationHandlers;
  /** See ConnectOptions. */
  readonly keepaliveMs?: number | undefined;
  /** See LoginRequest; default: a new one. */
  readonly clientId?: Buffer;
  /** See LoginRequest. */
  readonly share?: string | undefined;
  /** Log in to the own home, asking nobody again, where the user has no such share. */
  readonly elseOwnHome?: boolean;
  /** Called with the server's key, before the login: it says which server it is, whatever it is called. */
  readonly onServerKey?: (publicKey: Buffer) => void;
  /** Gives up: ECANCELED. */
  readonly signal?: AbortSignal;
}

export interface OpenedSession {
  readonly client: Client;
  /** To connect again as the same client, without asking anybody: with the password and the server's key that were good. */
  readonly reconnect: ConnectOptions;
}

/**
 * Connects and logs in. Throws what openConnection throws, HOSTKEY, ENOKEY (a password is needed and nobody can be asked),
 * EKEYREJECTED (wrong user or password), EKEYEXPIRED, EAGAIN (too many wrong ones: says when to try again), EUSERS (no room: the queue is full, or the user has too many sessions:
 * isOfUser()).
 */
export async function openSession(options: OpenSessionOptions): Promise<OpenedSession> {
  const { endpoint, files, signal, notifications = {} } = options;
  const password = options.passwordFile === undefined ? null : readPasswordFile(options.passwordFile);
  const staticKeyPair = loadIdentity(files.key);
  const terminal = new LazyTerminal(options.asks !== false);
  const queue = new QueueDisplay();
  let serverKey: Buffer | undefined;
  const login: LoginRequest = {
    user: endpoint.user,
    password,
    clientId: options.clientId ?? randomBytes(16),
    leaseWanted: options.leaseWanted ?? LEASE_NONE,
    program: options.program,
    share: options.share,
  };
  const connect: ConnectOptions = {
    host: endpoint.host,
    port: endpoint.port,
    ...(endpoint.suite === undefined ? {} : { suite: endpoint.suite }),
    aead: options.aead,
    staticKeyPair,
    login,
    notifications: {
      ...notifications,
      queued: (place) => {
        queue.show(place);
        notifications.queued?.(place);
      },
    },
    verifyHost: async (publicKey) => {
      await verifyHost(
        {
          knownHosts: files.knownHosts,
          host: endpoint.host,
          port: endpoint.port,
          acceptNew: options.acceptNew === true,
          terminal: () => terminal.open(),
        },
        publicKey,
      );
      serverKey = Buffer.from(publicKey);
      options.onServerKey?.(serverKey);
    },
    ...(signal === undefined ? {} : { signal }),
    ...(options.keepaliveMs === undefined ? {} : { keepaliveMs: options.keepaliveMs }),
  };
  /** What was sent last. */
  let request = login;
  try {
    try {
      const client = await Client.connect(connect);
      if (client.loginFailure !== undefined) {
        await logIn(client, options, login, terminal, (sent) => {
          request = sent;
        });
      }
      return { client, reconnect: { ...connect, login: request, verifyHost: onlyKey(serverKey, endpoint) } };
    } catch (error) {
      const isOther = options.share !== undefined && Failure.from(error).kind === 'ENOENT';
      if (!isOther || options.elseOwnHome !== true) throw error;
    }
    // The password was right.
    const own = { ...request, share: undefined };
    const reconnect = { ...connect, login: own, verifyHost: onlyKey(serverKey, endpoint) };
    const client = await Client.connect(reconnect);
    if (client.loginFailure === undefined) return { client, reconnect };
    await client.close();
    throw client.loginFailure;
  } catch (error) {
    if (signal?.aborted === true) throw new Failure('ECANCELED', 'interrupted', { cause: error });
    throw explain(Failure.from(error), endpoint);
  } finally {
    queue.clear();
    terminal.close();
  }
}

/** Asks for a password until one is right. */
async function logIn(
  client: Client,
  options: OpenSessionOptions,
  first: LoginRequest,
  terminal: LazyTerminal,
  onSent: (request: LoginRequest) => void,
): Promise<void> {
  const { endpoint, signal } = options;
  // Closing makes the calls under way fail, also one that waits in the queue.
  const onAbort = (): void => void client.close();
  signal?.addEventListener('abort', onAbort);
  try {
    if (first.password !== null) throw client.loginFailure ?? new Failure('EKEYREJECTED');
    const device = terminal.open();
    if (device === undefined) {
      throw new Failure(
        'ENOKEY',
        `${endpoint.user}@${endpoint.host} needs a password and there is no terminal to ask on: use --password-file`,
      );
    }
    for (let tries = 1; ; tries++) {
      const password = await device.askSecret(`Password of ${endpoint.user}@${endpoint.host}: `);
      try {
        const request = { ...first, password };
        onSent(request);
        await client.login(request);
        return;
      } catch (error) {
        if (Failure.from(error).kind !== 'EKEYREJECTED' || tries === TRIES) throw error;
        device.tell('Wrong user or password.');
      }
    }
  } catch (error) {
    client.close().catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Verifies without a question: the key of the first connection, and no other. */
function onlyKey(serverKey: Buffer | undefined, { host }: Endpoint): ConnectOptions['verifyHost'] {
  return (publicKey) =>
    serverKey?.equals(publicKey) === true
      ? Promise.resolve()
      : Promise.reject(new Failure('HOSTKEY', `THE KEY OF ${host} HAS CHANGED while it was in use`));
}

/** What it means to the person who logs in that a server cannot be reached, or refuses. */
function explain(failure: Failure, { user, host, likelyPort }: Endpoint): Failure {
  const { cause } = failure;
  switch (failure.kind) {
    case 'ECONNREFUSED':
    case 'ETIMEDOUT':
      if (likelyPort === undefined) return failure;
      return new Failure(
        failure.kind,
        `${failure.message} (If ${likelyPort} is its port: -p ${likelyPort})`,
        {
          cause,
        },
      );
    case 'EKEYEXPIRED':
    case 'EKEYREJECTED':
    case 'EAGAIN':
      return new Failure(failure.kind, `login of ${user}@${host} failed: ${failure.message}`, { cause });
    case 'EUSERS':
      return new Failure('EUSERS', `${host} is full: ${failure.message}: try again later`, { cause });
    case 'EBUSY':
      return new Failure('EUSERS', `${user} has too many sessions: ${failure.message}: close one`, {
        cause: failure,
      });
    default:
      return failure;
  }
}

/** Whether what openSession() threw is that this user has too many sessions, whatever room the server has for others. */
export function isOfUser({ cause }: Failure): boolean {
  return cause instanceof Failure && cause.kind === 'EBUSY';
}

/** The terminal, opened when something has to be asked: most sessions never do. */
class LazyTerminal {
  readonly #isThere: boolean;
  #terminal: Terminal | undefined;

  constructor(isThere: boolean) {
    this.#isThere = isThere;
  }

  open(): Terminal | undefined {
    if (this.#isThere) this.#terminal ??= openTerminal();
    return this.#terminal;
  }

  close(): void {
    this.#terminal?.close();
  }
}

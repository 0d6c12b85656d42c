/**
 * A session of a process's own on a server: logged in once, for one command or for those of a prompt. It is what moves much data,
 * and what goes on over another connection where one breaks.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { loadEvp } from '../../posix/libcrypto.js';
import { chooseAead } from '../../protocol/transport/aead.js';
import { Client, type ConnectOptions } from '../../protocol/session/client.js';
import { Failure, type FailureKind } from '../../protocol/failure.js';
import type { ShareName } from '../../protocol/ids.js';
import { fingerprint } from '../../protocol/transport/keys.js';
import { clientFiles } from '../../client/files.js';
import {
  isOfUser,
  openSession,
  type OpenedSession,
  type OpenSessionOptions,
} from '../../client/open-session.js';
import { VERSION } from '../../program/version.js';
import { endIdleMasters } from '../master/masters.js';
import { Changes } from './changes.js';
import { accountOf, type HomeEndpoint } from './endpoint.js';
import { withGrace } from './interrupt.js';
import type { SessionOptions } from './session-options.js';

/** What a command works with. */
export interface RemoteSession {
  readonly client: Client;
  readonly changes: Changes;
  /** USER@HOST:PORT */
  readonly account: string;
  /** The share whose home it is of; undefined: the user's own. */
  readonly share: ShareName | undefined;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** With a connection of its own, which is another one after reconnect(). */
export interface OwnSession extends RemoteSession {
  /**
   * Connects again after the connection was lost, without asking anybody, and tries for so long (milliseconds). Throws what the
   * last try did, or at once what another try would not mend; ECANCELED.
   */
  reconnect(ms: number): Promise<void>;
}

const CLIENT_ID_BYTES = 16;
/** The first wait between tries, doubled each time up to the last (milliseconds). */
const FIRST_WAIT_MS = 200;
const LAST_WAIT_MS = 5_000;
/** How often a login is tried for whom an idle master gave way, and how much longer is waited each time (milliseconds). */
const MAX_TRIES = 5;
const PLACE_MS = 50;

/** What may pass: the line broke, or the server is away. */
const PASSING: ReadonlySet<FailureKind> = new Set<FailureKind>([
  ...(['ECONNRESET', 'ECONNABORTED', 'ECONNREFUSED', 'ENOTCONN'] as const),
  ...(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'] as const),
]);

/** Whether a connection may be had again after this. */
export function isPassing(thrown: unknown): boolean {
  return PASSING.has(Failure.from(thrown).kind);
}

/**
 * Connects, and tries for so long (milliseconds) where that may help. Throws what the last try did, or at once what another one
 * would not mend; ECANCELED.
 */
export async function connectWithin<T>(
  ms: number,
  signal: AbortSignal,
  connect: () => Promise<T>,
): Promise<T> {
  const giveUp = performance.now() + ms;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LAST_WAIT_MS)) {
    await delay(wait, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    try {
      return await connect();
    } catch (error) {
      if (!isPassing(error) || performance.now() > giveUp) throw error;
    }
  }
}

/** A session for any number of commands, one at a time. */
export class LastingSession {
  /** USER@HOST:PORT */
  readonly account: string;
  /** The fingerprint of the server's key. */
  readonly server: string;
  /** See RemoteSession. */
  readonly share: ShareName | undefined;
  readonly #again: ConnectOptions;
  readonly #changes: Changes;
  #client: Client;

  private constructor(
    { client, reconnect }: OpenedSession,
    { account, server, share }: Pick<LastingSession, 'account' | 'server' | 'share'>,
  ) {
    this.#client = client;
    this.#changes = new Changes(client);
    this.account = account;
    this.server = server;
    this.share = share;
    this.#again = reconnect;
  }

  /**
   * Logs in without wanting leases; where the user has no such share, to the own home. `signal` gives up: ECANCELED.
   */
  static async open(
    { share, ...endpoint }: HomeEndpoint,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<LastingSession> {
    const account = accountOf(endpoint);
    const login: OpenSessionOptions = {
      program: `ftpctl ${VERSION}`,
      endpoint,
      files: clientFiles(),
      aead: chooseAead(loadEvp()),
      passwordFile: options.passwordFile,
      acceptNew: options.acceptNew === true,
      asks: options.asks !== false,
      signal,
    };
    const { server, ...opened } = await openWhereThereIsPlace({ ...login, share, elseOwnHome: true });
    const isOfShare = opened.reconnect.login.share !== undefined;
    return new LastingSession(opened, { account, server, share: isOfShare ? share : undefined });
  }

  /** A session of one of the user's shares, which asks nobody. Throws ENOENT, and as open(). */
  async openShare(share: ShareName, signal: AbortSignal): Promise<LastingSession> {
    const login = { ...this.#again.login, clientId: randomBytes(CLIENT_ID_BYTES), share };
    const reconnect = { ...this.#again, login };
    const client = await connected(reconnect, signal);
    const { account, server } = this;
    return new LastingSession({ client, reconnect }, { account, server, share });
  }

  get client(): Client {
    return this.#client;
  }

  get changes(): Changes {
    return this.#changes;
  }

  /** Runs a command, which `signal` interrupts: it may end in order; a moment later its calls fail with ECANCELED. */
  run<T>(signal: AbortSignal, use: (session: OwnSession) => Promise<T>): Promise<T> {
    return withGrace(
      signal,
      () => this.breakOff(),
      () => use(new CommandSession(this, signal)),
    );
  }

  /** Ends the connection: what has no answer fails with ECANCELED. */
  breakOff(): void {
    this.#client.destroy(new Failure('ECANCELED', 'interrupted'));
  }

  /** See OwnSession. */
  async reconnect(ms: number, signal: AbortSignal): Promise<void> {
    await this.#client.close().catch(() => undefined);
    this.#client = await connectWithin(ms, signal, () => connected(this.#again, signal));
    this.#changes.moveTo(this.#client);
  }

  /** Logs out. */
  async close(): Promise<void> {
    // Nobody has to wait for its answer: it is with the kernel when the client is closed.
    this.#client.request('logout', [], undefined, () => undefined);
    await this.#client.close();
  }
}

async function connected(options: ConnectOptions, signal: AbortSignal): Promise<Client> {
  const client = await Client.connect({ ...options, signal });
  if (client.loginFailure === undefined) return client;
  await client.close();
  throw client.loginFailure;
}

/** The session as one command has it. */
class CommandSession implements OwnSession {
  readonly signal: AbortSignal;
  readonly #lasting: LastingSession;

  constructor(lasting: LastingSession, signal: AbortSignal) {
    this.#lasting = lasting;
    this.signal = signal;
  }

  get client(): Client {
    return this.#lasting.client;
  }

  get changes(): Changes {
    return this.#lasting.changes;
  }

  get account(): string {
    return this.#lasting.account;
  }

  get share(): ShareName | undefined {
    return this.#lasting.share;
  }

  reconnect(ms: number): Promise<void> {
    return this.#lasting.reconnect(ms, this.signal);
  }
}

/**
 * The place of a master that nobody uses is given to who comes, also to who waits in the queue: of any account, or where the user has
 * too many sessions, one of those.
 */
async function openWhereThereIsPlace(
  login: OpenSessionOptions,
): Promise<OpenedSession & Pick<LastingSession, 'server'>> {
  let server = '';
  const onServerKey = (publicKey: Buffer): void => {
    server = fingerprint(publicKey);
  };
  let hasMadePlace = false;
  let asked: Promise<unknown> | undefined;
  const queued = (): void => {
    asked ??= endIdleMasters(server).catch(() => undefined);
  };
  for (let tries = 1; ; tries++) {
    try {
      return { ...(await openSession({ ...login, onServerKey, notifications: { queued } })), server };
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind !== 'EUSERS' || tries === MAX_TRIES) throw error;
      const user = isOfUser(failure) ? login.endpoint.user : undefined;
      hasMadePlace ||= await endIdleMasters(server, user).catch(() => false);
      if (!hasMadePlace) throw error;
      // Who counts the places at the server hears of it a little later than who answers a logout.
      await delay(PLACE_MS * (tries - 1));
    }
  }
}

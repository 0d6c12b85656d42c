/**
 * The session of one command: from [USER@]HOST:PATH and the options to a client that is logged in, and its end.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { loadEvp } from '../../posix/libcrypto.js';
import { chooseAead } from '../../protocol/aead.js';
import { Client, type ConnectOptions } from '../../protocol/client.js';
import { Failure, type FailureKind } from '../../protocol/failure.js';
import { ROOT_PATH, type RemotePath } from '../../protocol/ids.js';
import { hostAddress } from '../../protocol/known-hosts.js';
import { readClientConfig } from '../../protocol/login/client-config.js';
import { clientFiles } from '../../protocol/login/client-files.js';
import { parseRemotePath } from '../../protocol/login/remote-path.js';
import { openSession, type OpenedSession } from '../../protocol/login/open-session.js';
import {
  isRemote,
  parseTarget,
  resolveEndpoint,
  type Endpoint,
  type Target,
} from '../../protocol/login/target.js';
import { VERSION } from '../../protocol/version.js';
import { Changes } from './changes.js';
import type { SessionOptions } from './session-options.js';

export interface RemoteSession {
  /** The connection; another one after reconnect(). */
  readonly client: Client;
  readonly changes: Changes;
  /** USER@HOST:PORT */
  readonly account: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /**
   * Connects again after the connection was lost, without asking anybody, and tries for so long (milliseconds). Throws what the
   * last try did, or at once what another try would not mend; ECANCELED.
   */
  reconnect(ms: number): Promise<void>;
}

/** Paths on one server. */
export interface RemoteArguments {
  readonly target: Target;
  /** As typed, after the colon. */
  readonly texts: readonly string[];
  readonly paths: readonly RemotePath[];
}

/**
 * [USER@]HOST:PATH arguments, all of the same server. A lone HOST without a colon is its home where `bareHost`.
 * Throws USAGE.
 */
export function remoteArguments(texts: readonly string[], bareHost = false): RemoteArguments {
  const targets = texts.map((text) => {
    if (!isRemote(text) && !bareHost) {
      throw new Failure('USAGE', `'${text}' is not on a server: write [USER@]HOST:PATH`);
    }
    return parseTarget(text);
  });
  const [target] = targets;
  if (target === undefined) throw new Failure('USAGE', 'write [USER@]HOST:PATH');
  if (targets.some(({ user, host }) => user !== target.user || host !== target.host)) {
    throw new Failure('USAGE', 'all paths must be on the same server and of the same user');
  }
  const paths = targets.map(({ path }) => path ?? '');
  return { target, texts: paths, paths: paths.map(parseRemotePath) };
}

/** One [USER@]HOST:PATH argument. Throws USAGE. */
export function remoteArgument(
  argument: string,
  bareHost = false,
): { target: Target; text: string; path: RemotePath } {
  const { target, texts, paths } = remoteArguments([argument], bareHost);
  const [[text = ''], [path = ROOT_PATH]] = [texts, paths];
  return { target, text, path };
}

/** The first wait between tries, doubled each time up to the last (milliseconds). */
const FIRST_WAIT_MS = 200;
const LAST_WAIT_MS = 5_000;

/** What may pass: the line broke, or the server is away. */
const PASSING: ReadonlySet<FailureKind> = new Set<FailureKind>([
  ...(['ECONNRESET', 'ECONNABORTED', 'ECONNREFUSED', 'ENOTCONN'] as const),
  ...(['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'] as const),
]);

/** Whether a connection may be had again after this. */
export function isPassing(thrown: unknown): boolean {
  return PASSING.has(Failure.from(thrown).kind);
}

/** How long a command may take to end in order after Ctrl-C (milliseconds). */
const GRACE_MS = 2_000;

/**
 * Logs in without wanting leases, runs `use`, and logs out whatever happens. The first Ctrl-C aborts `signal`, so that a
 * command can end in order; GRACE_MS later the calls that a silent server still owes an answer fail with ECANCELED. A
 * second Ctrl-C ends the process at once.
 */
export async function withSession<T>(
  target: Target,
  options: SessionOptions,
  use: (session: RemoteSession) => Promise<T>,
): Promise<T> {
  const files = clientFiles();
  const endpoint = resolveEndpoint(target, readClientConfig(files.config), options.port);
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const opened = await openSession({
      program: `ftpctl ${VERSION}`,
      endpoint,
      files,
      aead: chooseAead(loadEvp()),
      passwordFile: options.passwordFile,
      acceptNew: options.acceptNew === true,
      signal: interrupted.signal,
    });
    const session = new Session(opened, accountOf(endpoint), interrupted.signal);
    let grace: NodeJS.Timeout | undefined;
    const endSoon = (): void => {
      grace = setTimeout(() => session.client.destroy(new Failure('ECANCELED', 'interrupted')), GRACE_MS);
    };
    interrupted.signal.addEventListener('abort', endSoon);
    if (interrupted.signal.aborted) endSoon();
    try {
      return await use(session);
    } finally {
      clearTimeout(grace);
      interrupted.signal.removeEventListener('abort', endSoon);
      // Nobody has to wait for its answer: it is with the kernel when the client is closed.
      session.client.request('logout', [], undefined, () => undefined);
      await session.client.close();
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

class Session implements RemoteSession {
  client: Client;
  readonly changes: Changes;
  readonly account: string;
  readonly signal: AbortSignal;
  readonly #again: ConnectOptions;

  constructor({ client, reconnect }: OpenedSession, account: string, signal: AbortSignal) {
    this.client = client;
    this.changes = new Changes(client);
    this.account = account;
    this.signal = signal;
    this.#again = reconnect;
  }

  async reconnect(ms: number): Promise<void> {
    await this.client.close().catch(() => undefined);
    const giveUp = performance.now() + ms;
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LAST_WAIT_MS)) {
      await delay(wait, undefined, { signal: this.signal }).catch(() => undefined);
      if (this.signal.aborted) throw new Failure('ECANCELED', 'interrupted');
      try {
        this.client = await this.#connected();
        this.changes.moveTo(this.client);
        return;
      } catch (error) {
        if (!isPassing(error) || performance.now() > giveUp) throw error;
      }
    }
  }

  async #connected(): Promise<Client> {
    const client = await Client.connect({ ...this.#again, signal: this.signal });
    if (client.loginFailure === undefined) return client;
    await client.close();
    throw client.loginFailure;
  }
}

function accountOf({ user, host, port }: Endpoint): string {
  return `${user}@${hostAddress(host, port)}`;
}

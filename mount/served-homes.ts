/**
 * The homes of one mount: the one that is mounted, and, where that is the whole home of a user, those of the shares that
 * programs go into. Each has a session, a tree, a log and leases of its own, and what is bounded is bounded for each.
 */
import type { Logger } from 'pino';
import type { LoginResult } from '../protocol/session/login-call.js';
import type { Attributes } from '../protocol/attributes.js';
import { Failure } from '../protocol/failure.js';
import { ROOT_NODE, ROOT_PATH, type RemotePath, type ShareName } from '../protocol/ids.js';
import { LEASE_WRITE, WHOLE_HOME } from '../protocol/methods.js';
import { SHARED_DIRECTORY } from '../protocol/shares.js';
import type { Connector } from './connector.js';
import type { Amounts, HomeStatus, ShareStatus } from './control.js';
import type { AtimePolicies } from './filesystem/access-times.js';
import { openHome, type HomeState, type OpenHomeOptions } from './filesystem/open-home.js';
import type { MountedHome } from './filesystem/mounted-home.js';
import type { Filesystem, KernelCaches } from './operations.js';
import { Remote } from './remote/remote.js';
import { HomeWithShares } from './shares/home-with-shares.js';
import { Shares, type ShareHome } from './shares/shares.js';
import { lossDirectory } from './state-files.js';

export interface ServedHomesOptions {
  /** Logs in to shares. */
  readonly connector: Connector;
  /** Of the home that is mounted: connected. */
  readonly remote: Remote;
  readonly session: LoginResult;
  /** The directory that is mounted: where it is in the home, and its attributes. */
  readonly root: { readonly path: RemotePath; readonly attributes: Attributes };
  /** The share whose home that is; undefined: it is the user's own. */
  readonly share: ShareName | undefined;
  /** USER@HOST */
  readonly account: string;
  readonly softMs: number | undefined;
  /** What all homes of the mount have in common. */
  readonly common: Pick<OpenHomeOptions, 'ownership' | 'temper' | 'acls' | 'unsentBytes'>;
  readonly atime: AtimePolicies;
  readonly log: Logger;
}

/** A home, and what is told of it. */
interface ServedHome extends ShareHome {
  readonly filesystem: MountedHome;
  readonly state: HomeState;
  readonly remote: Remote;
}

const NO_ATIME: AtimePolicies = { files: 'noatime', directories: 'noatime' };

export class ServedHomes {
  readonly #options: ServedHomesOptions;
  readonly #mounted: ServedHome;
  readonly #shares: Shares<ServedHome> | undefined;
  readonly filesystem: Filesystem;
  /** Of shares that were left. */
  #losses = 0;
  #conflicts = 0;

  constructor(options: ServedHomesOptions, caches: KernelCaches) {
    this.#options = options;
    const { session, root, remote, share, log } = options;
    const place = root.path.toString('latin1');
    const parts = {
      remote,
      session,
      root,
      caches,
      log,
      name: `${share === undefined ? '' : `${SHARED_DIRECTORY}/${share}/`}${place}`,
    };
    const showsShares = share === undefined && (place === '' || place === SHARED_DIRECTORY);
    if (!showsShares) {
      this.#mounted = this.#open(parts, options.atime);
      this.filesystem = this.#mounted.filesystem;
      return;
    }
    const shares = new Shares<ServedHome>({
      ...{ shares: session.shares, caches, log },
      enter: (...wanted) => this.#enter(...wanted),
      left: ({ state: { losses } }) => {
        this.#losses += losses.count;
        this.#conflicts += losses.conflicts;
      },
    });
    let withShares: HomeWithShares | undefined;
    // The first may be told while the home is opened: then the kernel knows nothing yet.
    const sharesAre: OpenHomeOptions['sharesAre'] = (theirs) => (withShares ?? shares).update(theirs);
    const mounted = this.#open({ ...parts, sharesAre }, options.atime);
    withShares = new HomeWithShares({
      ...{ own: mounted.filesystem, shares, caches },
      sharedNodes: () => (place === '' ? mounted.filesystem.nodesInRoot(SHARED_DIRECTORY) : [ROOT_NODE]),
    });
    this.#mounted = mounted;
    this.#shares = shares;
    this.filesystem = withShares;
  }

  async #enter(
    name: ShareName,
    isWritable: () => boolean,
    caches: KernelCaches,
    signal: AbortSignal,
  ): Promise<ServedHome> {
    const { connector, remote: own, softMs } = this.#options;
    // A server that is gone is waited for as with any other operation.
    await own.ask('ping', []);
    const log = this.#options.log.child({ share: name });
    const remote = new Remote({
      connect: (hello) => connector.connectToShare(name, isWritable(), hello),
      isFinal: isNoShare,
      log,
      ...(softMs === undefined ? {} : { softMs }),
    });
    const stop = (): void => void remote.close();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const session = await remote.connect();
      const root = { path: ROOT_PATH, attributes: session.root };
      const atime = isWritable() ? this.#options.atime : NO_ATIME;
      return this.#open({ remote, session, root, caches, log, name: `${SHARED_DIRECTORY}/${name}` }, atime);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #open(
    parts: Pick<OpenHomeOptions, 'remote' | 'root' | 'caches' | 'log' | 'sharesAre'> & {
      readonly session: LoginResult;
      readonly name: string;
    },
    atime: AtimePolicies,
  ): ServedHome {
    const { session, name, ...rest } = parts;
    const { termMs, disk, maxOpenFiles } = session;
    const { filesystem, state } = openHome({
      ...{ ...rest, ...this.#options.common, termMs, disk, maxOpenFiles, atime },
      lossDirectory: lossDirectory(`${this.#options.account}:${name}`),
    });
    const { remote } = rest;
    return {
      ...{ filesystem, state, remote },
      get ended() {
        return remote.ended;
      },
      rightsChanged: () => remote.reconnect('what may be done in the share has changed'),
    };
  }

  /** What is told of the home that is mounted, with the amounts of all; and what is told of each share. */
  status(): HomeStatus & { readonly shares: readonly ShareStatus[] } {
    const shares = [...(this.#shares?.homes ?? [])]
      .map(({ name, home }) => ({ name, ...statusOf(home) }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const own = statusOf(this.#mounted);
    const left: Amounts = {
      ...{ unsent: NOTHING, undurable: NOTHING },
      ...{ losses: this.#losses, conflicts: this.#conflicts },
    };
    return { ...own, ...[own, left, ...shares].reduce<Amounts>(sum, NO_AMOUNTS), shares };
  }
}

/** The server has no such share for this user any more. */
function isNoShare({ kind }: Failure): boolean {
  return kind === 'ENOENT';
}

function statusOf({ remote, state }: ServedHome): HomeStatus {
  const { connected, since, lastFailure } = remote.state;
  const { leases, log, losses } = state;
  return {
    lease: leases.mode(WHOLE_HOME) === LEASE_WRITE ? 'home' : leases.any ? 'parts' : 'none',
    connection: {
      state: connected ? 'connected' : 'lost',
      since: since.getTime(),
      ...(connected || lastFailure === undefined ? {} : { reason: lastFailure }),
    },
    ...{ unsent: amountOf(log.unsent), undurable: amountOf(log.undurable) },
    ...{ losses: losses.count, conflicts: losses.conflicts },
  };
}

type Amount = Amounts['unsent'];

const NOTHING: Amount = { operations: 0, bytes: 0 };
const NO_AMOUNTS: Amounts = { unsent: NOTHING, undurable: NOTHING, losses: 0, conflicts: 0 };

function amountOf({ operations, bytes }: Amount): Amount {
  return { operations, bytes };
}

function sum(one: Amounts, other: Amounts): Amounts {
  const added = (a: Amount, b: Amount): Amount => ({
    operations: a.operations + b.operations,
    bytes: a.bytes + b.bytes,
  });
  return {
    unsent: added(one.unsent, other.unsent),
    undurable: added(one.undurable, other.undurable),
    losses: one.losses + other.losses,
    conflicts: one.conflicts + other.conflicts,
  };
}

/**
 * One mount from the login to the unmount. It logs in before it mounts, so that whoever cannot log in never sees a mount
 * point that hangs.
 *
 * Invariant: this process never touches its own mount: it would wait for itself.
 */
import { setFlagsFromString } from 'node:v8';
import { S_IFDIR, S_IFMT } from '../posix/flags.js';
import { chooseAead } from '../protocol/aead.js';
import type { Attributes } from '../protocol/attributes.js';
import { hostAddress } from '../protocol/addresses.js';
import { readClientConfig } from '../protocol/login/client-config.js';
import { clientFiles } from '../protocol/login/client-files.js';
import { Failure } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { LEASE_READ, LEASE_WRITE, WHOLE_HOME } from '../protocol/methods.js';
import { optimizeLater } from '../protocol/optimize-later.js';
import { withoutLinks } from '../protocol/login/links.js';
import { parseRemotePath } from '../protocol/login/remote-path.js';
import { resolveEndpoint } from '../protocol/login/target.js';
import { loadEvp } from '../posix/libcrypto.js';
import { connector } from './connector.js';
import { serveControl, type MountStatus } from './control.js';
import { openHome, type HomeState } from './filesystem/open-home.js';
import { checkMountpoint } from './fuse/mountpoint.js';
import { mountFilesystem, type MountSession } from './fuse/session.js';
import { openMountLog } from './log-file.js';
import { atimePolicies } from './options.js';
import { Remote } from './remote/remote.js';
import type { MountRequest } from './request.js';
import { lossDirectory } from './state-files.js';

/**
 * By how much of what is in use the heap may grow before garbage is collected (percent). By itself V8 lets it grow to several
 * times that: a listing of a million names, of which 30 MiB are kept, took the process to 380 MiB, and so takes it to 150, in
 * the same time (2026-11-26, Node 20.20).
 */
const HEAP_GROWTH = 30;

/**
 * Serves a mount. `onMounted` is called when it is usable; resolves when it was unmounted and everything is written.
 * Throws what logging in and mounting throw, with nothing left mounted.
 */
export async function serve(request: MountRequest, onMounted: () => void): Promise<void> {
  optimizeLater();
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  const { target, options } = request;
  const files = clientFiles();
  const endpoint = resolveEndpoint(
    target,
    readClientConfig(files.config).hosts,
    request.port ?? options.port,
  );
  const directory = parseRemotePath(target.path ?? '');
  // Before the login: nobody should type a password for a mount point that cannot be used.
  const mountpoint = await checkMountpoint(request.mountpoint, options.flags);
  const log = openMountLog(request.logFile, mountpoint);
  // What nobody expected ends the process (runProgram), in the background without a terminal to tell it on.
  const onInternalError = (error: unknown): void => log.fatal({ err: error }, 'internal error');
  process.prependListener('uncaughtException', onInternalError);
  process.prependListener('unhandledRejection', onInternalError);
  const remote = new Remote({
    connect: connector({
      endpoint,
      files,
      aead: chooseAead(loadEvp()),
      passwordFile: options.passwordFromStdin === true ? '-' : request.passwordFile,
      acceptNew: options.acceptNew === true,
      leaseWanted: options.nolease === true ? LEASE_READ : LEASE_WRITE,
      keepaliveMs: options.keepalive === undefined ? undefined : options.keepalive * 1000,
    }),
    log,
    ...(options.soft === undefined ? {} : { softMs: options.soft * 1000 }),
  });
  const host = hostAddress(endpoint.host, endpoint.port);
  const server = `${endpoint.user}@${host}:${directory.toString()}`;
  try {
    const { root, termMs, times, maxOpenFiles } = await remote.connect();
    const mounted = await mountedDirectory(remote, root, directory);
    const mount = request.driver === 'kernel' ? mountFilesystem : await fuseNative();
    const acls = options.acl === true;
    if (acls && request.driver !== 'kernel') {
      throw new Failure('USAGE', "option 'acl' needs the driver of the kernel: leave out --driver");
    }
    // Where only root may enter, who passes every check, the kernel need not ask for attributes to make them: a third
    // less of its requests in rm -rf.
    const kernelChecks = process.geteuid?.() !== 0 || options.flags.allowOther === true || acls;
    let state: HomeState | undefined;
    const session = await mount({
      ...options.flags,
      defaultPermissions: kernelChecks,
      acls,
      mountpoint,
      source: options.fsname ?? request.source,
      log,
      create: (caches) => {
        const home = openHome({
          ...{ remote, root: mounted, termMs, times, maxOpenFiles, caches, log },
          ownership: {
            uid: options.uid ?? process.getuid?.() ?? 0,
            gid: options.gid ?? process.getgid?.() ?? 0,
            umask: options.umask,
          },
          temper: { sync: options.sync === true, flush: options.flush === true },
          atime: atimePolicies(options),
          acls,
          unsentBytes: options.unsent,
          lossDirectory: lossDirectory(server),
        });
        ({ state } = home);
        return home.filesystem;
      },
    });
    let ending = false;
    const stopControl = serveControl(mountpoint, () => statusOf(mountpoint, server, remote, state, ending));
    unmountOnSignals(session, log);
    log.info({ server: host, user: endpoint.user }, 'mounted');
    onMounted();
    session.ending.then(
      () => (ending = true),
      () => undefined,
    );
    await session.unmounted.finally(stopControl);
    log.info('unmounted');
  } finally {
    // In order: what this client was leased is not waited for then.
    await remote.logout();
  }
}

/** The directory of the home that is to be mounted, which links may lead to. Throws ENOENT, ENOTDIR, ELOOP, EXDEV. */
async function mountedDirectory(
  remote: Remote,
  home: Attributes,
  named: RemotePath,
): Promise<{ path: RemotePath; attributes: Attributes }> {
  if (named.length === 0) return { path: named, attributes: home };
  try {
    const path = await withoutLinks((link) => remote.ask('readlink', [link]), named, 'followed');
    const attributes = await remote.ask('getattr', [path]);
    if ((attributes.mode & S_IFMT) === S_IFDIR) return { path, attributes };
  } catch (thrown) {
    if (Failure.from(thrown).kind !== 'ENOENT') throw thrown;
    throw new Failure('ENOENT', `there is no ${named.toString()} on the server: ftpctl mkdir makes it`);
  }
  throw new Failure('ENOTDIR', `${named.toString()} on the server is not a directory`);
}

function statusOf(
  mountpoint: string,
  server: string,
  remote: Remote,
  state: HomeState | undefined,
  ending: boolean,
): MountStatus {
  const { connected, since, lastFailure } = remote.state;
  const lease =
    state?.leases.mode(WHOLE_HOME) === LEASE_WRITE ? 'home' : state?.leases.any === true ? 'parts' : 'none';
  return {
    pid: process.pid,
    mountpoint,
    server,
    lease,
    connection: {
      state: connected ? 'connected' : 'lost',
      since: since.getTime(),
      ...(connected || lastFailure === undefined ? {} : { reason: lastFailure }),
    },
    unsent: amountOf(state?.log.unsent),
    undurable: amountOf(state?.log.undurable),
    losses: state?.losses.count ?? 0,
    conflicts: state?.losses.conflicts ?? 0,
    ending,
  };
}

function amountOf(amount: MountStatus['unsent'] | undefined): MountStatus['unsent'] {
  return { operations: amount?.operations ?? 0, bytes: amount?.bytes ?? 0 };
}

/** Loaded only when asked for: it is an optional package. */
async function fuseNative(): Promise<typeof mountFilesystem> {
  const { mountWithFuseNative } = await import('./fuse-native/session.js');
  return mountWithFuseNative;
}

/** The first signal unmounts what is not in use; a second one takes it from its users, after everything is written. */
function unmountOnSignals(session: MountSession, log: ReturnType<typeof openMountLog>): void {
  let force = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    session.unmount({ force }).catch((error: unknown) => {
      log.warn(
        { err: error, signal },
        'the mount is in use: leave it, or send the signal again to unmount it anyway',
      );
    });
    force = true;
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
}

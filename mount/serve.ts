/**
 * One mount from the login to the unmount. It logs in before it mounts, so that whoever cannot log in never sees a mount
 * point that hangs.
 *
 * Invariant: this process never touches its own mount: it would wait for itself.
 */
import { setFlagsFromString } from 'node:v8';
import { S_IFDIR, S_IFMT } from '../posix/flags.js';
import { chooseAead } from '../protocol/transport/aead.js';
import type { Attributes } from '../protocol/attributes.js';
import { hostAddress } from '../protocol/transport/addresses.js';
import { readClientConfig } from '../client/config.js';
import { clientFiles } from '../client/files.js';
import { Failure } from '../protocol/failure.js';
import { remotePath, type RemotePath } from '../protocol/ids.js';
import { LEASE_READ, LEASE_WRITE } from '../protocol/methods.js';
import { optimizeLater } from '../program/optimize-later.js';
import { withoutLinks } from '../client/links.js';
import { parseRemotePath } from '../client/remote-path.js';
import { SHARED_DIRECTORY, type Share } from '../protocol/shares.js';
import { resolveEndpoint } from '../client/target.js';
import { loadEvp } from '../posix/libcrypto.js';
import { Connector } from './connector.js';
import { serveControl } from './control.js';
import { checkMountpoint } from './fuse/mountpoint.js';
import { mountFilesystem, type MountSession } from './fuse/session.js';
import { releaseKilled } from './killed-process.js';
import { openMountLog } from './log-file.js';
import { atimePolicies } from './options.js';
import type { Connection, Hello } from './remote/connection.js';
import { Remote } from './remote/remote.js';
import type { MountRequest } from './request.js';
import { ServedHomes } from './served-homes.js';

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
  releaseKilled(request.mountpoint);
  // Before the login: nobody should type a password for a mount point that cannot be used.
  const mountpoint = await checkMountpoint(request.mountpoint, options.flags);
  const log = openMountLog(request.logFile, mountpoint);
  // What nobody expected ends the process (runProgram), in the background without a terminal to tell it on.
  const onInternalError = (error: unknown): void => log.fatal({ err: error }, 'internal error');
  process.prependListener('uncaughtException', onInternalError);
  process.prependListener('unhandledRejection', onInternalError);
  const connector = new Connector({
    endpoint,
    files,
    aead: chooseAead(loadEvp()),
    passwordFile: options.passwordFromStdin === true ? '-' : request.passwordFile,
    acceptNew: options.acceptNew === true,
    leaseWanted: options.nolease === true ? LEASE_READ : LEASE_WRITE,
    keepaliveMs: options.keepalive === undefined ? undefined : options.keepalive * 1000,
  });
  const softMs = options.soft === undefined ? undefined : options.soft * 1000;
  const host = hostAddress(endpoint.host, endpoint.port);
  const account = `${endpoint.user}@${host}`;
  const server = `${account}:${directory.toString()}`;
  let remote = new Remote({ connect: (hello) => connector.connect(hello), log, softMs });
  try {
    let session = await remote.connect();
    const inShare = placeInShare(directory, session.shares);
    if (inShare !== undefined) {
      const { name, isWritable } = inShare.share;
      // The session of the own home was for the list of the user's shares.
      await remote.logout();
      const connect = (hello: Hello): Promise<Connection> =>
        connector.connectToShare(name, isWritable, hello);
      remote = new Remote({ connect, log, softMs });
      session = await remote.connect();
    }
    const root = await mountedDirectory(remote, session.root, inShare?.path ?? directory);
    const mount = request.driver === 'kernel' ? mountFilesystem : await fuseNative();
    const acls = options.acl === true;
    if (acls && request.driver !== 'kernel') {
      throw new Failure('USAGE', "option 'acl' needs the driver of the kernel: leave out --driver");
    }
    // Where only root may enter, who passes every check, the kernel need not ask for attributes to make them: a third
    // less of its requests in rm -rf.
    const kernelChecks = process.geteuid?.() !== 0 || options.flags.allowOther === true || acls;
    let homes: ServedHomes | undefined;
    const mounting = await mount({
      ...options.flags,
      // What may only be read of a share is known to the server, too: so nobody asks it.
      ...(inShare?.share.isWritable === false ? { readOnly: true } : {}),
      defaultPermissions: kernelChecks,
      acls,
      mountpoint,
      source: options.fsname ?? request.source,
      log,
      create: (caches) => {
        homes = new ServedHomes(
          {
            ...{ connector, remote, session, root, share: inShare?.share.name, account, softMs, log },
            common: {
              ownership: {
                uid: options.uid ?? process.getuid?.() ?? 0,
                gid: options.gid ?? process.getgid?.() ?? 0,
                umask: options.umask,
              },
              temper: { sync: options.sync === true, flush: options.flush === true },
              acls,
              unsentBytes: options.unsent,
            },
            atime: atimePolicies(options),
          },
          caches,
        );
        return homes.filesystem;
      },
    });
    let ending = false;
    const stopControl = serveControl(mountpoint, () => {
      if (homes === undefined) throw new Error('a mount without a home');
      return { pid: process.pid, mountpoint, server, ending, ...homes.status() };
    });
    unmountOnSignals(mounting, log);
    log.info({ server: host, user: endpoint.user }, 'mounted');
    onMounted();
    mounting.ending.then(
      () => (ending = true),
      () => undefined,
    );
    await mounting.unmounted.finally(stopControl);
    log.info('unmounted');
  } finally {
    // In order: what this client was leased is not waited for then.
    await remote.logout();
  }
}

/** The share that `Shared/NAME[/PATH]` is in, and where; undefined: it is in the user's own home. */
function placeInShare(
  path: RemotePath,
  shares: readonly Share[],
): { share: Share; path: RemotePath } | undefined {
  const [directory, name, ...below] = path.toString('latin1').split('/');
  if (directory !== SHARED_DIRECTORY) return undefined;
  const share = shares.find((one) => one.name === name);
  return share === undefined
    ? undefined
    : { share, path: remotePath(Buffer.from(below.join('/'), 'latin1')) };
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

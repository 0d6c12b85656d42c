/**
 * Puts a mounted home together: tree, log, leases, grants, data and the remote, and who tells whom what.
 */
import type { Attributes } from '../../protocol/attributes.js';
import type { Failure } from '../../protocol/failure.js';
import type { RemotePath } from '../../protocol/ids.js';
import { Grants } from '../lease/grants.js';
import { Leases } from '../lease/holdings.js';
import type { Share } from '../../protocol/shares.js';
import type { DiskLimits } from '../../protocol/disk-limits.js';
import { Term } from '../lease/term.js';
import { Log } from '../log/log.js';
import { Sender } from '../log/sender.js';
import type { KernelCaches } from '../operations.js';
import type { Ownership } from '../ownership.js';
import type { Remote } from '../remote/remote.js';
import { Tree } from '../tree/tree.js';
import { AccessTimes, type AtimePolicies } from './access-times.js';
import { Acls } from './acls.js';
import { AttributeUpdates } from './attribute-updates.js';
import { AwaitedChanges } from './awaited-changes.js';
import { Directories } from './directories.js';
import { Doubting } from './doubting.js';
import { FileData } from './file-data.js';
import { FileLocks } from './file-locks.js';
import { Files } from './files.js';
import { HandleTable, type FileHandle } from './handles.js';
import { Hints } from './hints.js';
import { Home, type Temper } from './home.js';
import { KernelView } from './kernel-view.js';
import { Listings } from './listings.js';
import { Lookups } from './lookups.js';
import { Losses, type LossLog } from './losses.js';
import { LostData } from './lost-data.js';
import { MountedHome } from './mounted-home.js';
import { Making } from './making.js';
import { Ranges } from './ranges.js';
import { Names } from './names.js';
import { Recalls } from './recalls.js';
import { Reintegration } from './reintegration.js';
import { ServerIds } from './server-ids.js';
import { logSoftQuota } from './soft-quota.js';
import { Space } from './space.js';
import { Syncs } from './syncs.js';
import { WallClock } from './wall-clock.js';
import { Xattrs } from './xattrs.js';

export interface OpenHomeOptions {
  /** Connected. */
  readonly remote: Remote;
  /** The directory that is mounted: where it is in the home, and its attributes. */
  readonly root: { readonly path: RemotePath; readonly attributes: Attributes };
  /** For how long the server keeps leases without a word (milliseconds). */
  readonly termMs: number;
  /** What the server's disk can keep. */
  readonly disk: DiskLimits;
  /** Files that the mounts of the home may have open. */
  readonly maxOpenFiles: number;
  readonly caches: KernelCaches;
  readonly ownership: Ownership;
  readonly log: LossLog;
  readonly temper: Temper;
  /** POSIX ACLs are kept, and the umask is applied here. Default false. */
  readonly acls?: boolean;
  /** Default: reading moves no atime. */
  readonly atime?: AtimePolicies;
  /** Bytes of changes that may not be durable (-o unsent=). */
  readonly unsentBytes?: number | undefined;
  /** The user's shares are these from now on, or still. */
  readonly sharesAre?: (shares: readonly Share[]) => void;
  /** Where data of changes that failed after their answer are kept. */
  readonly lossDirectory: string;
}

/** What can be told of a mount at any time. */
export interface HomeState {
  readonly log: Log;
  readonly leases: Leases;
  readonly losses: Losses;
}

/** How long the end of a mount waits for a server that does not answer (milliseconds). */
const DESTROY_MS = 30_000;

export function openHome(options: OpenHomeOptions): { filesystem: MountedHome; state: HomeState } {
  const { remote, caches, ownership, temper } = options;
  const term = new Term({
    termMs: options.termMs,
    heard: () => remote.lastHeardSentAt(),
    ping: () => remote.request('ping', [], undefined, () => undefined, { once: true }),
    ranOut: () => {
      recalls.doubtAll();
      remote.reconnect('the term of the leases is over');
    },
  });
  const leases = new Leases(term);
  const tree = new Tree({
    ...{ root: options.root.attributes, path: options.root.path, leases },
    forget: (inodes) => kernel.forget(inodes),
  });
  const kernel: KernelView = new KernelView({ tree, caches, ownership });
  const losses = new Losses({
    ...{ tree, kernel, log: options.log, lostData: new LostData(options.lossDirectory) },
    currentId: (id) => ids.of(id),
  });
  const log = new Log({
    ...(options.unsentBytes === undefined ? {} : { limitBytes: options.unsentBytes }),
    failed: (entry, failure) => losses.failed(entry, failure),
    told: (entry, [attributes]) => {
      if (attributes !== undefined) ids.told(entry, attributes);
    },
    dropped: (entry) => {
      data.dropped(entry);
      ids.dropped();
    },
  });
  const request = remote.request.bind(remote);
  const grants = new Grants({
    request: (params, done) => remote.request('grant', params, undefined, done, { once: true }),
    charged: () => log.charged,
    busy: () => log.unapplied.operations > 0,
  });
  const ids = new ServerIds({
    ...{ tree, log },
    provisional: () => making.provisionalId(),
    getattr: (path, done) => remote.request('getattr', [path], undefined, done, { once: true }),
  });
  const hints = new Hints({ tree, log, ids });
  const sender = new Sender({
    log,
    request,
    granted: (left) => {
      tree.settled();
      grants.left(left);
    },
    hint: (operation, entry) => hints.add(operation, entry),
  });
  const home = new Home({
    ...{ remote, tree, log, sender, leases, grants, kernel, temper },
    clock: new WallClock(options.disk.times),
    largestFile: options.disk.largestFile,
  });
  const data = new FileData(home);
  const listings = new Listings(home);
  const lookups = new Lookups(home, listings, ownership);
  const doubting = new Doubting({ home, data });
  const attributes = new AttributeUpdates(home, data);
  const xattrs = new Xattrs(home, { acls: options.acls === true });
  const acls = options.acls === true ? new Acls({ xattrs, lookups, attributes }) : undefined;
  const making = new Making(home, {
    acls,
    unmake: (inode, directory, key, caller) =>
      inode.isDirectory() ? names.rmdir(directory, key, caller) : names.unlink(directory, key, caller),
  });
  const locks = new FileLocks(home, options.log);
  const names: Names = new Names(home, { making, doubting, locks });
  const syncs = new Syncs(home);
  const handles = new HandleTable<FileHandle>();
  const { atime = { files: 'noatime', directories: 'noatime' } } = options;
  const accessTimes = new AccessTimes(home, attributes, atime);
  const files = new Files({
    ...{ home, making, names, lookups, attributes, accessTimes, data, syncs, handles, locks },
  });
  files.maxOpen = options.maxOpenFiles;
  const ranges = new Ranges({ home, lookups, data, handles });
  const directories = new Directories(home, listings, syncs, accessTimes);
  const recalls = new Recalls({ home, doubting, term, locks });
  const space = new Space(home);
  const changes = new AwaitedChanges({ request, numbers: home.changes });
  const reintegration = new Reintegration({ tree, log, ids, hints, losses, changes });

  remote.listen({
    lease: (items) => {
      recalls.leased(items);
      grants.refill();
      listings.leased();
    },
    recall: (items) => recalls.recalled(items),
    durable: (number) => log.durable(number),
    ungrant: () => grants.giveBack(),
    softLimit: (...told) => logSoftQuota(options.log, ...told),
    shares: (shares) => options.sharesAre?.(shares),
    lost: () => {
      hints.clear();
      sender.lost();
      changes.lost();
      data.lost();
      locks.lost();
      grants.disconnected();
    },
    connected: (session, sameServer) => {
      term.begin(session.termMs);
      home.clock.limits = session.disk.times;
      home.largestFile = session.disk.largestFile;
      files.maxOpen = session.maxOpenFiles;
      options.sharesAre?.(session.shares);
      if (!session.resumed || !sameServer || !session.leased) grants.lost();
      if (!session.leased) recalls.over();
      // Nobody has seen to it meanwhile that nothing was changed on the server.
      else if (!session.resumed) recalls.doubtAll();
      if (!session.covered) log.leasesLost(session.applied);
      if (!session.resumed) recalls.holdAgain();
      // The log goes before anything else: a server that was restarted takes it without a lease until then.
      ids.connected(session.applied, session.resumed);
      const sent = sender.connected(session.applied);
      tree.settled();
      changes.connected();
      // Before anything else that is asked: then the server takes this mount for back.
      const sayLocks = (): Promise<unknown> => locks.connected(session.leased);
      const locked = sent === undefined ? sayLocks() : sent.then(sayLocks);
      return Promise.all([locked, reintegration.connected()])
        .then(() => ids.ask())
        .then(() => {
          // A server that was restarted keeps others waiting until it hears of something behind the log.
          if (!session.resumed) {
            remote.request('returned', [[]], undefined, () => undefined, { once: true });
          }
          grants.connected();
        });
    },
    ended: (failure: Failure) => {
      // Nothing is answered from here any more: every operation is told so.
      recalls.over();
      log.ended(failure);
      sender.ended(failure);
      changes.ended(failure);
    },
  });

  const destroy = async (): Promise<void> => {
    files.closeAll();
    let timer: NodeJS.Timeout | undefined;
    const gone = new Promise<void>((resolve) => {
      // As long as the server takes what is sent, the end waits for it.
      let before = log.undurable.operations;
      timer = setInterval(() => {
        const now = log.undurable.operations;
        if (now === before && !remote.connected) resolve();
        before = now;
      }, DESTROY_MS);
    });
    if (log.last !== undefined) await Promise.race([sender.drain().catch(() => undefined), gone]);
    clearInterval(timer);
    losses.abandoned(log.unappliedEntries());
    await remote.logout();
  };
  const filesystem = new MountedHome({
    ...{
      home,
      lookups,
      making,
      names,
      attributes,
      files,
      ranges,
      directories,
      space,
      xattrs,
      acls,
      ownership,
      destroy,
    },
  });
  return { filesystem, state: { log, leases, losses } };
}

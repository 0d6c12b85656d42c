/*
 * One home as its worker holds it: the tree, the account of its quota, what is open, who is connected. There is one
 * object for a home in the whole daemon, so all of this has one owner and needs no locks.
 *
 * Invariant: whatever changes a home, its quota or its open files runs to its end in one synchronous stretch on this thread.
 * What has to wait (disks, hashes) does so before or after, and takes no part of an invariant with it.
 * While the home is counted, nothing changes it: sessions and continuations wait for whenChangeable().
 */
import { LEASE_TERM_MS, MAX_HELD } from '../../protocol/limits.js';
import type { LeaseMode } from '../../protocol/methods.js';
import type { HomeName } from '../../protocol/ids.js';
import type { HomeRecord } from '../../state/home-record.js';
import type { DiskLimits } from '../../protocol/disk-limits.js';
import type { Charge, QuotaReport, Use } from '../../state/ledger.js';
import { softQuotaOf } from '../../state/soft-quota.js';
import type { Log } from '../log.js';
import { ChangeLane } from './change-lane.js';
import { Clients, type Attached } from './clients.js';
import { CLOCK, type Clock } from './calls/clock.js';
import { ConfinedTree } from './disk/confined.js';
import { Counting } from './counting.js';
import { Digests, type DigestRecords } from './transfers/digests.js';
import { limitsOfDisk } from './disk/disk-limits.js';
import { DiskWatch, type DiskWatchOptions } from './leases/disk-watch.js';
import { Durability, type DurabilityOptions } from './durability.js';
import { Executor } from './operations/executor.js';
import { Fetching } from './fetching.js';
import { XattrReading } from './xattr-reading.js';
import { Grace } from './leases/grace.js';
import { Grants } from './quota/grants.js';
import type { Handle } from './handles.js';
import { HeldFiles } from './files/held-files.js';
import { HomeExpiry } from './home-expiry.js';
import { HomeLocks } from './home-locks.js';
import type { ClientSession, HomeClient } from './home-client.js';
import { Identities } from './files/identities.js';
import { LeaseWaits } from './leases/lease-waits.js';
import { Leases } from './leases/leases.js';
import { LedgerEntryWriter, type LedgerStore } from './quota/ledger-entry.js';
import { Listings } from './listings.js';
import { LogLane } from './log-lane.js';
import { listMarks, type Marks } from './operations/marks.js';
import { PartialFiles } from './transfers/partial-files.js';
import { Publishing } from './publishing.js';
import { Quota } from './quota/quota.js';
import { recount } from './recount.js';
import { RoomRecalls } from './room-recalls.js';
import { SharePlaces } from './files/share-places.js';
import { ShownTimes } from './files/shown-times.js';
import { SoftLimit, type HomeLimits } from './quota/soft-limit.js';
import { SyncGroup } from './disk/sync-group.js';
import { Telling } from './files/telling.js';
import { Trash } from './trash/trash.js';
import { takeBack } from './trash/half-removed.js';
import { TrashRestoring } from './trash/trash-restoring.js';
import { Turns } from './calls/turns.js';
import { UnitChanges } from './leases/unit-changes.js';
import { Uploads, type UploadRecords } from './uploads.js';
import { VirtualOwners } from './files/virtual-owners.js';
import { WholeUploads } from './whole-uploads.js';

/** However long opening took, clients of before get this long to come back (milliseconds): they try again each second. */
const RETURN_MS = 5000;

export interface UserHomeOptions {
  readonly record: HomeRecord;
  /** Absolute path of the home on the server; it exists. */
  readonly directory: string;
  readonly ledger: LedgerStore;
  readonly uploads: UploadRecords;
  readonly digests: DigestRecords;
  readonly log: Log;
  /** Uploads and downloads that ended. */
  readonly transferLog: Log;
  /** No session, and no client that may come back, is left. */
  readonly onIdle?: () => void;
  /** For how long leases are good without a word (milliseconds); default: LEASE_TERM_MS. */
  readonly leaseTermMs?: number;
  /** Files that are kept open for clients; default: what one client may hold. */
  readonly maxOpenFiles?: number;
  /** For how long a partial upload is kept that nobody goes on with (milliseconds). */
  readonly uploadKeepMs: number;
  /** See ConfinedTree.open(). */
  readonly firstReserved?: number;
  /** For tests. */
  readonly clock?: Clock;
  readonly sync?: DurabilityOptions['sync'];
  readonly sliceMs?: number;
  readonly openWatch?: DiskWatchOptions['open'];
}

/** What a home holds and who uses it. */
export interface HomeStatus extends Use {
  readonly trashed: Use;
  readonly limits: Use;
  readonly sessions: number;
  readonly clients: number;
  readonly handles: number;
  readonly uploads: number;
}

export class UserHome {
  readonly name: HomeName;
  readonly tree: ConfinedTree;
  readonly quota: Quota;
  readonly soft: SoftLimit;
  readonly held: HeldFiles;
  readonly identities: Identities;
  readonly places: SharePlaces;
  readonly shown: ShownTimes;
  readonly owners: VirtualOwners;
  readonly telling: Telling;
  readonly disk: DiskLimits;
  readonly turns: Turns;
  readonly leases: Leases;
  readonly waits: LeaseWaits;
  readonly locks: HomeLocks;
  readonly watch: DiskWatch;
  readonly log: LogLane;
  readonly changes: ChangeLane;
  readonly room: RoomRecalls;
  readonly listings: Listings;
  readonly fetching: Fetching;
  readonly xattrs: XattrReading;
  readonly durability: Durability;
  readonly uploads: Uploads;
  readonly wholeUploads: WholeUploads;
  readonly digests: Digests;
  readonly trash: Trash;
  readonly restoring: TrashRestoring;
  readonly transferLog: Log;
  /** For how long leases are good without a word (milliseconds). */
  readonly leaseTermMs: number;
  /** Files that clients may have open. */
  readonly maxOpenFiles: number;
  readonly #log: Log;
  readonly #grants: Grants;
  readonly #grace: Grace;
  readonly #clients: Clients;
  readonly #counting: Counting;
  readonly #expiry: HomeExpiry;
  readonly #ledgerEntry: LedgerEntryWriter;
  readonly #onIdle: () => void;
  #closed = false;

  /** Opens a home; counts it first where the ledger does not know it, or is not clean. ENOENT, ENOTDIR. */
  static async open(options: UserHomeOptions): Promise<UserHome> {
    const clock = options.clock ?? CLOCK;
    const began = clock.now();
    const tree = ConfinedTree.open(options.directory, options.firstReserved);
    try {
      const entry = options.ledger.read(options.record.name);
      if (entry?.clean === true) return new UserHome(options, tree, entry, true, began);
      const { bytes, files, trashed, unreadable } = await recount(tree, takeBack);
      const fields = { home: options.record.name, bytes, files, unreadable, ms: clock.now() - began };
      options.log.info(fields, 'the home was counted');
      const charge = { bytes, files, trashed, overSoftSince: entry?.overSoftSince };
      return new UserHome(options, tree, charge, false, began);
    } catch (error) {
      tree.close();
      throw error;
    }
  }

  private constructor(
    options: UserHomeOptions,
    tree: ConfinedTree,
    charge: Charge,
    clean: boolean,
    /** When opening began: leases of before have not been renewed since. */
    began: number,
  ) {
    const { record, log, transferLog, clock = CLOCK, leaseTermMs = LEASE_TERM_MS } = options;
    this.name = record.name;
    this.tree = tree;
    this.transferLog = transferLog;
    this.leaseTermMs = leaseTermMs;
    this.maxOpenFiles = options.maxOpenFiles ?? MAX_HELD;
    this.#log = log;
    this.#onIdle = options.onIdle ?? (() => undefined);
    this.#ledgerEntry = new LedgerEntryWriter({
      ledger: options.ledger,
      home: record,
      clean,
      charge: () => ({ ...this.quota.used, overSoftSince: this.soft.since, trashed: this.quota.trashed }),
      onError: (error) => log.error({ error, home: record.name }, 'the ledger was not written'),
    });
    const limits = { bytes: record.quotaBytes, files: record.maxFiles, soft: softQuotaOf(record) };
    this.soft = new SoftLimit({
      ...{ clock, log, home: record.name, since: charge.overSoftSince, quota: () => this.quota },
      onChanged: (notice) => {
        for (const client of this.#clients) client.tellSoftLimit(notice);
      },
      onLimits: () => this.room.limitsChanged(),
      remember: () => this.#ledgerEntry.beforeChange(),
    });
    this.quota = new Quota(charge, limits, {
      beforeChange: () => {
        this.durability.changing();
        this.#ledgerEntry.beforeChange();
      },
      onRoom: () => this.waits.roomFreed(),
      onUsed: (bytes) => this.soft.used(bytes),
      emptyTrash: (short) => this.trash.makeRoom(short),
      openInTrash: () => this.held.openInTrash.use,
    });
    const { quota } = this;
    this.held = new HeldFiles({
      ...{ tree, quota, clock, limit: this.maxOpenFiles },
      isShared: () => this.#clients.present > 1,
    });
    this.#grants = new Grants({ tree, quota, now: () => clock.now() });
    this.identities = new Identities({ tree, held: this.held });
    this.places = new SharePlaces(this.identities.root);
    this.shown = ShownTimes.open(tree);
    this.owners = new VirtualOwners(tree, record.posixOwners === true, this.identities.root.ino);
    this.telling = new Telling(this.shown, this.owners, this.held);
    this.disk = limitsOfDisk(tree);
    this.durability = new Durability({
      tree,
      marks: () => this.#marks(),
      onDurable: () => this.#tellDurable(),
      onFailed: (error) => {
        log.error({ error, home: record.name }, 'the home was not synced');
        this.#clients.syncFailed(error);
      },
      sync: options.sync,
    });
    this.turns = new Turns(options.sliceMs);
    this.#counting = new Counting({
      ...{ home: record.name, tree, quota, held: this.held, uploads: () => this.uploads.use },
      onRepaired: () => this.#settle(),
      onOver: () => this.waits.freed(),
    });
    this.locks = new HomeLocks({
      ...{ identities: this.identities, clock, termMs: leaseTermMs, log },
      leases: () => this.leases,
      grace: () => this.#grace,
      isFrozen: () => this.counting,
    });
    this.leases = new Leases({
      locks: this.locks,
      termMs: leaseTermMs,
      now: () => clock.now(),
      onFreed: () => this.waits.freed(),
      onRecalled: () => this.waits.watch(),
      isWaitedFor: (unit) => this.waits.isWaitedFor(unit),
    });
    this.watch = new DiskWatch({
      ...{ identities: this.identities, held: this.held, clock, log, open: options.openWatch },
      onChanged: (units) => this.leases.takeBack(units),
    });
    this.waits = new LeaseWaits({
      ...{ leases: this.leases, clock, turns: this.turns },
      cover: (client, touches) => this.watch.cover(client, touches),
      isHeldUp: (client) => this.counting || this.#grace.holdsUp((client as HomeClient).id),
      onShort: (by) => this.room.ask(by),
      isFrozen: () => this.counting,
    });
    this.room = new RoomRecalls({
      quota,
      clients: () => this.#clients,
      clock,
      termMs: leaseTermMs,
      waits: this.waits,
      isFrozen: () => this.counting,
    });
    const marked = listMarks(tree);
    this.#grace = new Grace({
      expected: marked.filter(({ leased }) => leased).map(({ id }) => id),
      clock,
      ms: Math.max(RETURN_MS, began + leaseTermMs - clock.now()),
      onMissed: (ids) => this.#clients.missed(ids),
      onChanged: () => {
        this.#clients.graceChanged();
        this.waits.freed();
      },
    });
    this.#clients = new Clients({
      tree,
      held: this.held,
      grants: this.#grants,
      ...{ leases: this.leases, waits: this.waits, locks: this.locks },
      ...{ grace: this.#grace, turns: this.turns, clock },
      marked: marked.map(({ id }) => id),
      closeHandle: (handle) => this.closeHandle(handle),
      onLeft: () => this.#onLeft(),
      onError: (error) =>
        log.error({ error, home: record.name }, 'the disk refused what was to be done for a client'),
    });
    const parts = {
      ...{ tree, quota, held: this.held, identities: this.identities, shown: this.shown },
      ...{ leases: this.leases, waits: this.waits, turns: this.turns, watch: this.watch, grace: this.#grace },
      ...{ telling: this.telling, units: new UnitChanges({ leases: this.leases, watch: this.watch }) },
      ...{ moved: (ino: bigint) => this.locks.moved(ino), changed: () => this.durability.changed() },
      changes: () => this.durability.changes + this.watch.changes,
      ...{ owners: this.owners, whenChangeable: () => this.whenChangeable(), sliceMs: options.sliceMs },
    };
    this.trash = new Trash({ ...parts, home: record.name, clock, log, isFrozen: () => this.counting });
    this.trash.keepMs = record.trashMs ?? 0;
    const { largestFile } = this.disk;
    const changing = { ...parts, trash: this.trash, places: this.places, largestFile };
    this.restoring = new TrashRestoring(changing);
    const executor = new Executor({
      ...changing,
      onTimesFailed: (error) => log.error({ error, home: record.name }, 'times were not set'),
    });
    this.log = new LogLane({
      ...parts,
      executor,
      isFrozen: () => this.counting,
      onBroken: (error) => log.error({ error, home: record.name }, 'an operation failed'),
    });
    this.changes = new ChangeLane({ ...parts, executor });
    this.listings = new Listings(parts);
    this.fetching = new Fetching(parts);
    this.xattrs = new XattrReading(parts);
    this.digests = new Digests({ home: record.name, store: options.digests, log });
    const charging = { ...changing, account: this.#grants.client().awaited };
    const uploading = {
      ...{ ...charging, home: record.name, log, transferLog },
      ...{ publishing: new Publishing(charging), syncs: new SyncGroup(tree), freeing: this.held.freeing },
    };
    this.wholeUploads = new WholeUploads({ ...uploading, pool: this.#grants.pool });
    this.uploads = new Uploads({
      ...{ ...uploading, digests: this.digests, store: options.uploads },
      ...{ partials: new PartialFiles(parts), keepMs: options.uploadKeepMs },
    });
    this.#settle();
    this.setLimits(limits);
    this.#expiry = new HomeExpiry({
      uploads: this.uploads,
      trash: this.trash,
      home: record.name,
      clock,
      log,
    });
  }

  /** Enters a session. To be followed by entered() when its login is answered. */
  attach(clientId: Uint8Array, session: ClientSession, wanted: LeaseMode): Attached {
    return this.#clients.attach(clientId, session, wanted);
  }

  /** The login was answered: the client may be told what it holds. */
  entered(client: HomeClient): void {
    this.#clients.entered(client);
    this.room.entered(client);
    if (this.soft.since !== undefined) client.tellSoftLimit(this.soft.notice);
  }

  /** A message of a client came. `behindLog`: all of its log of before came earlier, so it is back (grace.ts). */
  heard(client: HomeClient, behindLog: boolean): void {
    client.heard();
    if (behindLog) this.#grace.back(client.id);
  }

  /** Resolves to the last operation of the client's log that is on the disk. EIO, ENOSPC, EDQUOT: what is not may be lost. */
  async sync(client: HomeClient): Promise<number> {
    try {
      await this.durability.sync();
    } catch (error) {
      client.takeSyncFailure();
      throw error;
    }
    const earlier = client.takeSyncFailure();
    if (earlier !== undefined) throw earlier;
    return client.marks?.durable ?? 0;
  }

  /** The session has ended; its client may come back. */
  detach(client: HomeClient, session: ClientSession): void {
    this.#clients.detach(client, session);
  }

  /** The client ends: nothing of it is kept. */
  logout(client: HomeClient): void {
    this.#clients.logout(client);
  }

  /** Takes effect at once. Below the use nothing is lost and nothing grows. 0: no limit. */
  setLimits(limits: HomeLimits): void {
    this.soft.setLimits(limits);
  }

  /** Whether calls must wait: the home is being counted. */
  get counting(): boolean {
    return this.#counting.isUnderWay;
  }

  whenChangeable(): Promise<void> {
    return this.#counting.whenOver();
  }

  /** Compares the charge with the tree; sessions wait meanwhile. `repair` makes the charge what was counted. */
  check(repair: boolean): Promise<QuotaReport> {
    return this.#counting.check(repair);
  }

  status(): HomeStatus {
    return {
      ...this.quota.used,
      trashed: this.quota.trashed,
      limits: this.quota.limits,
      sessions: this.#clients.present,
      clients: this.#clients.size,
      handles: this.#clients.handles,
      uploads: this.uploads.size,
    };
  }

  rootAttributes(): unknown[] {
    const { ino, birth } = this.identities.root;
    return this.telling.attributesOf(this.identities.file({ ino, birth, path: null }));
  }

  /** Closes what a handle stood for. */
  closeHandle(handle: Handle): void {
    switch (handle.kind) {
      case 'cursor':
        handle.cursor.close();
        break;
      case 'download':
        handle.download.file.close();
        break;
      case 'upload':
        handle.upload.close().catch((error: unknown) => {
          this.#log.error({ error, home: this.name }, 'an upload was not closed');
        });
        break;
    }
  }

  /** Ends what clients left open, and writes the ledger. The sessions have ended before. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.whenChangeable();
    this.room.close();
    this.#grace.close();
    this.waits.close();
    this.locks.close();
    this.watch.close();
    this.#expiry.close();
    this.trash.stop();
    this.soft.close();
    // Those that waited have failed by now.
    await this.wholeUploads.allEnded();
    await this.#clients.allLetGo();
    // First, for it writes marks.
    await this.durability.close();
    this.#clients.close();
    await this.uploads.allClosed();
    this.#grants.close();
    await this.durability.close();
    this.#settle();
    this.trash.close();
    this.identities.close();
    this.held.close();
    this.shown.close();
    this.owners.close();
    this.uploads.syncs.close();
    this.tree.close();
  }

  #onLeft(): void {
    this.locks.watch();
    if (this.#closed || this.#clients.present > 0) return;
    void this.#settleLater();
  }

  async #settleLater(): Promise<void> {
    // What they have not named is charged until they end.
    await this.wholeUploads.allEnded();
    await this.#clients.allLetGo();
    await this.durability.close();
    if (this.#closed || this.#clients.present > 0) return;
    this.#settle();
    if (this.#clients.size === 0) this.#onIdle();
  }

  /** Writes the ledger: clean where neither a crash nor a power cut would change anything. Where it cannot be written it stays as it is, dirty. */
  #settle(): void {
    try {
      const clean = this.held.empty && this.uploads.size === 0 && this.durability.reached;
      this.#ledgerEntry.settle(clean);
    } catch (error) {
      this.#log.error({ error, home: this.name }, 'the ledger was not written');
    }
  }

  *#marks(): Generator<Marks> {
    for (const { marks } of this.#clients) if (marks !== undefined) yield marks;
  }

  #tellDurable(): void {
    for (const client of this.#clients) client.tellDurable();
  }
}

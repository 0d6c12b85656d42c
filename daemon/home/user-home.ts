/*
 * One user's home as its worker holds it: the tree, the account of its quota, what is open, who is connected. There is one
 * object for a user in the whole daemon, so all of this has one owner and needs no locks.
 *
 * Invariant: whatever changes a home, its quota or its open files runs to its end in one synchronous stretch on this thread.
 * What has to wait (disks, hashes) does so before or after, and takes no part of an invariant with it.
 * While the home is counted, nothing changes it: sessions and continuations wait for whenChangeable().
 */
import { fstatfs } from '../../posix/status.js';
import { ROOT_PATH, type UserName } from '../../protocol/ids.js';
import type { QuotaReport, Use } from '../../state/ledger.js';
import { Changes } from './changes.js';
import { Clients, type ClientSession, type HomeClient } from './clients.js';
import { ConfinedTree } from './confined.js';
import { Digests, type DigestRecords } from './digests.js';
import { Files } from './files.js';
import type { Handle } from './handles.js';
import { LedgerEntryWriter, type LedgerStore } from './ledger-entry.js';
import type { Log } from '../log.js';
import { Names } from './names.js';
import { OpenFiles } from './open-files.js';
import { PartialFiles } from './partial-files.js';
import { Quota } from './quota.js';
import { recount } from './recount.js';
import { SetAttributes } from './setattr.js';
import { Uploads, type UploadRecords } from './uploads.js';
import { wireAttributes } from './wire-attributes.js';

export interface UserHomeOptions {
  readonly account: { readonly name: UserName; readonly quotaBytes: number; readonly maxFiles: number };
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
}

/** What a home holds and who uses it. */
export interface HomeStatus extends Use {
  readonly limits: Use;
  readonly sessions: number;
  readonly clients: number;
  readonly handles: number;
  readonly uploads: number;
}

export class UserHome {
  readonly user: UserName;
  readonly tree: ConfinedTree;
  readonly quota: Quota;
  readonly changes: Changes;
  readonly files: Files;
  readonly names: Names;
  readonly setattr: SetAttributes;
  readonly uploads: Uploads;
  readonly digests: Digests;
  readonly log: Log;
  readonly transferLog: Log;
  readonly #openFiles: OpenFiles;
  readonly #clients: Clients;
  readonly #ledgerEntry: LedgerEntryWriter;
  readonly #onIdle: () => void;
  /** Set while the home is counted. */
  #counting: Promise<void> | undefined;
  #closed = false;

  /** Opens a home; counts it first where the ledger does not know it, or is not clean. ENOENT, ENOTDIR. */
  static async open(options: UserHomeOptions): Promise<UserHome> {
    const tree = ConfinedTree.open(options.directory);
    try {
      const entry = options.ledger.read(options.account.name);
      if (entry?.clean === true) return new UserHome(options, tree, entry, true);
      const started = Date.now();
      const { bytes, files, unreadable } = await recount(tree);
      const fields = { user: options.account.name, bytes, files, unreadable, ms: Date.now() - started };
      options.log.info(fields, 'the home was counted');
      return new UserHome(options, tree, { bytes, files }, false);
    } catch (error) {
      tree.close();
      throw error;
    }
  }

  private constructor(options: UserHomeOptions, tree: ConfinedTree, used: Use, clean: boolean) {
    const { account, log, transferLog } = options;
    this.user = account.name;
    this.tree = tree;
    this.log = log;
    this.transferLog = transferLog;
    this.#onIdle = options.onIdle ?? (() => undefined);
    this.#ledgerEntry = new LedgerEntryWriter({
      ledger: options.ledger,
      user: account.name,
      clean,
      use: () => this.quota.used,
      onError: (error) => log.error({ error, user: account.name }, 'the ledger was not written'),
    });
    const limits = { bytes: account.quotaBytes, files: account.maxFiles };
    this.quota = new Quota(used, limits, () => this.#ledgerEntry.beforeChange());
    this.#openFiles = new OpenFiles(this.quota);
    this.changes = new Changes();
    const parts = { tree, quota: this.quota, openFiles: this.#openFiles, changes: this.changes };
    this.files = new Files(parts);
    this.names = new Names(parts);
    this.setattr = new SetAttributes(parts);
    this.digests = new Digests({ user: account.name, store: options.digests, log });
    this.uploads = new Uploads({
      ...parts,
      digests: this.digests,
      user: account.name,
      partials: new PartialFiles(parts),
      store: options.uploads,
      log,
      transferLog,
      whenChangeable: () => this.whenChangeable(),
    });
    this.#clients = new Clients({
      changes: this.changes,
      closeHandle: (handle) => this.closeHandle(handle),
      onLeft: () => this.#onLeft(),
    });
    this.#settle();
    try {
      this.uploads.removeAbandoned();
    } catch (error) {
      log.warn({ error, user: account.name }, 'abandoned uploads were not removed');
    }
  }

  /** Enters a session. `resumed`: handles and answers of its client id are still there. */
  attach(
    clientId: Uint8Array,
    session: ClientSession,
    lowestUnanswered: number,
  ): { client: HomeClient; resumed: boolean } {
    return this.#clients.attach(clientId, session, lowestUnanswered);
  }

  /** The session has ended; its client may come back. */
  detach(clientId: Uint8Array, session: ClientSession): void {
    this.#clients.detach(clientId, session);
  }

  /** Takes effect at once. Below the use nothing is lost and nothing grows. 0: no limit. */
  setLimits(limits: Use): void {
    this.quota.setLimits(limits);
  }

  /** Whether calls must wait: the home is being counted. */
  get counting(): boolean {
    return this.#counting !== undefined;
  }

  async whenChangeable(): Promise<void> {
    while (this.#counting !== undefined) await this.#counting;
  }

  /** Compares the charge with the tree; sessions wait meanwhile. `repair` makes the charge what was counted. */
  async check(repair: boolean): Promise<QuotaReport> {
    await this.whenChangeable();
    let done: () => void = () => undefined;
    this.#counting = new Promise((resolve) => {
      done = resolve;
    });
    try {
      const tree = await recount(this.tree);
      const unlinked = this.#openFiles.unlinked();
      const counted = { bytes: tree.bytes + unlinked.bytes, files: tree.files + unlinked.files };
      const charged = this.quota.used;
      const differs = charged.bytes !== counted.bytes || charged.files !== counted.files;
      const repaired = repair && differs;
      if (repaired) {
        this.quota.correct(counted);
        this.#settle();
      }
      return { user: this.user, ledger: charged, tree: counted, repaired };
    } finally {
      this.#counting = undefined;
      done();
    }
  }

  status(): HomeStatus {
    return {
      ...this.quota.used,
      limits: this.quota.limits,
      sessions: this.#clients.present,
      clients: this.#clients.size,
      handles: this.#clients.handles,
      uploads: this.uploads.size,
    };
  }

  rootAttributes(): unknown[] {
    return wireAttributes(this.tree.status(ROOT_PATH));
  }

  /** (block size, bytes: limit, used, free on disk; inodes: limit, used, free on disk), as `statfs` answers. */
  statfs(): number[] {
    const disk = fstatfs(this.tree.root);
    const { used, limits } = this.quota;
    return [
      Number(disk.blockSize),
      limits.bytes,
      used.bytes,
      Number(disk.available * disk.blockSize),
      limits.files,
      used.files,
      Number(disk.filesFree),
    ];
  }

  /** Closes what a handle stood for. */
  closeHandle(handle: Handle): void {
    switch (handle.kind) {
      case 'file':
        handle.file.close();
        break;
      case 'cursor':
        handle.cursor.close();
        break;
      case 'download':
        handle.download.file.close();
        break;
      case 'upload':
        handle.upload.close().catch((error: unknown) => {
          this.log.error({ error, user: this.user }, 'an upload was not closed');
        });
        break;
    }
  }

  /** Ends what clients left open, and writes the ledger. The sessions have ended before. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.whenChangeable();
    this.#clients.close();
    await this.uploads.allClosed();
    this.#settle();
    this.tree.close();
  }

  #onLeft(): void {
    if (this.#closed || this.#clients.present > 0) return;
    this.#settle();
    if (this.#clients.size === 0) this.#onIdle();
  }

  /** Writes the ledger: clean where a crash would change nothing. Where it cannot be written it stays as it is, dirty. */
  #settle(): void {
    try {
      this.#ledgerEntry.settle(this.#openFiles.empty && this.uploads.size === 0);
    } catch (error) {
      this.log.error({ error, user: this.user }, 'the ledger was not written');
    }
  }
}

/**
 * fsync(2): what is known here of a file is on the server's disk.
 *
 * That is a round trip and a wait for the disk. It is spared for a directory where nothing can have changed since the last one:
 * programs sync a file and then its directory (of a SQLite transaction's four syncs this is one).
 *
 * Invariant: it is spared only where all that was done here is durable, and the directory was leased to this mount all the
 * time, so that nobody else can have changed it either. (Of a file that cannot be told: it may have been in another unit, by a
 * name elsewhere that others have removed since.)
 */
import type { Caller } from '../operations.js';
import { interruptible } from '../remote/interruption.js';
import type { Inode } from '../tree/inode.js';
import type { Opened } from './handles.js';
import type { Home } from './home.js';
import { tellLoss } from './losses.js';

/** How things were when a sync that went well was asked for. */
interface Synced {
  readonly leases: number;
  readonly changes: number | undefined;
}

export class Syncs {
  readonly #home: Home;
  #last: Synced | undefined;

  constructor(home: Home) {
    this.#home = home;
  }

  /** Resolves when it is so. Throws as Sender.sync(), and what was lost. */
  async fsync(opened: Opened, caller: Caller): Promise<void> {
    const synced = this.#sync(opened.inode);
    if (synced !== undefined) await interruptible(this.#home.remote.bounded(synced), caller);
    tellLoss(opened);
  }

  /** Undefined: there is nothing to wait for. */
  #sync(inode: Inode): Promise<void> | undefined {
    const { leases, changes, sender } = this.#home;
    if (this.#isSynced(inode)) return undefined;
    const now = { leases: leases.generation, changes: changes.settled };
    return sender.sync().then(() => {
      this.#last = now;
    });
  }

  #isSynced(inode: Inode): boolean {
    const { log, leases, changes } = this.#home;
    if (!inode.isDirectory()) return false;
    if (this.#last?.changes === undefined || log.undurable.operations > 0) return false;
    if (this.#last.leases !== leases.generation || this.#last.changes !== changes.settled) return false;
    return leases.believes(inode.attributes.ino);
  }
}

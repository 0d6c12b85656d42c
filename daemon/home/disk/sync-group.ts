/*
 * Syncs of single files and directories of a home. Those who ask while one runs are served together by the next: by fsync(2)
 * where it is one, else by one syncfs(2).
 *
 * Invariant: who is told that it went well has its file on the disk. What a sync of the whole file system meets may be another
 * file's failure, so then each is synced by itself: its own failures its descriptor tells.
 *
 * The kernel tells a failure of the file system once to each opening of it (syncfs(2)), so this one is not that of the home's own
 * syncs (durability.ts): either would take from the other what is lost.
 */
import { close } from '../../../posix/files.js';
import { O_RDONLY } from '../../../posix/flags.js';
import type { Fd } from '../../../posix/fd.js';
import type { ConfinedTree } from './confined.js';
import { onDiskThread } from './disk-threads.js';

interface Waiting {
  readonly fd: Fd;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export class SyncGroup {
  /** The home, opened for this. */
  readonly #own: Fd;
  /** Whose turns its calls take: with the home's own syncs. */
  readonly #home: object;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(tree: Pick<ConfinedTree, 'root' | 'openDirectory'>) {
    this.#home = tree;
    this.#own = tree.openDirectory(tree.root, Buffer.alloc(0), O_RDONLY);
  }

  /** Nothing is synced any more. */
  close(): void {
    close(this.#own);
  }

  /** Resolves when the file is on the disk. Its descriptor must stay open until then. EIO, ENOSPC, EDQUOT: it may be lost. */
  sync(fd: Fd): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ fd, done, failed });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Who asks in the same turn belongs to the same sync.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const together = this.#waiting;
      this.#waiting = [];
      await this.#syncAll(together);
    }
    this.#running = false;
  }

  async #syncAll(together: readonly Waiting[]): Promise<void> {
    if (together.length > 1) {
      try {
        await onDiskThread(this.#home, 'syncfs', this.#own);
        for (const { done } of together) done();
        return;
      } catch {
        // Whose failure it is follows.
      }
    }
    for (const { fd, done, failed } of together) {
      try {
        await onDiskThread(this.#home, 'fsync', fd);
        done();
      } catch (error) {
        failed(error);
      }
    }
  }
}

/**
 * Puts files of this machine on their disk: those that are written at about the same time together, by one syncfs(2) for each
 * file system.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { fd, type Fd } from '../../posix/fd.js';
import { fsync, syncfsAsync } from '../../posix/files.js';
import { statxFd } from '../../posix/status.js';
import { Failure } from '../../protocol/failure.js';
import { Batches } from './batches.js';

/** So many descriptors are open for it at a time, and three times as many. */
const FILES_TOGETHER = 256;

export class LocalSyncs {
  readonly #batches = new Batches<Fd, true>({ items: FILES_TOGETHER, weigh: () => 0, send: syncAll });

  /** Resolves when the open file is on the disk. */
  async sync(file: Fd): Promise<void> {
    await this.#batches.add(file);
  }

  /** Resolves when the names in a directory are on the disk; those in one that cannot be read get there some time. */
  async syncDirectory(path: Buffer): Promise<void> {
    const directory = openToRead(path);
    if (directory === undefined) return;
    try {
      await this.sync(directory);
    } finally {
      closeSync(directory);
    }
  }
}

function openToRead(directory: Buffer): Fd | undefined {
  try {
    return fd(openSync(directory.length === 0 ? '.' : directory, constants.O_RDONLY | constants.O_DIRECTORY));
  } catch (error) {
    if (Failure.from(error).kind === 'EACCES') return undefined;
    throw error;
  }
}

async function syncAll(files: readonly Fd[]): Promise<true[]> {
  const byDisk = new Map<bigint, Fd[]>();
  for (const file of files) {
    const { dev } = statxFd(file);
    const others = byDisk.get(dev);
    if (others === undefined) byDisk.set(dev, [file]);
    else others.push(file);
  }
  for (const together of byDisk.values()) await syncTogether(together);
  return files.map(() => true);
}

/** What a sync of all meets may be another file's failure: then each is asked. */
async function syncTogether(files: readonly Fd[]): Promise<void> {
  const [first, ...others] = files;
  try {
    if (first !== undefined && others.length > 0) return await syncfsAsync(first);
  } catch {
    // Whose failure it is follows.
  }
  for (const file of files) fsync(file);
}

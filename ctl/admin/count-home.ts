/**
 * Counts a home while no daemon runs, by the rules of the quota: apparent bytes of regular files, one inode for each
 * entry, hard links once; the home itself and the daemon's own directory are free, partial uploads in it are not.
 *
 * A running daemon counts by itself (daemon/home/recount.ts), as it alone knows of files that are open without a name.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { isOwnName, RESERVED_NAME } from '../../state/home-layout.js';
import type { Use } from '../../state/ledger.js';
import { localJoin } from '../names.js';

/** What the tree HOMES/NAME holds, and what partial uploads take of that; nothing where there is none. */
export async function countHome(homes: string, name: string): Promise<{ tree: Use; uploads: Use }> {
  const home = Buffer.from(join(homes, name));
  const reserved = localJoin(home, RESERVED_NAME);
  const linked = new Set<bigint>();
  const directories: Buffer[] = [home];
  const tree = { bytes: 0, files: 0 };
  const uploads = { bytes: 0, files: 0 };
  for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
    for await (const entry of entriesOf(path)) {
      if (path.equals(reserved) && isOwnName(entry)) continue;
      const status = await lstat(localJoin(path, entry), { bigint: true });
      if (status.isDirectory()) directories.push(localJoin(path, entry));
      if ((path === home && entry.equals(RESERVED_NAME)) || isCounted(status, linked)) continue;
      for (const use of path.equals(reserved) ? [tree, uploads] : [tree]) {
        use.bytes += status.isFile() ? Number(status.size) : 0;
        use.files += 1;
      }
    }
  }
  return { tree, uploads };
}

/** Whether another name of the same file was counted. */
function isCounted(status: BigIntStats, linked: Set<bigint>): boolean {
  if (status.isDirectory() || status.nlink === 1n) return false;
  if (linked.has(status.ino)) return true;
  linked.add(status.ino);
  return false;
}

async function* entriesOf(path: Buffer): AsyncGenerator<Buffer> {
  try {
    // node's types do not know the encoding 'buffer' here.
    const directory = await opendir(path, { encoding: 'buffer' as BufferEncoding });
    for await (const entry of directory) yield entry.name as unknown as Buffer;
  } catch (error) {
    if (Failure.from(error).kind !== 'ENOENT') throw error;
  }
}

/* What model tests do in homes as mounts show them, and in a plain directory, and what they compare. */
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fd, type Fd } from '../../posix/fd.js';
import { checked, libc } from '../../posix/libc.js';
import { getXattr } from '../../posix/xattrs.js';

/** The extended attribute that is set. */
export const XATTR = Buffer.from('user.a');

/** Opens the directory of a name for a call that node has not. */
export async function inDirectory<T>(
  root: string,
  at: string,
  run: (directory: Fd, name: Buffer) => T,
): Promise<Awaited<T>> {
  const directory = await fs.open(path.join(root, path.dirname(at)), 'r');
  try {
    return await run(fd(directory.fd), Buffer.from(path.basename(at)));
  } finally {
    await directory.close();
  }
}

/** Renames with RENAME_EXCHANGE or RENAME_NOREPLACE. */
export function renameWith(root: string, at: string, to: string, flags: number): Promise<void> {
  return inDirectory(root, at, (from, name) =>
    inDirectory(root, to, (into, newName) => renameIn(from, name, into, newName, flags)),
  );
}

const libcRenameat2 = libc<{
  async(...args: [Fd, Buffer, Fd, Buffer, number, (error: Error | null, result: number) => void]): void;
}>('renameat2', 'int', ['int', 'void *', 'int', 'void *', 'uint']);

/** renameat2(2) on another thread: a mount may not answer before this one has started its server again. */
export function renameIn(from: Fd, name: Buffer, into: Fd, newName: Buffer, flags: number): Promise<void> {
  const [end, terminated] = [Buffer.alloc(1), (text: Buffer): Buffer => Buffer.concat([text, end])];
  return new Promise((resolve, reject) => {
    libcRenameat2.async(from, terminated(name), into, terminated(newName), flags, (_error, result) => {
      try {
        checked(result, 'renameat2');
        resolve();
      } catch (failed) {
        reject(failed as Error);
      }
    });
  });
}

/** What a call answered, or its errno. */
export async function resultOf(run: Promise<unknown>): Promise<unknown> {
  try {
    const result = await run;
    return Array.isArray(result) ? result : 'done';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Everything that is to be the same everywhere: the tree with types, modes, sizes, links, targets and content. */
export async function picture(root: string, owners: boolean): Promise<string[]> {
  const lines: string[] = [];
  const walk = async (relative: string): Promise<void> => {
    const names = (await fs.readdir(path.join(root, relative))).toSorted();
    for (const name of names) {
      const each = path.join(relative, name);
      const status = await fs.lstat(path.join(root, each));
      const { mode, nlink, uid, gid, rdev } = status;
      const own = owners ? ` ${uid}:${gid} ${rdev}` : '';
      const kind = `${each} ${mode.toString(8)} ${nlink}${own}`;
      if (status.isDirectory()) {
        lines.push(kind);
        await walk(each);
      } else if (status.isSymbolicLink()) {
        lines.push(`${kind} -> ${await fs.readlink(path.join(root, each))}`);
      } else if (!status.isFile()) {
        lines.push(kind);
      } else {
        const data = await fs.readFile(path.join(root, each));
        const xattr = getXattr({ path: Buffer.from(path.join(root, each)) }, XATTR)?.toString('latin1');
        lines.push(`${kind} ${status.size} ${data.length} ${digest(data)} ${xattr ?? ''}`);
      }
    }
  };
  await walk('');
  return lines;
}

/** Not cryptographic: enough to tell two files apart. */
function digest(data: Buffer): number {
  let sum = 0;
  for (const byte of data) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

/**
 * What directories hold, here and in the home, for patterns and completion.
 */
import { readdir, stat } from 'node:fs/promises';
import { Failure, type FailureKind } from '../protocol/failure.js';
import { pathBelow, type RemotePath } from '../protocol/ids.js';
import { parseRemotePath } from '../client/remote-path.js';
import { localJoin } from './names.js';
import { isDirectory, openDirectory, throughLinks } from './remote/directory.js';
import type { RemoteSession } from './remote/session.js';
import { pathWithin } from './remote/shared-path.js';
import { trashItems } from './remote/trash-items.js';
import type { Entry, Lister } from './glob.js';

/** Where a pattern finds nothing. */
const NOTHING: ReadonlySet<FailureKind> = new Set<FailureKind>(['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP']);

const HERE = Buffer.from('.');
const SLASH = 0x2f;

/** Lists directories of a session's home by their paths in the own one; relative ones begin at `from`. */
export function remoteLister(
  { client, share }: Pick<RemoteSession, 'client' | 'share'>,
  from: RemotePath,
  signal?: AbortSignal,
): Lister {
  return (directory) =>
    orNothing(async () => {
      const entries: Entry[] = [];
      const path = pathWithin(share, parseRemotePath(directory, from));
      const listing = await throughLinks(client, path, 'followed', (there) => openDirectory(client, there));
      for await (const { name, attributes } of listing.entries) {
        if (signal?.aborted === true) throw new Failure('ECANCELED', 'interrupted');
        entries.push({ name, isDirectory: isDirectory(attributes) });
      }
      return entries;
    });
}

/**
 * As remoteLister(), of the directories that what is in the trash was in. What had the same name as a directory is in one with what
 * was below that.
 */
export function trashLister(
  { client, share }: Pick<RemoteSession, 'client' | 'share'>,
  from: RemotePath,
  signal: AbortSignal,
): Lister {
  return async (directory) => {
    const top = pathWithin(share, parseRemotePath(directory, from));
    const entries = new Map<string, Entry>();
    for await (const { path } of trashItems(client, signal)) {
      const below = path === undefined ? undefined : pathBelow(top, path);
      if (below === undefined || below.length === 0) continue;
      const slash = below.indexOf(SLASH);
      const name = slash < 0 ? below : below.subarray(0, slash);
      const key = name.toString('latin1');
      entries.set(key, { name, isDirectory: slash >= 0 || entries.get(key)?.isDirectory === true });
    }
    return [...entries.values()];
  };
}

/** Lists directories of this machine. */
export const localLister: Lister = (directory) =>
  orNothing(async () => {
    const entries = await readdir(directory.length === 0 ? HERE : directory, {
      withFileTypes: true,
      encoding: 'buffer',
    });
    return Promise.all(
      entries.map(async (entry) => ({
        name: entry.name,
        isDirectory: entry.isSymbolicLink()
          ? await leadsToDirectory(localJoin(directory, entry.name))
          : entry.isDirectory(),
      })),
    );
  });

async function leadsToDirectory(link: Buffer): Promise<boolean> {
  try {
    return (await stat(link)).isDirectory();
  } catch {
    return false;
  }
}

async function orNothing(list: () => Promise<readonly Entry[]>): Promise<readonly Entry[]> {
  try {
    return await list();
  } catch (error) {
    if (NOTHING.has(Failure.from(error).kind)) return [];
    throw error;
  }
}

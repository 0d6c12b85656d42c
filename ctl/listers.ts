/**
 * What directories hold, here and in the home, for patterns and completion.
 */
import { readdir, stat } from 'node:fs/promises';
import { Failure, type FailureKind } from '../protocol/failure.js';
import type { RemotePath } from '../protocol/ids.js';
import { parseRemotePath } from '../protocol/login/remote-path.js';
import { localJoin } from './names.js';
import { isDirectory, openDirectory, throughLinks } from './remote/directory.js';
import type { RemoteSession } from './remote/session.js';
import { pathWithin } from './remote/shared-path.js';
import type { Entry, Lister } from './glob.js';

/** Where a pattern finds nothing. */
const NOTHING: ReadonlySet<FailureKind> = new Set<FailureKind>(['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP']);

const HERE = Buffer.from('.');

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

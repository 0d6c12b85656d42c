/**
 * Directories of a home, as commands need them. What a server lists is not trusted: a name that is none ('..', one with
 * a slash) would lead out of the directory that is being copied to, and is a fault of the protocol.
 */
import { S_IFDIR, S_IFLNK, S_IFMT } from '../../posix/flags.js';
import type { Attributes } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { checkName, joinPath, type RemoteHandle, type RemotePath } from '../../protocol/ids.js';
import { throughLinks as actThroughLinks, type LastLink } from '../../client/links.js';
import type { Result } from '../../protocol/methods.js';

type WireEntries = Result<'listNext'>[0];

/** So few entries asked for leave no room for listings of the directories below, of which others may hold leases. */
const ONLY_THIS = 1;

export interface RemoteEntry {
  readonly name: Buffer;
  readonly path: RemotePath;
  readonly attributes: Attributes;
  /** Of a symlink: what it leads to. */
  readonly target: Buffer | null;
}

export interface RemoteDirectory {
  readonly attributes: Attributes;
  readonly entries: AsyncGenerator<RemoteEntry>;
}

export function isDirectory(attributes: Attributes): boolean {
  return (attributes.mode & S_IFMT) === S_IFDIR;
}

export function isSymlink(attributes: Attributes): boolean {
  return (attributes.mode & S_IFMT) === S_IFLNK;
}

/** Opens a listing: its first page is read when this returns, the others while they are consumed. */
export async function openDirectory(client: Client, path: RemotePath): Promise<RemoteDirectory> {
  const [listing] = await client.call('list', [path, ONLY_THIS]);
  if (listing === undefined) throw new Failure('PROTOCOL', 'the server lists nothing');
  const [attributes, first, cursor] = listing;
  return { attributes, entries: pages(client, path, first, cursor) };
}

/** The entries by name, in the order of their bytes. */
export async function sortedEntries({ entries }: RemoteDirectory): Promise<RemoteEntry[]> {
  const all: RemoteEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all.toSorted((a, b) => Buffer.compare(a.name, b.name));
}

/** The attributes, or undefined where nothing has that name. */
export async function lookUp(client: Client, path: RemotePath): Promise<Attributes | undefined> {
  try {
    return await client.call('getattr', [path]);
  } catch (error) {
    const failure = Failure.from(error);
    if (failure.kind === 'ENOENT') return undefined;
    throw failure;
  }
}

/** What a path leads to, and the path without links. */
export interface Found {
  readonly path: RemotePath;
  readonly attributes: Attributes;
}

/** What a path leads to through links; no attributes where nothing is there. */
export function find(
  client: Client,
  path: RemotePath,
): Promise<Found | { readonly path: RemotePath; readonly attributes: undefined }> {
  return throughLinks(client, path, 'followed', async (there) => {
    const attributes = await lookUp(client, there);
    if (attributes !== undefined && isSymlink(attributes)) throw new Failure('ELOOP');
    return { path: there, attributes };
  });
}

/** find() of what has to be there. ENOENT. */
export async function findThere(client: Client, path: RemotePath): Promise<Found> {
  const { path: there, attributes } = await find(client, path);
  return { path: there, attributes: attributes ?? (await client.call('getattr', [there])) };
}

/** Acts on a path; where the server refuses it for a link on its way, or as its last name, on where that leads. */
export function throughLinks<T>(
  client: Client,
  path: RemotePath,
  last: LastLink,
  act: (path: RemotePath) => Promise<T>,
): Promise<T> {
  return actThroughLinks((link) => client.call('readlink', [link]), path, last, act);
}

async function* pages(
  client: Client,
  directory: RemotePath,
  first: WireEntries,
  cursor: RemoteHandle | null,
): AsyncGenerator<RemoteEntry> {
  let next = cursor;
  try {
    yield* page(directory, first);
    while (next !== null) {
      const [entries, following]: Result<'listNext'> = await client.call('listNext', [next]);
      next = following;
      yield* page(directory, entries);
    }
  } finally {
    // The consumer stopped early, or something failed: the server still holds the cursor.
    if (next !== null) await client.call('close', [next]).catch(() => undefined);
  }
}

function* page(directory: RemotePath, entries: WireEntries): Generator<RemoteEntry> {
  for (const [name, attributes, target] of entries) {
    try {
      checkName(name);
    } catch (error) {
      throw new Failure('PROTOCOL', 'the server lists an impossible name', { cause: error });
    }
    yield { name, path: joinPath(directory, name), attributes, target };
  }
}

/**
 * The items of a home's trash, page by page, and which of them a person means: by the path that they had, that of a directory that
 * they were below, or a pattern of either. The paths are of before: nothing of them need be in the home.
 */
import type { Timestamp } from '../../protocol/attributes.js';
import type { Client } from '../../protocol/session/client.js';
import { Failure } from '../../protocol/failure.js';
import { pathBelow, type RemotePath } from '../../protocol/ids.js';
import type { Result } from '../../protocol/methods.js';
import { charactersOf, isMatch, piecesOf, type Piece } from '../patterns.js';

export interface TrashItem {
  /** What the server calls it. */
  readonly id: Buffer;
  /** Where it was; undefined: the server does not know. */
  readonly path: RemotePath | undefined;
  readonly mode: number;
  readonly bytes: number;
  readonly removed: Timestamp;
}

/** What a person means of it. */
export interface TrashPlace {
  /** Empty: all of it. */
  readonly path: RemotePath;
  /** Whether the path is a pattern. */
  readonly isPattern: boolean;
  /** What it is called where something is told of it. */
  readonly shown: Buffer;
}

const SLASH = 0x2f;

/** Those removed first come first, but for those of ten minutes. */
export async function* trashItems(client: Client, signal: AbortSignal): AsyncGenerator<TrashItem> {
  for (let position = null as Buffer | null; ;) {
    if (signal.aborted) throw new Failure('ECANCELED', 'interrupted');
    const [page, next]: Result<'trash'> = await client.call('trash', [position]);
    for (const [id, path, mode, bytes, sec, nsec] of page)
      yield { id, path: path ?? undefined, mode, bytes, removed: { sec, nsec } };
    if (next === null) return;
    if (position?.equals(next) === true)
      throw new Failure('PROTOCOL', 'the server lists the trash without end');
    position = next;
  }
}

/** Sorts what was removed last to the front: of one path. */
export function byRemoval(a: TrashItem, b: TrashItem): number {
  return b.removed.sec - a.removed.sec || b.removed.nsec - a.removed.nsec || Buffer.compare(b.id, a.id);
}

/** The places as they are meant: a pattern is a path where something of that very spelling is in the trash. */
export async function spelledPlaces(
  client: Client,
  signal: AbortSignal,
  places: readonly TrashPlace[],
): Promise<readonly TrashPlace[]> {
  const patterns = new Set(places.filter(({ isPattern }) => isPattern));
  if (patterns.size === 0) return places;
  for await (const { path } of trashItems(client, signal)) {
    for (const pattern of patterns)
      if (path !== undefined && pathBelow(pattern.path, path) !== undefined) patterns.delete(pattern);
    if (patterns.size === 0) break;
  }
  return places.map((place) => ({ ...place, isPattern: patterns.has(place) }));
}

/** Whether an item is meant by a place. */
export function meaning(place: TrashPlace): (item: TrashItem) => boolean {
  if (place.path.length === 0) return () => true;
  if (!place.isPattern) return ({ path }) => path !== undefined && pathBelow(place.path, path) !== undefined;
  const pieces = piecesOf(place.path.toString());
  return ({ path }) => path !== undefined && waysTo(path).some((way) => matches(pieces, way));
}

function matches(pieces: readonly Piece[], way: Buffer): boolean {
  return isMatch(pieces, charactersOf(way));
}

/** The path, and those of the directories on the way to it. */
function waysTo(path: RemotePath): Buffer[] {
  const ways: Buffer[] = [];
  for (let at = path.indexOf(SLASH); at >= 0; at = path.indexOf(SLASH, at + 1))
    ways.push(path.subarray(0, at));
  return [...ways, path];
}

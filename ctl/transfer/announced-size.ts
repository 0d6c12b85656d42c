/** What a transfer comes to, in bytes, before it begins; Infinity where only the transfer finds out: that of a tree. */
import { stat } from 'node:fs/promises';
import { find } from '../remote/directory.js';
import { matching } from '../remote/matching.js';
import type { Place } from '../remote/place.js';
import type { RemoteSession } from '../remote/session.js';
import type { TransferFlags } from './command.js';

type SizeFlags = Pick<TransferFlags, 'recursive' | 'inplace'>;

/** Of local files. What is none is told later. */
export function localSize(sources: readonly Buffer[], { recursive, inplace }: SizeFlags): Promise<number> {
  if (recursive === true || inplace === true) return Promise.resolve(Infinity);
  return sum(
    sources.map(async (source) => {
      const status = await stat(source).catch(() => undefined);
      return status?.isFile() === true ? status.size : 0;
    }),
  );
}

/** Of files of the home. What is not there is told later. */
export async function remoteSize(
  session: RemoteSession,
  places: readonly Place[],
  { recursive }: SizeFlags,
): Promise<number> {
  if (recursive === true) return Infinity;
  const matched = await matching(session, places);
  return sum(matched.map(async ({ path }) => (await find(session.client, path)).attributes?.size ?? 0));
}

async function sum(sizes: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(sizes)).reduce((total, size) => total + size, 0);
}

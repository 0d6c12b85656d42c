/** The masters of this user that run, and that they give way. */
import { rmSync } from 'node:fs';
import { Failure } from '../../protocol/failure.js';
import { clientFiles } from '../../client/files.js';
import { describeMaster, endIdleMaster, type Description } from './greeting.js';
import { masterSockets } from './master-place.js';

interface Found extends Description {
  /** Path of its socket. */
  readonly place: string;
}

/** Those that answer. What a killed one left is removed. */
export async function masters(): Promise<Found[]> {
  const found: Found[] = [];
  for (const place of masterSockets(clientFiles())) {
    try {
      found.push({ place, ...(await describeMaster(place)) });
    } catch (error) {
      if (Failure.from(error).kind === 'ECONNREFUSED') rmSync(place, { force: true });
    }
  }
  return found.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
}

/**
 * Ends those at a server (Description.server) that no command uses, whatever they call it, as each has one of its places: of `user`, or
 * of whichever account. Returns whether there were any, when they have logged out.
 */
export async function endIdleMasters(server: string, user?: string): Promise<boolean> {
  const idle = (await masters()).filter(
    (one) =>
      one.server === server &&
      one.commands === 0 &&
      (user === undefined || one.account.startsWith(`${user}@`)),
  );
  for (const { place } of idle) await endIdleMaster(place).catch(() => undefined);
  return idle.length > 0;
}

/** By account, that of the own home first. */
function orderOf({ account, share }: Description): string {
  return `${account}/${share ?? ''}`;
}

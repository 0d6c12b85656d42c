/** `ftpctl ban`, `unban` and `bans`: networks that nobody may connect from. */
import { formatEnd, formatTime } from '../../state/times.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { administer, withState } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface BanOptions extends StateOptions {
  /** Milliseconds; missing: for ever. */
  readonly for?: number;
}

/** Returns the exit code. */
export async function ban(addressOrNetwork: string, options: BanOptions): Promise<number> {
  const until = options.for === undefined ? null : Date.now() + options.for;
  const { network, closedSessions } = await administer(options, 'change', (administration) =>
    administration.ban(addressOrNetwork, until),
  );
  const time = until === null ? '' : ` until ${formatTime(until)}`;
  await writeOut(`${network} is banned${time}, sessions that ended: ${closedSessions}\n`);
  return 0;
}

/** Returns the exit code. */
export async function unban(addressOrNetwork: string, options: StateOptions): Promise<number> {
  const network = await administer(options, 'change', (administration) =>
    administration.unban(addressOrNetwork),
  );
  await writeOut(`${network} is not banned any more\n`);
  return 0;
}

export interface BansOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function listBans(options: BansOptions): Promise<number> {
  const bans = await withState(options, 'read', async (state) => state.bans.list());
  if (options.json === true) {
    const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
    for (const { network, since, until } of bans) {
      await writeOut(`${JSON.stringify({ network, since: iso(since), until: iso(until) })}\n`);
    }
    return 0;
  }
  const rows = bans.map(({ network, since, until }) => [network, formatTime(since), formatEnd(until)]);
  const lines = formatTable([['Network', 'Since', 'Until'], ...rows], ['left', 'left', 'left']);
  await writeOut(`${lines.join('\n')}\n`);
  return 0;
}

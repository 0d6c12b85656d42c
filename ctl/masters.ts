/**
 * `ftpctl master list` and `ftpctl master exit [[USER@]HOST...]`: the sessions that are kept for the next commands
 * (ctl/master/master.ts).
 */
import { Failure } from '../protocol/failure.js';
import { parseTarget } from '../client/target.js';
import { endMaster } from './master/greeting.js';
import { masters } from './master/masters.js';
import { writeOut } from './output/stdout.js';
import { formatTable } from './output/table.js';
import { accountOf, endpointOf, homeText } from './remote/endpoint.js';

/** Returns the exit code. */
export async function masterList(): Promise<number> {
  const rows = (await masters()).map(({ account, share, pid, commands, idleLimit }) => [
    homeText({ account, share }),
    String(pid),
    commands === 0 ? 'not in use' : `in use: ${commands}`,
    `ends after ${idleLimit} s without a command`,
  ]);
  for (const line of formatTable(rows, ['left', 'right', 'left', 'left'])) await writeOut(`${line}\n`);
  return 0;
}

/** Ends those of the servers named, all without a name. Returns the exit code. Throws ENOENT where one has none. */
export async function masterExit(
  servers: readonly string[],
  options: { readonly port?: number },
): Promise<number> {
  const all = await masters();
  const asked = servers.map((server) => accountOf(endpointOf(parseTarget(server), options)));
  const missing = asked.find((account) => !all.some((one) => one.account === account));
  if (missing !== undefined) throw new Failure('ENOENT', `no session of ${missing} is kept`);
  for (const { account, place } of all) {
    if (servers.length === 0 || asked.includes(account)) await endMaster(place).catch(() => undefined);
  }
  return 0;
}

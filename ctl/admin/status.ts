/** `ftpctl status [--json]`: what the running daemon does: sessions, queue, workers, use of the homes that are open. */
import { printable } from '../../program/report.js';
import type { DaemonStatus } from '../../state/control.js';
import { formatBandwidth } from '../../state/bandwidth.js';
import { writeOut } from '../output/stdout.js';
import { formatTable } from '../output/table.js';
import { formatDuration, formatSize } from '../../state/sizes.js';
import { requireDaemon } from './state-access.js';
import type { StateOptions } from './state-option.js';

export interface StatusOptions extends StateOptions {
  readonly json?: boolean;
}

/** Returns the exit code. */
export async function status(options: StatusOptions): Promise<number> {
  const daemon = await requireDaemon(options, { type: 'status' });
  await writeOut(`${options.json === true ? JSON.stringify(daemon) : lines(daemon)}\n`);
  return 0;
}

function lines(daemon: DaemonStatus): string {
  const { version, pid, address, bandwidth, sessions, maxSessions, queued, maxQueue, workers, uses } = daemon;
  const silent = daemon.silentWorkers.map((worker) => `, worker ${worker} does not answer`);
  const rate = bandwidth === 0 ? '' : `, bandwidth ${formatBandwidth(bandwidth)}`;
  const age = (since: number): string => formatDuration((Date.now() - since) / 1000);
  const summary = [
    `ftpmountd ${version}, process ${pid}, on ${address}, up ${age(daemon.startedAt)}`,
    `${sessions.length} of ${maxSessions} sessions, ${queued} of ${maxQueue} waiting, ${workers} workers${silent.join('')}${rate}`,
  ];
  const sessionRows = sessions.map(({ user, share, peer, program, since }) => [
    user,
    share ?? '-',
    peer,
    printable(program),
    age(since),
  ]);
  const useRows = uses.map(({ home, bytes, files }) => [home, formatSize(bytes), String(files)]);
  return [
    ...summary,
    ...section([['User', 'Share', 'Peer', 'Program', 'Since'], ...sessionRows]),
    ...section([['Home', 'Used', 'Files'], ...useRows]),
  ].join('\n');
}

/** Nothing where there is but the head. */
function section(rows: readonly (readonly string[])[]): string[] {
  return rows.length === 1
    ? []
    : [
        '',
        ...formatTable(
          rows,
          (rows[0] ?? []).map(() => 'left' as const),
        ),
      ];
}

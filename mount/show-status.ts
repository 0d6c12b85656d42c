/** `ftpmount status MOUNTPOINT`: what a mount holds, what is on its way, what was lost; as text or as JSON. */
import { askStatus, type HomeStatus, type MountStatus, type ShareStatus } from './control.js';
import { mountedPath } from './fuse/mountinfo.js';

const LEASES: Readonly<Record<MountStatus['lease'], string>> = {
  home: 'the whole home: changes are answered at once',
  parts: 'parts of the home: what others use is asked for',
  none: 'none: every change waits for the server',
};

/** Throws ENOENT where nothing of ours is mounted. Never touches the mount. */
export async function showStatus(mountpoint: string, json: boolean): Promise<string> {
  const { status, close } = await askStatus(mountedPath(mountpoint));
  close();
  return `${json ? JSON.stringify(status) : statusText(status)}\n`;
}

function statusText(status: MountStatus): string {
  return [
    `Server:      ${status.server}`,
    `Connection:  ${connectionText(status)}`,
    `Lease:       ${LEASES[status.lease]}`,
    `Not sent:    ${amount(status.unsent)}`,
    `Not durable: ${amount(status.undurable)}`,
    `Losses:      ${status.losses === 0 ? 'none' : `${status.losses} operations, see the log`}`,
    `Conflicts:   ${status.conflicts === 0 ? 'none' : `${status.conflicts}, see the log and NAME.conflict-DATE-HOST`}`,
    ...status.shares.map(shareText),
  ].join('\n');
}

function connectionText({ connection: { state, since, reason } }: HomeStatus): string {
  return `${state} since ${new Date(since).toISOString()}${reason === undefined ? '' : `: ${reason}`}`;
}

/** One line of a share. What it has is in the sums above, too. */
function shareText(share: ShareStatus): string {
  const { name, unsent, losses, conflicts } = share;
  const counts = [`${amount(unsent)} not sent`];
  if (losses > 0) counts.push(`${losses} lost`);
  if (conflicts > 0) counts.push(`${conflicts} conflicts`);
  return `Share:       ${name}, ${connectionText(share)}; ${counts.join(', ')}`;
}

/** '3 operations, 12.0 KiB' */
export function amount({ operations, bytes }: MountStatus['unsent']): string {
  return `${operations} operation${operations === 1 ? '' : 's'}, ${sizeText(bytes)}`;
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB'] as const;

function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

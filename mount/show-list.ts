/** `ftpmount list`: the mounts of this user on this machine, as text or as JSON. Never touches a mount, which may hang. */
import { printable } from '../program/report.js';
import { Failure } from '../protocol/failure.js';
import { askAll, askStatus, type MountStatus } from './control.js';
import { allMounts, MOUNT_TYPE, type Mount } from './fuse/mountinfo.js';
import { wasKilled } from './killed-process.js';
import { amount } from './show-status.js';

/** One of them. */
interface Listed {
  readonly server: string;
  readonly mountpoint: string;
  /** Null where the process that served it is gone. */
  readonly pid: number | null;
  readonly state: 'connected' | 'lost' | 'ending' | 'silent' | 'dead';
  readonly text: string;
}

export async function showList(json: boolean): Promise<string> {
  const served = (await askAll()).map(ofStatus);
  const others = allMounts()
    .filter(({ type, owner, mountpoint }) => {
      const isOwn = type === MOUNT_TYPE && owner === process.getuid?.();
      return isOwn && !served.some((one) => one.mountpoint === mountpoint && one.state !== 'ending');
    })
    .map(ofSilent);
  return [...served, ...(await Promise.all(others))]
    .toSorted((a, b) => (a.mountpoint < b.mountpoint ? -1 : 1))
    .map((one) => `${json ? jsonOf(one) : line(one)}\n`)
    .join('');
}

/** Of a mount whose status is not told. */
async function ofSilent({ source, mountpoint }: Mount): Promise<Listed> {
  const mount = { server: source, mountpoint, pid: null };
  try {
    const { status, close } = await askStatus(mountpoint);
    close();
    return ofStatus(status); // it has begun meanwhile
  } catch (error) {
    return Failure.from(error).kind === 'ETIMEDOUT' && !wasKilled(mountpoint)
      ? { ...mount, state: 'silent', text: `its process does not answer: ftpmount -u -z '${mountpoint}'` }
      : { ...mount, state: 'dead', text: `nobody serves it any more: ftpmount -u '${mountpoint}'` };
  }
}

function ofStatus({ server, mountpoint, pid, connection, ending, unsent }: MountStatus): Listed {
  const mount = { server, mountpoint, pid };
  if (ending) return { ...mount, state: 'ending', text: `unmounted, ${amount(unsent)} not sent yet` };
  const reason = connection.reason === undefined ? '' : `: ${connection.reason}`;
  const text = connection.state === 'connected' ? 'connected' : `connection lost${reason}`;
  return { ...mount, state: connection.state, text };
}

function line({ server, mountpoint, pid, text }: Listed): string {
  const process = pid === null ? '' : ` (process ${pid})`;
  return printable(`${server} on ${mountpoint}${process}: ${text}`);
}

function jsonOf({ server, mountpoint, pid, state }: Listed): string {
  return JSON.stringify({ server, mountpoint, pid, state });
}

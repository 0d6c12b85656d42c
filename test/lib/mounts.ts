/*
 * What the kernel says about mounts, and how to get rid of one that hangs. Only /proc and /sys are read: looking at
 * a mount whose server hangs would block.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './run.js';

export interface MountEntry {
  readonly mountpoint: string;
  /** Minor device number: for FUSE the number of its connection under /sys/fs/fuse/connections. */
  readonly minor: number;
  /** As in /proc/mounts, `fuse.ftpmount` for one. */
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The mount on top of `mountpoint` (an absolute path without symlinks), if there is one. */
export function mountAt(mountpoint: string): MountEntry | undefined {
  return mounts().findLast((entry) => entry.mountpoint === mountpoint);
}

/** Every mount of this process's namespace, in the order of mounting (proc(5), mountinfo). */
export function mounts(): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , device = '', , mountpoint = '', options = ''] = left?.split(' ') ?? [];
    const [type = '', source = '', superOptions = ''] = right?.split(' ') ?? [];
    if (type === '') continue;
    entries.push({
      mountpoint: unescape(mountpoint),
      minor: Number(device.split(':')[1]),
      type,
      source: unescape(source),
      options: [...options.split(','), ...superOptions.split(',')],
    });
  }
  return entries;
}

/** Waits until something is mounted at `mountpoint`; false when `given up` turns true or the time is over. */
export async function untilMounted(
  mountpoint: string,
  givenUp: () => boolean,
  patienceMs: number,
): Promise<boolean> {
  // /proc/self/mountinfo announces changes by POLLPRI only, which node cannot wait for.
  for (const end = Date.now() + patienceMs; Date.now() < end && !givenUp(); await delay(POLL_MS))
    if (mountAt(mountpoint)) return true;
  return false;
}

/** Takes a FUSE mount away whatever state its server is in; without one nothing happens. */
export async function forceUnmount(mountpoint: string): Promise<void> {
  const entry = mountAt(mountpoint);
  if (!entry) return;
  try {
    writeFileSync(`/sys/fs/fuse/connections/${entry.minor}/abort`, '1');
  } catch {
    // Only root may abort, and the connection may have ended by itself.
  }
  const unmounted = await run('umount', ['-l', mountpoint]);
  if (unmounted.code !== 0) await run('fusermount3', ['-uz', mountpoint]);
}

const POLL_MS = 10;

/** mountinfo writes space, tab, newline and backslash as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

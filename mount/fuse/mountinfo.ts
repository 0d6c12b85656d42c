/**
 * The mount table of this process, read from /proc/self/mountinfo (proc(5)). It tells what is mounted where without
 * touching any mount: a stat(2) of a mount whose server hangs would hang, too.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** One line of mountinfo. */
export interface Mount {
  /** Absolute path. */
  readonly mountpoint: string;
  /** 'ext4', 'fuse.ftpmount'. */
  readonly type: string;
  /** What df shows in its first column. */
  readonly source: string;
  /** 'MAJOR:MINOR', the st_dev of its files. */
  readonly device: string;
  /** The uid of who mounted it, if it is a FUSE file system. */
  readonly owner: number | undefined;
}

/** What mountinfo calls the type of our mounts: FUSE's, and their own. */
export const MOUNT_SUBTYPE = 'ftpmount';
export const MOUNT_TYPE = `fuse.${MOUNT_SUBTYPE}`;

/** Spaces, tabs, newlines and backslashes are written as three octal digits. The result's characters are bytes. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Reads the table's text (as latin1, because paths are bytes). Lines that it does not understand are left out. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    // 36 35 98:0 /root /mount/point rw,noatime master:1 - type source options
    const [before, after] = line.split(' - ');
    const [, , device, , mountpoint] = before?.split(' ') ?? [];
    const [type, source, options = ''] = after?.split(' ') ?? [];
    if (device === undefined || mountpoint === undefined || type === undefined || source === undefined)
      continue;
    const owner = /(?:^|,)user_id=(\d+)/.exec(options)?.[1];
    mounts.push({
      ...{ mountpoint: asPath(unescape(mountpoint)), type, source: asPath(unescape(source)), device },
      owner: owner === undefined ? undefined : Number(owner),
    });
  }
  return mounts;
}

function asPath(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}

/** The mount on top of others at an absolute path without symlinks, if any. */
export function mountAt(mountpoint: string): Mount | undefined {
  return allMounts().findLast((mount) => mount.mountpoint === mountpoint);
}

export function allMounts(): Mount[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'latin1'));
}

/**
 * A mount point as the mount table has it: absolute, without symlinks. The mount itself is not touched, for it may hang: only
 * its parent is resolved.
 */
export function mountedPath(mountpoint: string): string {
  const absolute = resolve(mountpoint);
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    // The parent does not exist: nothing is mounted there either.
    return absolute;
  }
}

/**
 * Makes a directory a mount point and frees it again: by mount(2) as root, through fusermount3 as anybody else.
 *
 * Invariant: no function here looks at the mount itself once it is mounted, because the process that asks is the one
 * that would have to answer; what is mounted where is read from mountinfo.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, realpathSync, writeFileSync } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure } from '../../protocol/failure.js';
import { PosixError } from '../../posix/error.js';
import { fd, type Fd } from '../../posix/fd.js';
import {
  MNT_DETACH,
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REMOUNT,
  UMOUNT_NOFOLLOW,
} from '../../posix/flags.js';
import { mount, umount2Async } from '../../posix/mounting.js';
import { escapeOptionValue, fusermountMount, fusermountUnmount } from './fusermount.js';
import { MOUNT_SUBTYPE, MOUNT_TYPE, mountAt } from './mountinfo.js';
import { MAX_WRITE } from './negotiate.js';

const DEVICE = '/dev/fuse';

/** What mount(8) calls options. All default to off. */
export interface MountFlags {
  readonly readOnly?: boolean;
  /** Other users may enter; ordinary users need user_allow_other in /etc/fuse.conf for it. */
  readonly allowOther?: boolean;
  /** The kernel checks permission bits; else it asks the file system. */
  readonly defaultPermissions?: boolean;
  /** Mount over a directory that has entries, which it hides. */
  readonly nonempty?: boolean;
  readonly noexec?: boolean;
  readonly noatime?: boolean;
  /** Root only: setuid programs and device nodes of the mount work. Think twice: the server decides what is one. */
  readonly suid?: boolean;
  readonly dev?: boolean;
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The absolute path without symlinks of a directory that can be mounted on. Throws a Failure: ENOENT, ENOTDIR,
 * ENOTEMPTY, EBUSY (a FUSE file system is there already), EACCES.
 */
export async function checkMountpoint(path: string, flags: MountFlags): Promise<string> {
  const absolute = resolve(path);
  // A FUSE mount there may be dead or hang: its parent is resolved instead, and compared by name.
  await refuseMounted(join(realpath(dirname(absolute), path), basename(absolute)));
  const real = realpath(absolute, path);
  await refuseMounted(real);
  const status = await stat(real).catch((error: unknown) => refuse(error, path));
  if (!status.isDirectory()) {
    throw new Failure('ENOTDIR', `mount point '${path}' is not a directory: give a directory`);
  }
  if (flags.nonempty !== true && !(await isEmpty(real, path))) {
    throw new Failure(
      'ENOTEMPTY',
      `mount point '${path}' is not empty: use an empty directory, or -o nonempty`,
    );
  }
  return real;
}

/** A mount that was left behind when its process was killed is taken away; any other FUSE mount is EBUSY. */
async function refuseMounted(mountpoint: string): Promise<void> {
  const mounted = mountAt(mountpoint);
  if (mounted?.type.startsWith('fuse') !== true) return;
  if (mounted.type === MOUNT_TYPE && (await isDead(mountpoint))) return detach(mountpoint, true);
  throw new Failure(
    'EBUSY',
    `'${mountpoint}' is already mounted (${mounted.source}): unmount it first with ftpmount -u`,
  );
}

/** How long a mount may take to answer before it counts as alive (milliseconds): it may be waiting for its server. */
const ALIVE_MS = 2_000;

/** Whether the process of a mount is gone: the kernel says so at once. Asked by another process, as a mount may hang. */
function isDead(mountpoint: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { timeout: ALIVE_MS, env: { ...process.env, LC_ALL: 'C' } };
    execFile('stat', ['--', mountpoint], options, (_error, _out, complaint) => {
      resolve(complaint.includes('not connected'));
    });
  });
}

function realpath(path: string, asked: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    return refuse(error, asked);
  }
}

async function isEmpty(directory: string, asked: string): Promise<boolean> {
  const listing = await opendir(directory).catch((error: unknown) => refuse(error, asked));
  try {
    return (await listing.read()) === null;
  } finally {
    await listing.close();
  }
}

function refuse(error: unknown, path: string): never {
  const { kind } = Failure.from(error);
  switch (kind) {
    case 'ENOENT':
      throw new Failure(kind, `mount point '${path}' does not exist: create the directory first`);
    case 'ENOTDIR':
      throw new Failure(kind, `mount point '${path}' is not a directory: give a directory`);
    case 'ENOTCONN':
      throw new Failure('EBUSY', `'${path}' is a mount whose server died: unmount it first with ftpmount -u`);
    default:
      throw new Failure(kind, `mount point '${path}' cannot be used (${kind}): choose another directory`);
  }
}

/** Mounts on a path of checkMountpoint; `source` is shown by df. Returns the descriptor of /dev/fuse. */
export async function attach(mountpoint: string, source: string, flags: MountFlags): Promise<Fd> {
  return isRoot() ? attachAsRoot(mountpoint, source, flags) : attachAsUser(mountpoint, source, flags);
}

function attachAsRoot(mountpoint: string, source: string, flags: MountFlags): Fd {
  const device = openDevice();
  const ids = `user_id=${process.geteuid?.() ?? 0},group_id=${process.getegid?.() ?? 0}`;
  const data = [`fd=${device}`, 'rootmode=40000', ids, ...kernelOptions(flags)].join(',');
  try {
    mount(source, mountpoint, MOUNT_TYPE, bitsOf(flags), data);
    return device;
  } catch (error) {
    closeSync(device);
    if (!(error instanceof PosixError)) throw error;
    const { kind } = Failure.from(error);
    const advice =
      kind === 'EPERM' ? 'a container needs the capability SYS_ADMIN' : 'see the kernel log (dmesg) for more';
    throw new Failure(kind, `cannot mount on '${mountpoint}' (${error.code}): ${advice}`, { cause: error });
  }
}

/**
 * Gives a mount other flags (mount(8), `-o remount`): what FUSE itself was told stays as it is. EINVAL where there is no such
 * mount; EPERM.
 */
export function remount(mountpoint: string, flags: MountFlags): void {
  const mounted = mountAt(mountpoint);
  if (mounted?.type !== MOUNT_TYPE)
    throw new Failure('EINVAL', `'${mountpoint}' is no mount of ftpmount: mount it first`);
  if (!isRoot())
    throw new Failure('EPERM', 'only root can change a mount: unmount it, and mount it otherwise');
  mount(mounted.source, mountpoint, MOUNT_TYPE, MS_REMOUNT | bitsOf(flags), '');
}

function bitsOf(flags: MountFlags): number {
  let bits = 0;
  if (flags.suid !== true) bits |= MS_NOSUID;
  if (flags.dev !== true) bits |= MS_NODEV;
  if (flags.readOnly === true) bits |= MS_RDONLY;
  if (flags.noexec === true) bits |= MS_NOEXEC;
  if (flags.noatime === true) bits |= MS_NOATIME;
  return bits;
}

function openDevice(): Fd {
  try {
    return fd(openSync(DEVICE, constants.O_RDWR));
  } catch (error) {
    const { kind } = Failure.from(error);
    const advice =
      kind === 'EPERM' || kind === 'EACCES'
        ? 'a container needs it passed on, as docker --device /dev/fuse does'
        : 'load the kernel module (modprobe fuse), or pass the device on to the container';
    throw new Failure('ENODEV', `cannot open ${DEVICE} (${kind}): ${advice}`, { cause: error });
  }
}

function attachAsUser(mountpoint: string, source: string, flags: MountFlags): Promise<Fd> {
  const options = [
    `fsname=${escapeOptionValue(source)}`,
    `subtype=${MOUNT_SUBTYPE}`,
    ...kernelOptions(flags),
  ];
  if (flags.readOnly === true) options.push('ro');
  if (flags.noexec === true) options.push('noexec');
  if (flags.noatime === true) options.push('noatime');
  return fusermountMount(mountpoint, options); // adds nosuid and nodev by itself
}

/** Options of FUSE itself (Documentation/filesystems/fuse.rst). */
function kernelOptions(flags: MountFlags): string[] {
  const options = [`max_read=${MAX_WRITE}`];
  if (flags.allowOther === true) options.push('allow_other');
  if (flags.defaultPermissions === true) options.push('default_permissions');
  return options;
}

/**
 * Unmounts; `lazy` also what is in use. Throws a Failure: EBUSY (in use), EINVAL (nothing mounted there), EPERM
 * (mounted by somebody else). Not on the main thread, because the kernel may ask the server while it unmounts.
 */
export async function detach(mountpoint: string, lazy: boolean): Promise<void> {
  if (!isRoot()) return fusermountUnmount(mountpoint, lazy);
  try {
    // Not through a link that somebody put there.
    await umount2Async(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
  } catch (error) {
    const { kind } = Failure.from(error);
    throw new Failure(
      kind,
      `cannot unmount '${mountpoint}' (${kind})${kind === 'EBUSY' ? ': it is in use' : ''}`,
    );
  }
}

/**
 * Lets the kernel read ahead as far as one request can carry, where we may (root): it grants 128 KiB by itself.
 * Reading a file in memory in sequence: 1.8-2.9 GB/s instead of 0.9-1.9. Possible once FUSE_INIT is answered.
 */
export function raiseReadahead(mountpoint: string): void {
  const device = mountAt(mountpoint)?.device;
  if (device === undefined || !isRoot()) return;
  try {
    writeFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, String(MAX_WRITE / 1024));
  } catch {
    // A read-only /sys: then 128 KiB it is.
  }
}

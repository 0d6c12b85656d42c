/* A daemon whose homes and state are on a disk that loses its power, and each time it is another boot of the machine. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Daemon, UserLimits } from './daemon.js';
import { startDaemon } from './daemon.js';
import { temporaryDirectory } from './directory.js';
import { DiskImage } from './disk-image.js';
import type { Scope } from './scope.js';

export interface DaemonOnDisk {
  readonly daemon: Daemon;
  /** Leaves the disk as it was at that moment, and the daemon dead. */
  cutPower(others?: OtherPrograms): Promise<void>;
}

/** Those that work meanwhile. */
export interface OtherPrograms {
  /** The daemon answers nothing any more. */
  readonly stopped: () => void;
  /** Resolves when they have ended, without a daemon. */
  readonly ended: () => Promise<unknown>;
}

/** As root. */
export async function startDaemonOnDisk(
  scope: Scope,
  users: Readonly<Record<string, UserLimits>>,
): Promise<DaemonOnDisk> {
  const disk = await DiskImage.mounted(scope);
  const boot = path.join(temporaryDirectory(scope), 'boot_id');
  const anotherBoot = (): void => writeFileSync(boot, `${randomUUID()}\n`);
  anotherBoot();
  const within = ['unshare', '--mount', 'sh', '-c', BOOTED, boot];
  const daemon = await startDaemon(scope, { users, directory: disk.mountpoint, within });
  return {
    daemon,
    async cutPower(others) {
      await disk.cutPower(
        () => {
          process.kill(daemon.service.pid, 'SIGSTOP');
          others?.stopped();
        },
        async () => {
          await daemon.kill();
          await others?.ended();
        },
      );
      anotherBoot();
    },
  };
}

/* $0 the file with the id of the boot, then what is to see it. */
const BOOTED = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"';

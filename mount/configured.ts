/*
 * `ftpmount --all` and `ftpmount -u --all`: the mounts of the client's config.toml, one after the other, as each may ask for a
 * password. What is mounted (or not) already is left alone, and one that fails does not keep the others.
 */
import { Failure } from '../protocol/failure.js';
import { readClientConfig, type ConfiguredMount } from '../client/config.js';
import { clientFiles } from '../client/files.js';
import { EXIT_OK } from '../program/exit-codes.js';
import { printable, report } from '../program/report.js';
import { serveInBackground } from './background.js';
import { askStatus } from './control.js';
import { MOUNT_TYPE, mountAt, mountedPath } from './fuse/mountinfo.js';
import type { MountRequest } from './request.js';
import { unmount } from './unmount.js';

/** Returns the exit code: that of the first that failed. Throws USAGE where there are none. */
export function mountAll(requestOf: (mount: ConfiguredMount) => MountRequest): Promise<number> {
  return forEachMount('was not mounted', async (mount) =>
    (await isServed(mount.mountpoint)) ? EXIT_OK : serveInBackground(requestOf(mount)),
  );
}

/** As mountAll. */
export function unmountAll(lazy: boolean): Promise<number> {
  return forEachMount('was not unmounted', async ({ mountpoint }) => {
    if (isMounted(mountpoint)) await unmount(mountpoint, lazy);
    return EXIT_OK;
  });
}

async function forEachMount(
  failed: string,
  act: (mount: ConfiguredMount) => Promise<number>,
): Promise<number> {
  const { config } = clientFiles();
  const { mounts } = readClientConfig(config);
  if (mounts.length === 0) {
    throw new Failure(
      'USAGE',
      `there are no mounts in ${config}: [mounts."~/remote"], and source = "alice@host"`,
    );
  }
  let exitCode = EXIT_OK;
  for (const mount of mounts) {
    const code = await act(mount).catch((error: unknown) => report('ftpmount', error));
    if (code !== EXIT_OK) process.stderr.write(`ftpmount: '${printable(mount.mountpoint)}' ${failed}\n`);
    exitCode ||= code;
  }
  return exitCode;
}

function isMounted(mountpoint: string): boolean {
  return mountAt(mountedPath(mountpoint))?.type === MOUNT_TYPE;
}

/** One whose process was killed is mounted, and served by nobody: it is mounted anew. */
async function isServed(mountpoint: string): Promise<boolean> {
  if (!isMounted(mountpoint)) return false;
  try {
    const { close } = await askStatus(mountedPath(mountpoint));
    close();
    return true;
  } catch {
    return false;
  }
}

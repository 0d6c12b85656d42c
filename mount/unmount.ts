/**
 * `ftpmount -u`: unmounts as umount and fusermount3 do, and waits for the process that serves the mount, which notices, sends
 * what is left and ends by itself. It also works where that process is dead, or hangs (-z).
 */
import { Failure } from '../protocol/failure.js';
import { askAll, askStatus, type Serving } from './control.js';
import { abortConnection } from './fuse/abort.js';
import { mountAt, mountedPath } from './fuse/mountinfo.js';
import { detach } from './fuse/mountpoint.js';
import { releaseKilled } from './killed-process.js';
import { amount } from './show-status.js';

/** After so long (milliseconds), and each time again, the terminal is told how much is left. */
const TELL_MS = 1_000;

/**
 * Unmounts, and waits until the process that served the mount has sent everything and ended. Throws USAGE where nothing of
 * ours is mounted, EBUSY while it is in use.
 */
export async function unmount(mountpoint: string, lazy: boolean): Promise<void> {
  const path = mountedPath(mountpoint);
  const mounted = mountAt(path);
  if (mounted?.type.startsWith('fuse') !== true) {
    throw new Failure('USAGE', `'${mountpoint}' is not mounted: findmnt -t fuse.ftpmount shows what is`);
  }
  const released = releaseKilled(mountpoint);
  // Before: the process listens as long as it lives, and may be gone a moment after.
  let isSilent = false;
  const serving = await askStatus(path).catch((error: unknown) => {
    isSilent = Failure.from(error).kind === 'ETIMEDOUT';
    return undefined;
  });
  if (isSilent && !lazy) {
    const advice = `unmount it lazily with -u -z, which ends what waits for it`;
    throw new Failure('ETIMEDOUT', `the process that serves '${mountpoint}' does not answer: ${advice}`);
  }
  try {
    // Who waited in what was released is on the way out.
    await detach(path, lazy || released);
  } catch (thrown) {
    serving?.close();
    const failure = Failure.from(thrown);
    if (failure.kind !== 'EBUSY') throw failure;
    const advice = `leave it (fuser -vm '${path}' shows who is there), or unmount it lazily with -u -z`;
    throw new Failure('EBUSY', `'${mountpoint}' is in use: ${advice}`, { cause: failure });
  }
  // What it has not sent is kept by its process, where that goes on.
  if (isSilent) abortConnection(mounted);
  if (serving === undefined) return;
  if (lazy) serving.close();
  else await ended(serving);
}

async function ended({ status: { pid }, ended: end }: Serving): Promise<void> {
  const tell = setInterval(() => {
    askAll().then(
      (all) => {
        const left = all.find((status) => status.pid === pid)?.undurable;
        if (left !== undefined) process.stderr.write(`ftpmount: sending what is left: ${amount(left)}\n`);
      },
      () => undefined,
    );
  }, TELL_MS);
  try {
    await end;
  } finally {
    clearInterval(tell);
  }
}

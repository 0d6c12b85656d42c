/**
 * `ftpmount -u`: unmounts as umount and fusermount3 do. The process that serves the mount notices, writes back and
 * ends by itself; nothing is asked of it, so this also works when it hangs.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Failure } from '../protocol/failure.js';
import { mountAt } from './fuse/mountinfo.js';
import { detach } from './fuse/mountpoint.js';

/**
 * Unmounts. Throws USAGE where nothing of ours is mounted, EBUSY while it is in use. Never touches the mount: a hanging
 * one would hang this process too, so only its parent directory is resolved.
 */
export async function unmount(mountpoint: string, lazy: boolean): Promise<void> {
  const absolute = resolve(mountpoint);
  let path = absolute;
  try {
    path = join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    // The parent does not exist: mountAt finds nothing either.
  }
  if (mountAt(path)?.type.startsWith('fuse') !== true) {
    throw new Failure('USAGE', `'${mountpoint}' is not mounted: findmnt -t fuse.ftpmount shows what is`);
  }
  try {
    await detach(path, lazy);
  } catch (thrown) {
    const failure = Failure.from(thrown);
    if (failure.kind !== 'EBUSY') throw failure;
    const advice = `leave it (fuser -vm '${path}' shows who is there), or unmount it lazily with -u -z`;
    throw new Failure('EBUSY', `'${mountpoint}' is in use: ${advice}`, { cause: failure });
  }
}

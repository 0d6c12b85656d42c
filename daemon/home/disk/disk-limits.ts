/*
 * What a home's disk can keep, tried out on a file of the daemon's own, as no call tells it.
 */
import type { Fd } from '../../../posix/fd.js';
import { ftruncate } from '../../../posix/files.js';
import { unlinkat, utimensOpen } from '../../../posix/names.js';
import { statxFd } from '../../../posix/status.js';
import { UNLIMITED_DISK, type DiskLimits } from '../../../protocol/disk-limits.js';
import { Failure } from '../../../protocol/failure.js';
import { NANOSECONDS, UNLIMITED_TIMES, type TimeLimits } from '../../../protocol/time-limits.js';
import { OWN_NAMES } from '../../../state/home-layout.js';
import { closing, type ConfinedTree } from './confined.js';

/** What is left of these nanoseconds lacks exactly a step. */
const LAST_NANOSECOND = NANOSECONDS - 1;

/**
 * Where one cannot be tried (a disk that is read-only, or full, or refuses in its own way), it is not known to be limited.
 * `truncate`: for tests.
 */
export function limitsOfDisk(tree: ConfinedTree, truncate = ftruncate): DiskLimits {
  return orUnlimited(UNLIMITED_DISK, () =>
    closing(tree.makeOwnFile(OWN_NAMES.limits), (fd) => {
      // Nobody sees it while it is as large as can be, nor does a daemon that is killed leave it so.
      closing(tree.makeReserved(), (reserved) => unlinkat(reserved, OWN_NAMES.limits, 0));
      return {
        times: orUnlimited(UNLIMITED_DISK.times, () => timesTried(fd)),
        largestFile: orUnlimited(UNLIMITED_DISK.largestFile, () => largestTried(fd, truncate)),
      };
    }),
  );
}

function orUnlimited<T>(unlimited: T, tried: () => T): T {
  try {
    return tried();
  } catch {
    return unlimited;
  }
}

function timesTried(fd: Fd): TimeLimits {
  utimensOpen(fd, { sec: UNLIMITED_TIMES.first, nsec: 0 }, { sec: UNLIMITED_TIMES.last, nsec: 0 });
  const { atime, mtime } = statxFd(fd);
  utimensOpen(fd, undefined, { sec: 0, nsec: LAST_NANOSECOND });
  const step = NANOSECONDS - statxFd(fd).mtime.nsec;
  utimensOpen(fd, 'now', 'now');
  return { first: atime.sec, last: mtime.sec, step };
}

/** Halves what is in question 53 times at most: a quarter of a millisecond on ext4. */
function largestTried(fd: Fd, truncate: typeof ftruncate): number {
  let possible = 1;
  let tooLarge = UNLIMITED_DISK.largestFile + 1;
  while (tooLarge - possible > 1) {
    const size = possible + Math.floor((tooLarge - possible) / 2);
    if (takes(() => truncate(fd, size))) possible = size;
    else tooLarge = size;
  }
  return possible;
}

function takes(grow: () => void): boolean {
  try {
    grow();
    return true;
  } catch (error) {
    if (Failure.from(error).kind !== 'EFBIG') throw error;
    return false;
  }
}

/*
 * Which times a home's disk can keep: tried out on a file of the daemon's own, as no call tells it.
 */
import type { Fd } from '../../posix/fd.js';
import { utimensOpen } from '../../posix/names.js';
import { statxFd } from '../../posix/status.js';
import { NANOSECONDS, UNLIMITED_TIMES, type TimeLimits } from '../../protocol/time-limits.js';
import { OWN_NAMES } from '../../state/home-layout.js';
import { closing, type ConfinedTree } from './confined.js';

/** What is left of these nanoseconds lacks exactly a step. */
const LAST_NANOSECOND = NANOSECONDS - 1;

/** Where it cannot be tried (a disk that is read-only, or full), nothing is known to be limited. */
export function diskTimes(tree: ConfinedTree): TimeLimits {
  try {
    return closing(tree.makeOwnFile(OWN_NAMES.times), tried);
  } catch {
    return UNLIMITED_TIMES;
  }
}

function tried(fd: Fd): TimeLimits {
  utimensOpen(fd, { sec: UNLIMITED_TIMES.first, nsec: 0 }, { sec: UNLIMITED_TIMES.last, nsec: 0 });
  const { atime, mtime } = statxFd(fd);
  utimensOpen(fd, undefined, { sec: 0, nsec: LAST_NANOSECOND });
  const step = NANOSECONDS - statxFd(fd).mtime.nsec;
  utimensOpen(fd, 'now', 'now');
  return { first: atime.sec, last: mtime.sec, step };
}

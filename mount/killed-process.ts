/**
 * A process that was killed and still holds its mount. A thread of it that tells the kernel of a name waits, and not even SIGKILL ends
 * that, for a directory that a program has locked, which waits for an answer of that process; and the connection to the kernel ends
 * with the last thread only. So both, and who comes to the mount point, would wait for ever.
 */
import { readFileSync } from 'node:fs';
import { servingProcesses } from './control.js';
import { abortConnection } from './fuse/abort.js';
import { mountAt, mountedPath, MOUNT_TYPE } from './fuse/mountinfo.js';

/** Ends the connection of a mount of ours whose process was killed, and whether there was one; what else is mounted is left alone. */
export function releaseKilled(mountpoint: string): boolean {
  const path = mountedPath(mountpoint);
  const mounted = mountAt(path);
  if (mounted?.type !== MOUNT_TYPE || !wasKilled(path)) return false;
  abortConnection(mounted);
  return true;
}

/** Whether the process that served a mount was killed, and a thread of it is there; and no other process serves one there. */
export function wasKilled(mountpoint: string): boolean {
  const states = servingProcesses(mountpoint).map(stateOf);
  return states.includes('Z') && states.every((state) => state === 'Z' || state === undefined);
}

/** proc(5): the state is behind the name, which may hold anything. Who leads the threads is a zombie until the last has ended. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /s, '')[0];
  } catch {
    return undefined; // it has ended
  }
}

/**
 * Taking a mount's connection to the kernel away (/sys/fs/fuse/connections, Documentation/filesystems/fuse.rst): who waits for an
 * answer gets ENOTCONN. It is what frees programs whose server cannot even be killed: a thread of it that tells the kernel of a name
 * waits for the directory, which a program has locked that waits for the server.
 */
import { writeFileSync } from 'node:fs';
import type { Mount } from './mountinfo.js';

/** Nothing where it is gone already, is somebody else's, or cannot be reached (a container without /sys/fs/fuse). */
export function abortConnection({ device }: Pick<Mount, 'device'>): void {
  const [, connection = ''] = device.split(':');
  try {
    writeFileSync(`/sys/fs/fuse/connections/${connection}/abort`, '1');
  } catch {
    // Then it ends as it would have without.
  }
}

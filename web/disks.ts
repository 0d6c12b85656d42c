/* The disks that the daemon needs: of the homes, and of its state. */
import { statfs } from 'node:fs/promises';

export interface Disk {
  readonly of: 'homes' | 'state';
  /** Bytes. */
  readonly size: number;
  readonly free: number;
}

/** Those that can be looked at. */
export async function readDisks(directories: Readonly<Record<Disk['of'], string>>): Promise<Disk[]> {
  const disks = await Promise.allSettled(
    (['homes', 'state'] as const).map(async (of) => {
      const { bsize, blocks, bavail } = await statfs(directories[of]);
      return { of, size: blocks * bsize, free: bavail * bsize };
    }),
  );
  return disks.flatMap((disk) => (disk.status === 'fulfilled' ? [disk.value] : []));
}

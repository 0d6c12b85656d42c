/*
 * What a dead worker leaves behind: descriptors of homes that were opened by system calls, of which node knows nothing.
 * A home was on that one worker alone, so every descriptor of this process below them is an orphan.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { HomeName } from '../protocol/ids.js';
import { fd } from '../posix/fd.js';
import { close } from '../posix/files.js';

const DESCRIPTORS = '/proc/self/fd';

/** Closes every descriptor of this process at or below the homes of these names. Returns how many. */
export function reclaimDescriptors(directory: string, homes: readonly HomeName[]): number {
  const roots = homes.map((home) => join(directory, home));
  let closed = 0;
  for (const name of readdirSync(DESCRIPTORS)) {
    let target: string;
    try {
      target = readlinkSync(join(DESCRIPTORS, name));
    } catch {
      continue; // closed meanwhile: the one that read the directory
    }
    if (!roots.some((root) => target === root || target.startsWith(`${root}/`))) continue;
    close(fd(Number(name)));
    closed += 1;
  }
  return closed;
}

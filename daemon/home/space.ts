/* What `statfs` answers: the limits of a home, its use, and what is free on its disk. */
import { fstatfs } from '../../posix/status.js';
import type { ConfinedTree } from './confined.js';
import type { Quota } from './quota.js';
import type { SoftLimit } from './soft-limit.js';

/** As the row of METHODS has it. What is granted is free: others give it back when it is needed. So is what is in the trash. */
export function spaceOf(
  { root }: Pick<ConfinedTree, 'root'>,
  { used, trashed, limits }: Pick<Quota, 'used' | 'trashed' | 'limits'>,
  soft: Pick<SoftLimit, 'told'>,
): (number | null)[] {
  const disk = fstatfs(root);
  return [
    Number(disk.blockSize),
    limits.bytes,
    used.bytes - trashed.bytes,
    Number(disk.available * disk.blockSize) + trashed.bytes,
    limits.files,
    used.files - trashed.files,
    Number(disk.filesFree) + trashed.files,
    ...soft.told,
    trashed.bytes,
    trashed.files,
  ];
}

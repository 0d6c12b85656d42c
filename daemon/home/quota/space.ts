/* What `statfs` answers: the limits of a home, its use, and what is free on its disk. */
import { fstatfs } from '../../../posix/status.js';
import type { ConfinedTree } from '../disk/confined.js';
import type { Quota } from './quota.js';
import type { SoftLimit } from './soft-limit.js';

/** As the row of METHODS has it. What is granted is free: others give it back when it is needed. So is what of the trash is not open. */
export function spaceOf(
  { root }: Pick<ConfinedTree, 'root'>,
  { used, emptiable, limits }: Pick<Quota, 'used' | 'emptiable' | 'limits'>,
  soft: Pick<SoftLimit, 'told'>,
): (number | null)[] {
  const disk = fstatfs(root);
  return [
    Number(disk.blockSize),
    limits.bytes,
    used.bytes - emptiable.bytes,
    Number(disk.available * disk.blockSize) + emptiable.bytes,
    limits.files,
    used.files - emptiable.files,
    Number(disk.filesFree) + emptiable.files,
    ...soft.told,
    emptiable.bytes,
    emptiable.files,
  ];
}

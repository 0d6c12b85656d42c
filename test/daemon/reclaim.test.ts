/* Descriptors that a dead worker left: exactly those below its users' homes. */
import { closeSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { reclaimDescriptors } from '../../daemon/reclaim.js';
import { fd } from '../../posix/fd.js';
import { dup } from '../../posix/files.js';
import { statxFd } from '../../posix/status.js';
import { userName } from '../../protocol/ids.js';
import { temporaryDirectory } from '../lib/directory.js';

const homes = temporaryDirectory(t);
/** A descriptor that node does not know of. */
function open(path: string, flags = 'r'): ReturnType<typeof dup> {
  const file = openSync(path, flags);
  const copy = dup(fd(file));
  closeSync(file);
  return copy;
}
for (const user of ['alice', 'alice2', 'lily']) mkdirSync(join(homes, user));
const unlinked = open(join(homes, 'alice', 'unlinked'), 'w');
unlinkSync(join(homes, 'alice', 'unlinked'));
const orphans = [open(join(homes, 'alice')), open(join(homes, 'alice', 'file'), 'w'), unlinked];
const others = [open(homes), open(join(homes, 'alice2')), open(join(homes, 'lily', 'file'), 'w')];

t.equal(reclaimDescriptors(homes, [userName('alice')]), orphans.length);
for (const orphan of orphans) t.throws(() => statxFd(orphan), { name: 'PosixError', code: 'EBADF' });
for (const other of others) t.ok(statxFd(other));
t.equal(reclaimDescriptors(homes, [userName('alice2'), userName('lily')]), 2);
t.equal(reclaimDescriptors(homes, []), 0);

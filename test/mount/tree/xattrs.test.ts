/* What is kept of extended attributes is bounded. */
import t from 'tap';
import { KnownXattrs, NO_XATTRS } from '../../../mount/tree/xattrs.js';
import { attributesOf, plant } from './planted.js';

t.test('those that were not used for longest are forgotten first', async (t) => {
  const { tree, root } = plant();
  const known = new KnownXattrs(11_000);
  const inodes = Array.from({ length: 8 }, (_, i) => tree.found(root, `f${i}`, attributesOf(10 + i)).inode);
  const [none, used, ...others] = inodes;
  if (none === undefined || used === undefined) throw new Error('no inodes');
  known.set(none, NO_XATTRS);
  for (const inode of [used, ...others]) {
    known.set(inode, new Map([['user.a', Buffer.alloc(2000)]]));
    known.of(used);
  }
  t.strictSame(
    inodes.map((inode) => known.of(inode) !== undefined),
    [true, true, false, false, false, true, true, true],
    'that there are none is not forgotten',
  );
  known.set(used, undefined);
  t.equal(known.of(used), undefined);
});

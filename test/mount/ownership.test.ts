/* Whose the files are, as the mount shows it, without virtual owners and with them. */
import t from 'tap';
import type { Caller } from '../../mount/operations.js';
import { checkAccess, checkOwner, ownedBy, ownerOfNew, showAttributes } from '../../mount/ownership.js';
import { failing } from '../lib/failing.js';
import { attributesOf, DIRECTORY } from './tree/planted.js';

const MOUNT = { uid: 500, gid: 600 };
const OWNER = { uid: 1000, gid: 100 };
const caller = (uid: number, gid: number): Caller => ({ uid, gid, pid: 1 });

t.test('without owners all files are of who mounted, and umask= is heeded', async (t) => {
  const attributes = attributesOf(9, 0o106755);
  t.match(showAttributes(attributes, MOUNT, 9n), { ...MOUNT, mode: 0o106755, rdev: 0 });
  t.match(showAttributes(attributes, { ...MOUNT, umask: 0o027 }, 9n), { ...MOUNT, mode: 0o100750 });
  const directory = attributesOf(2, DIRECTORY | 0o2000);
  t.equal(ownerOfNew(directory, caller(1, 2)), null);
  t.strictSame(ownedBy({ attributes: directory }, caller(1, 2)), {}, 'and nothing is said');
  t.doesNotThrow(() => checkOwner(MOUNT, MOUNT));
  t.throws(() => checkOwner({ uid: 1 }, MOUNT), failing('EPERM'));
});

t.test('with owners each shows its own, and the options are not heeded', async (t) => {
  const attributes = attributesOf(9, 0o024640, { owner: OWNER, rdev: 0x103 });
  const shown = showAttributes(attributes, { ...MOUNT, umask: 0o777 }, 9n);
  t.match(shown, { ...OWNER, mode: 0o024640, rdev: 0x103 });
});

t.test('what is made belongs to its maker, and to the group of a set-group-ID directory', async (t) => {
  const plain = attributesOf(2, DIRECTORY, { owner: OWNER });
  t.strictSame(ownerOfNew(plain, caller(1, 2)), { uid: 1, gid: 2 });
  const shared = attributesOf(2, DIRECTORY | 0o2000, { owner: OWNER });
  t.strictSame(ownerOfNew(shared, caller(1, 2)), { uid: 1, gid: 100 });
  t.strictSame(
    ownedBy({ attributes: shared }, caller(1, 2)),
    { owner: { uid: 1, gid: 2 } },
    'the server sees to it',
  );
});

t.test('access by the owner of the file', async (t) => {
  const file = attributesOf(9, 0o100460, { owner: OWNER });
  const R = 4;
  const W = 2;
  t.doesNotThrow(() => checkAccess(file, MOUNT, R, caller(1000, 1)));
  t.throws(() => checkAccess(file, MOUNT, W, caller(1000, 100)), failing('EACCES'), 'the owner first');
  t.doesNotThrow(() => checkAccess(file, MOUNT, R | W, caller(1, 100)));
  t.throws(() => checkAccess(file, MOUNT, R, caller(500, 600)), failing('EACCES'), 'who mounted is nobody');
  t.doesNotThrow(() => checkAccess(file, MOUNT, R | W, caller(0, 0)));
});

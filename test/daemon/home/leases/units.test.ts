/*
 * What an operation touches: the directories whose names it changes, and files that are units of their own.
 */
import { idOf } from '../../../../daemon/home/disk/file-ids.js';
import { unitOfFile, unitsOfOperation, unitsReadBy } from '../../../../daemon/home/leases/units.js';
import { ALLOCATE, COPY, TMPFILE, type Operation } from '../../../../protocol/operations.js';
import { kindOf } from '../fixture.js';
import {
  create,
  link,
  mkdir,
  partsTest,
  refTo,
  release,
  rename,
  rmdir,
  setattr,
  symlink,
  unlink,
  write,
} from '../home-parts.js';

partsTest('units of each operation', {}, async (t, parts) => {
  const client = parts.client();
  const { home, identities } = parts;
  const a = client.changed(mkdir(home, 'a'));
  const b = client.changed(mkdir(home, 'b'));
  const f = client.changed(create(refTo(a), 'f'));
  const two = client.changed(create(refTo(a), 'two'));
  client.change(link(refTo(two), refTo(b), 'names'));
  const sub = client.changed(mkdir(refTo(a), 'sub'));
  const root = identities.root.ino;
  const units = (operation: Operation) =>
    unitsOfOperation(identities, client.provisional, operation).toSorted((x, y) => (x < y ? -1 : 1));
  const are = (operation: Operation, expected: bigint[], why: string): void => {
    t.strictSame(
      units(operation),
      expected.toSorted((x, y) => (x < y ? -1 : 1)),
      why,
    );
  };
  are(create(refTo(a), 'new'), [a.ino], 'create');
  are(create(refTo(a), 'sub'), [a.ino], 'create of what exists');
  are(mkdir(home, 'new'), [root], 'mkdir');
  are(symlink(home, 'new', 'x'), [root], 'symlink');
  are(link(refTo(f), refTo(b), 'f'), [a.ino, b.ino], 'link of a file with one name');
  are(link(refTo(two), refTo(b), 'f'), [two.ino, b.ino], 'link of a file with several');
  are(unlink(refTo(a), 'f'), [a.ino], 'unlink');
  are(unlink(refTo(a), 'two'), [a.ino, two.ino], 'unlink of one name of several');
  are(unlink(refTo(a), 'missing'), [a.ino], 'unlink of what may be about to be there');
  are(rmdir(refTo(a), 'sub'), [a.ino, sub.ino], 'rmdir');
  are(rename([refTo(a), 'f'], [refTo(a), 'g']), [a.ino], 'rename within a directory');
  are(rename([refTo(a), 'f'], [refTo(b), 'g']), [a.ino, b.ino], 'rename to another');
  are(
    rename([refTo(a), 'sub'], [refTo(b), 'names']),
    [a.ino, b.ino, sub.ino, two.ino],
    'of units over units',
  );
  are(setattr(refTo(f), { mode: 0 }), [a.ino], 'setattr');
  are(setattr(refTo(a), { mode: 0 }), [a.ino], 'setattr of a directory');
  are(setattr(home, { mode: 0 }), [root], 'setattr of the home');
  are(write(refTo(f), 0, 'x'), [a.ino], 'write');
  are(write(refTo(two), 0, 'x'), [two.ino], 'write of a file with several names');
  const room = { kind: ALLOCATE, file: refTo(two), time: null, mode: 0, offset: 0, length: 1 } as const;
  are(room, [two.ino], 'allocate');
  const copy: Operation = {
    ...{ kind: COPY, file: refTo(two), time: null, offset: 0 },
    ...{ source: refTo(f), sourceOffset: 0, length: 1 },
  };
  are(copy, [two.ino], 'copy');
  t.strictSame(unitsReadBy(identities, client.provisional, copy), [a.ino]);
  t.strictSame(unitsReadBy(identities, client.provisional, room), []);
  const unnamed = { kind: TMPFILE, directory: refTo(a), time: null, mode: 0o644 } as const;
  are(unnamed, [], 'a file without a name');
  t.strictSame(unitsReadBy(identities, client.provisional, unnamed), [a.ino]);
  are(release(idOf(f)), [], 'release');
  t.equal(await kindOf(() => units(write({ ...refTo(f), ino: 1n } as never, 0, 'x'))), 'ESTALE');
  client.held.hold(identities.file(refTo(f)));
  t.equal(unitOfFile(identities.file(refTo(f))), a.ino, 'held, and with its name');
  client.change(rename([refTo(a), 'f'], [refTo(b), 'f']));
  t.equal(unitOfFile(identities.file(refTo(f))), b.ino, 'in the directory where it is now');
  client.change(unlink(refTo(b), 'f'));
  t.equal(unitOfFile(identities.file(refTo(f))), f.ino, 'without a name');
});

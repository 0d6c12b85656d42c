/* The table of owners: nothing is lost, whatever comes in, and a number that is used again is another file. */
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { OwnerTable } from '../../../../daemon/home/files/owner-table.js';
import { temporaryDirectory } from '../../../lib/directory.js';
import { randomFrom } from '../../../lib/random.js';

const SYMLINK = 0o120777;

function setUp(t: Test): { open: () => OwnerTable; file: string } {
  const directory = temporaryDirectory(t);
  const tree = ConfinedTree.open(directory);
  t.teardown(() => tree.close());
  return {
    file: join(directory, '.ftpmount/owners'),
    open() {
      const table = new OwnerTable(tree);
      t.teardown(() => table.close());
      return table;
    },
  };
}

const record = (uid: number, gid = 0) => ({ mode: SYMLINK, uid, gid, rdev: 0 });

t.test('what is set is found, also by another daemon, until it is removed', async (t) => {
  const { open, file } = setUp(t);
  const table = open();
  const id = { ino: 7n, birth: 9n };
  t.equal(table.find(id), undefined);
  table.remove(7n);
  t.throws(() => statSync(file), { code: 'ENOENT' }, 'who only looks makes none');
  const all = { mode: 0o107777, uid: 2 ** 32 - 2, gid: 2 ** 32 - 2, rdev: 2 ** 32 - 1 };
  table.set(id, all);
  t.strictSame(table.find(id), all);
  t.strictSame(open().find(id), all);
  t.equal(table.find({ ino: 7n, birth: 10n }), undefined, 'another file of this number');
  table.set({ ino: 7n, birth: 10n }, record(5));
  t.equal(table.find(id), undefined, 'the former one is gone');
  table.remove(7n);
  t.equal(table.find({ ino: 7n, birth: 10n }), undefined);
});

t.test('numbers of 64 bits are told apart', async (t) => {
  const { open } = setUp(t);
  const table = open();
  const numbers = [1n, (1n << 32n) + 1n, (1n << 63n) + 1n, (1n << 64n) - 1n, 1n << 32n];
  for (const [uid, ino] of numbers.entries()) table.set({ ino, birth: 1n }, record(uid));
  for (const [uid, ino] of numbers.entries()) t.equal(table.find({ ino, birth: 1n })?.uid, uid);
});

t.test('it grows, and keeps what random files have', async (t) => {
  const { open, file } = setUp(t);
  let table = open();
  const random = randomFrom(20_261_127);
  const kept = new Map<bigint, number>();
  for (let step = 0; step < 12_000; step++) {
    // As a disk gives them, in rows.
    const ino = 100_000n + BigInt(random(5)) * 8192n + BigInt(random(2500));
    if (random(6) > 0) {
      table.set({ ino, birth: 1n }, record(step));
      kept.set(ino, step);
    } else {
      table.remove(ino);
      kept.delete(ino);
    }
    if (step % 3000 === 2999) table = open();
  }
  t.ok(kept.size > 5000, 'more than one generation takes');
  t.ok(statSync(file).size > 16 * 4096, 'there is a second one');
  let wrong = 0;
  for (const [ino, uid] of kept) if (table.find({ ino, birth: 1n })?.uid !== uid) wrong += 1;
  t.equal(wrong, 0);
});

t.test('what is lost of the file is lost, and nothing else', async (t) => {
  const { open, file } = setUp(t);
  open().set({ ino: 7n, birth: 1n }, record(7));
  truncateSync(file, 0);
  const table = open();
  t.equal(table.find({ ino: 7n, birth: 1n }), undefined);
  table.set({ ino: 7n, birth: 1n }, record(8));
  t.equal(table.find({ ino: 7n, birth: 1n })?.uid, 8);
});

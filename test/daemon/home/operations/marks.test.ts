/*
 * Marks of clients: what survives a kill of the daemon, and what counts after a power cut.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfinedTree } from '../../../../daemon/home/disk/confined.js';
import { listMarks, Marks } from '../../../../daemon/home/operations/marks.js';
import { recount } from '../../../../daemon/home/recount.js';
import { MAX_CHANGES } from '../../../../protocol/limits.js';
import { temporaryDirectory } from '../../../lib/directory.js';

const CLIENT = Buffer.alloc(16, 0xab);

function home(t: Test): { tree: ConfinedTree; directory: string } {
  const directory = temporaryDirectory(t);
  const tree = ConfinedTree.open(directory);
  t.teardown(() => tree.close());
  return { tree, directory };
}

void t.test('marks are there when they are opened again', async (t) => {
  const { tree, directory } = home(t);
  const marks = Marks.open(tree, CLIENT);
  t.strictSame([marks.applied, marks.durable, marks.leased, marks.done(1)], [0, 0, false, false]);
  marks.setApplied(2 ** 40);
  marks.setDone(7);
  marks.setLeased(true);
  // It is killed here: nothing is closed.
  const again = Marks.open(tree, CLIENT);
  t.strictSame([again.applied, again.durable, again.leased], [2 ** 40, 0, true]);
  t.strictSame([again.done(7), again.done(8), again.done(7 + MAX_CHANGES)], [true, false, false]);
  again.setDurable(5);
  t.equal(Marks.open(tree, CLIENT).durable, 5);
  t.strictSame(listMarks(tree), [{ id: CLIENT.toString('hex'), leased: true }]);
  const { bytes, files } = await recount(tree);
  t.strictSame({ bytes, files }, { bytes: 0, files: 0 }, 'they are free');
  again.remove();
  t.strictSame(readdirSync(join(directory, '.ftpmount', 'clients')), []);
});

void t.test('the last changes are remembered, whatever their order', async (t) => {
  const { tree } = home(t);
  const marks = Marks.open(tree, CLIENT);
  for (let number = 1; number <= 3 * MAX_CHANGES; number++) marks.setDone(number);
  const again = Marks.open(tree, CLIENT);
  for (let number = 2 * MAX_CHANGES + 1; number <= 3 * MAX_CHANGES; number++) t.ok(again.done(number));
  t.notOk(again.done(2 * MAX_CHANGES));
  t.notOk(again.done(0));
  marks.close();
  again.close();
});

void t.test('in another boot only what was durable was applied', async (t) => {
  const { tree } = home(t);
  const boots = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)] as const;
  const marks = Marks.open(tree, CLIENT, boots[0]);
  marks.setApplied(10);
  marks.setDurable(6);
  marks.setApplied(12);
  marks.setDone(3);
  marks.setLeased(true);
  marks.close();
  const same = Marks.open(tree, CLIENT, boots[0]);
  t.strictSame([same.applied, same.done(3)], [12, true]);
  same.close();
  const other = Marks.open(tree, CLIENT, boots[1]);
  t.strictSame([other.applied, other.durable, other.done(3), other.leased], [6, 6, false, true]);
  other.setApplied(7);
  other.close();
  const again = Marks.open(tree, CLIENT, boots[1]);
  t.equal(again.applied, 7, 'and from then on it counts again');
  again.close();
});

void t.test('what is not durable is applied no more when it may be lost', async (t) => {
  const { tree } = home(t);
  const marks = Marks.open(tree, CLIENT);
  marks.setApplied(10);
  marks.setDurable(6);
  marks.setDone(3);
  marks.rewind();
  t.strictSame([marks.applied, marks.durable, marks.done(3), marks.begun(3)], [6, 6, false, null]);
  t.strictSame([marks.mayBeDone(10), marks.mayBeDone(11)], [true, false]);
  marks.close();
  const again = Marks.open(tree, CLIENT);
  t.strictSame([again.applied, again.done(3)], [6, false]);
  again.close();
});

void t.test('marks that nobody came back for are removed', async (t) => {
  const { tree, directory } = home(t);
  Marks.open(tree, CLIENT).close();
  Marks.open(tree, Buffer.alloc(16, 1)).close();
  utimesSync(join(directory, '.ftpmount', 'clients', CLIENT.toString('hex')), 1, 1);
  t.strictSame(listMarks(tree), [{ id: '01'.repeat(16), leased: false }]);
  t.strictSame(readdirSync(join(directory, '.ftpmount', 'clients')), ['01'.repeat(16)]);
});

void t.test('marks that find no room leave no descriptor open', (t) => {
  const directory = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const tree = ConfinedTree.open(directory);
  t.teardown(() => tree.close());
  t.throws(() => writeFileSync(join(directory, 'ballast'), Buffer.alloc(128 * 1024)), { code: 'ENOSPC' });
  const open = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 3; i++) t.throws(() => Marks.open(tree, CLIENT), { code: 'ENOSPC' });
  t.equal(readdirSync('/proc/self/fd').length, open);
  rmSync(join(directory, 'ballast'));
  const marks = Marks.open(tree, CLIENT);
  marks.setApplied(1);
  marks.close();
  t.end();
});

void t.test('marks that cannot be removed', async (t) => {
  const { tree, directory } = home(t);
  const marks = Marks.open(tree, CLIENT);
  Marks.open(tree, Buffer.alloc(16, 1)).close();
  utimesSync(join(directory, '.ftpmount', 'clients', '01'.repeat(16)), 1, 1);
  execFileSync('mount', ['--bind', directory, directory]);
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  execFileSync('mount', ['-o', 'remount,ro,bind', directory]);
  const readOnly = ConfinedTree.open(directory);
  t.teardown(() => readOnly.close());
  t.strictSame(
    listMarks(readOnly),
    [{ id: CLIENT.toString('hex'), leased: false }],
    'what is old does not count',
  );
  marks.close();
});

void t.test('a home without marks', async (t) => {
  const { tree, directory } = home(t);
  t.strictSame(listMarks(tree), []);
  t.strictSame(readdirSync(directory), [], 'nothing is made to look');
});

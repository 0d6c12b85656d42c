import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { MAX_LOCK_WAITS, MAX_LOCKS } from '../../protocol/limits.js';
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LAST_BYTE,
  LOCK_FLOCK,
  LOCK_POSIX,
  type LockType,
} from '../../protocol/file-locks.js';
import { LockTable, type LockRequest } from '../../locks/lock-table.js';

function posix(owner: string, type: LockType, start = 0, end?: number): LockRequest<string> {
  const last = end === undefined ? LAST_BYTE : BigInt(end);
  return { owner, kind: LOCK_POSIX, lock: { type, start: BigInt(start), end: last, pid: 7 } };
}

function flock(owner: string, type: LockType): LockRequest<string> {
  return { ...posix(owner, type), kind: LOCK_FLOCK };
}

function newTable(): LockTable<string, string> {
  return new LockTable((owner) => owner[0]);
}

function kindOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return Failure.from(error).kind;
  }
  return 'no failure';
}

/** The ranges that an owner has, as 'TYPE START END'. */
function ranges(table: LockTable<string, string>, owner: string): string[] {
  return table
    .locksOf('f', owner, LOCK_POSIX)
    .map(({ type, start, end }) => `${type === F_RDLCK ? 'r' : 'w'} ${start} ${end}`);
}

t.test('a range is split, upgraded, merged and given back', async (t) => {
  const table = newTable();
  table.take('f', posix('a', F_RDLCK, 0, 99));
  table.take('f', posix('a', F_WRLCK, 10, 19));
  t.strictSame(ranges(table, 'a'), ['r 0 9', 'w 10 19', 'r 20 99']);
  table.take('f', posix('a', F_RDLCK, 10, 19));
  t.strictSame(ranges(table, 'a'), ['r 0 99']);
  table.take('f', posix('a', F_UNLCK, 50, 50));
  table.take('f', posix('a', F_RDLCK, 200));
  t.strictSame(ranges(table, 'a'), ['r 0 49', 'r 51 99', `r 200 ${LAST_BYTE}`]);
  table.take('f', posix('a', F_UNLCK));
  t.equal(table.has('f'), false);
});

t.test('who waits goes in the order of coming, readers together', async (t) => {
  const table = newTable();
  const got: string[] = [];
  table.take('f', posix('a', F_WRLCK));
  for (const [owner, type] of [
    ['b', F_RDLCK],
    ['c', F_WRLCK],
    ['d', F_RDLCK],
  ] as const) {
    t.equal(table.take('f', posix(owner, type)), false);
    table.wait('f', posix(owner, type), () => got.push(owner));
  }
  table.release('f', 'a', LOCK_POSIX);
  t.strictSame(got, ['b', 'd']);
  table.release('f', 'b', LOCK_POSIX);
  table.release('f', 'd', LOCK_POSIX);
  t.strictSame(got, ['b', 'd', 'c']);
});

t.test('a circle of waits over several files is refused, of flock it is not', async (t) => {
  const table = newTable();
  const never = (): void => {
    t.fail('nobody gives back');
  };
  table.take('1', posix('a', F_WRLCK));
  table.take('2', posix('b', F_WRLCK));
  table.take('3', posix('c', F_WRLCK));
  table.wait('2', posix('a', F_WRLCK), never);
  table.wait('3', posix('b', F_WRLCK), never);
  t.equal(
    kindOf(() => table.wait('1', posix('c', F_WRLCK), never)),
    'EDEADLK',
  );
  table.take('4', flock('a', F_WRLCK));
  table.take('5', flock('b', F_WRLCK));
  table.wait('5', flock('a', F_WRLCK), never);
  t.equal(
    kindOf(() => table.wait('4', flock('b', F_WRLCK), never)),
    'no failure',
  );
});

t.test('flock gives up what it had before it is refused, as Linux does', async (t) => {
  const table = newTable();
  table.take('f', flock('a', F_RDLCK));
  table.take('f', flock('b', F_RDLCK));
  t.equal(table.take('f', flock('a', F_WRLCK)), false);
  t.equal(table.take('f', flock('b', F_WRLCK)), true);
});

t.test('a POSIX lock that is refused leaves what there was', async (t) => {
  const table = newTable();
  table.take('f', posix('a', F_RDLCK, 0, 9));
  table.take('f', posix('b', F_RDLCK, 0, 9));
  t.equal(table.take('f', posix('a', F_WRLCK, 0, 9)), false);
  t.strictSame(ranges(table, 'a'), ['r 0 9']);
});

t.test('the two kinds do not meet', async (t) => {
  const table = newTable();
  t.ok(table.take('f', flock('a', F_WRLCK)));
  t.ok(table.take('f', posix('b', F_WRLCK)));
});

t.test('what an owner had is put in place all together, or not at all', async (t) => {
  const table = newTable();
  const locks = [posix('a', F_RDLCK, 0, 9).lock, posix('a', F_WRLCK, 20, 29).lock];
  t.ok(table.replace('f', 'a', LOCK_POSIX, locks));
  t.strictSame(ranges(table, 'a'), ['r 0 9', 'w 20 29']);
  t.notOk(table.replace('f', 'b', LOCK_POSIX, [posix('b', F_RDLCK, 0, 25).lock]));
  t.strictSame(ranges(table, 'b'), []);
  t.ok(table.replace('f', 'a', LOCK_POSIX, []));
  t.equal(table.has('f'), false);
});

t.test('a table without locks has no files', async (t) => {
  const table = newTable();
  table.put('f', posix('a', F_RDLCK));
  table.put('f', posix('a', F_UNLCK));
  t.equal(table.has('f'), false);
});

t.test('locks and waits of a party are bounded, and room that is given back can be used', async (t) => {
  const table = newTable();
  for (let at = 0; at < MAX_LOCKS; at++) table.put('f', posix('a', F_RDLCK, 2 * at, 2 * at));
  t.equal(
    kindOf(() => table.take('f', posix('a2', F_RDLCK, 0, 0))),
    'ENOLCK',
  );
  t.equal(
    kindOf(() => table.take('f', posix('b', F_RDLCK, 0, 0))),
    'no failure',
  );
  table.take('f', posix('a', F_UNLCK, 0, 0));
  t.ok(table.take('f', posix('a2', F_RDLCK, 0, 0)));
  for (let count = 0; count < MAX_LOCK_WAITS; count++) table.wait('f', posix('c', F_WRLCK), () => undefined);
  t.equal(
    kindOf(() => table.wait('f', posix('c', F_WRLCK), () => undefined)),
    'ENOLCK',
  );
});

t.test('the search for circles is bounded, whatever is waited for', async (t) => {
  const table = newTable();
  for (let reader = 0; reader < 3000; reader++) table.take('f', posix(`r${reader}`, F_RDLCK));
  table.take('g', posix('o', F_RDLCK));
  for (let count = 0; count < 500; count++) table.wait('f', posix('o', F_WRLCK), () => undefined);
  for (let count = 0; count < 500; count++) table.wait('g', posix(`v${count}`, F_WRLCK), () => undefined);
  const before = process.cpuUsage();
  table.release('g', 'nobody', LOCK_POSIX);
  // Unbounded it is 500 waits times 500 waits times 3000 readers.
  t.ok(process.cpuUsage(before).user < 1e6);
});

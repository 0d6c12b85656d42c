/* Which stretches of some bytes have to be written, and which are holes. */
import t from 'tap';
import { dataRuns } from '../../posix/data-runs.js';

const HOLE = 32 * 1024;

function runs(length: number, ...data: readonly number[]): number[][] {
  const bytes = Buffer.alloc(length);
  for (const at of data) bytes[at] = 1;
  return [...dataRuns(bytes)].map(({ start, end }) => [start, end]);
}

t.same(runs(0), []);
t.same(runs(3 * HOLE), [], 'zeros only');
t.same(runs(100), []);
t.same(runs(100, 99), [[0, 100]]);
t.same(runs(3 * HOLE, HOLE), [[HOLE, 2 * HOLE]]);
t.same(runs(3 * HOLE, 0, 2 * HOLE - 1), [[0, 2 * HOLE]], 'one stretch of several pieces');
t.same(runs(3 * HOLE + 5, 0, 3 * HOLE + 4), [
  [0, HOLE],
  [3 * HOLE, 3 * HOLE + 5],
]);

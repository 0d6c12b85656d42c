/* The benchmark's table says what was measured. */
import t from 'tap';
import { formatTable, median, quantile } from '../../bench/table.js';

t.test('the median', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.equal(median([10]), 10);
  t.ok(Number.isNaN(median([])));
});

t.test('a quantile is one of the values', async (t) => {
  const values = [5, 1, 4, 2, 3];
  t.same(
    [0, 0.2, 0.21, 0.99, 1].map((share) => quantile(values, share)),
    [1, 1, 2, 5, 5],
  );
  t.ok(Number.isNaN(quantile([], 0.5)));
});

const RATIOS = [
  { dividend: 'sshfs', divisor: 'ftpmount' },
  { dividend: 'ftpmount', divisor: 'floor' },
];

t.test('a row has the medians, and the ratios of what was measured', async (t) => {
  const rows = [{ title: 'write', seconds: { disk: [1, 2, 1], sshfs: [4, 4, 5], ftpmount: [2, 2, 9] } }];
  const [header, row] = formatTable(rows, ['disk', 'sshfs', 'ftpmount'], RATIOS).split('\n');
  t.same(header?.trim().split(/\s{2,}/), ['disk', 'sshfs', 'ftpmount', 'sshfs/ftpmount']);
  t.same(row?.split(/\s{2,}/), ['write', '1.000 s', '4.000 s', '2.000 s', '2.00x']);
});

t.test('what was not measured is not made up', async (t) => {
  const rows = [{ title: 'write', seconds: { floor: [1] } }];
  const [, row] = formatTable(rows, ['floor', 'ftpmount'], RATIOS).split('\n');
  t.same(row?.split(/\s{2,}/), ['write', '1.000 s', '-', '-']);
});

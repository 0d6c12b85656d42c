/* What threads count: in the right class, and for whoever reads it, whichever thread did. */
import t from 'tap';
import { DURATION_BOUNDS } from '../../state/measurements.js';
import {
  cellsOfThread,
  count,
  counted,
  countInto,
  durations,
  makeCells,
  took,
} from '../../daemon/measures.js';

t.test('counts add up over threads, and go on in the cells of who was before', async (t) => {
  const [first, second] = [makeCells(), makeCells()];
  countInto(first);
  count('accepted');
  count('bytesSent', 1000);
  countInto(second);
  count('accepted', 2);
  countInto(first);
  count('accepted');
  t.equal(counted('accepted', [first, second]), 4);
  t.equal(counted('bytesSent', [first, second]), 1000);
  t.equal(counted('bytesReceived', [first, second]), 0);
  t.equal(cellsOfThread(), first);
});

t.test('each duration is in the class of the first bound above it', async (t) => {
  for (const [index, bound] of DURATION_BOUNDS.entries()) {
    const cells = makeCells();
    countInto(cells);
    took('read', (bound - 1) / 1000);
    took('read', (bound + 1) / 1000);
    const { counts, totalMs } = durations('read', [cells]);
    t.equal(counts[index], 1, `${bound - 1} µs`);
    t.equal(counts[index + 1], 1, `${bound + 1} µs`);
    t.ok(Math.abs(totalMs - bound / 500) < 1e-6);
  }
});

t.test('what took nothing, or for ever', async (t) => {
  const cells = makeCells();
  countInto(cells);
  took('fsync', 0);
  took('fsync', 1e12);
  const { counts } = durations('fsync', [cells]);
  t.equal(counts[0], 1);
  t.equal(counts.at(-1), 1);
  t.equal(counts.length, DURATION_BOUNDS.length + 1);
});

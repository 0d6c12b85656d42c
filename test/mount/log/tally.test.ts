import t from 'tap';
import { Entry } from '../../../mount/log/entry.js';
import { Tally } from '../../../mount/log/tally.js';
import { WriteEntry } from '../../../mount/log/write-entry.js';
import { FILE, mkdir, TIME } from './operations.js';

t.test('it counts operations, bytes of data and charges', async (t) => {
  const tally = new Tally();
  const made = new Entry(mkdir(1), { bytes: 0, files: 1 }, 0);
  tally.add(made);
  tally.add(new WriteEntry(FILE, 0, Buffer.alloc(10), TIME, { bytes: 7, files: 0 }, 0));
  t.match(tally, { operations: 2, bytes: 10, charge: { bytes: 7, files: 1 } });
  tally.remove(made);
  t.match(tally, { operations: 1, bytes: 10, charge: { bytes: 7, files: 0 } });
});

/* For how long a trash keeps things, read and written. */
import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { formatTrashTime, parseTrashTime } from '../../state/trash-time.js';

t.test('a span or off, and nothing beyond a year', async (t) => {
  for (const text of ['off', '30d', '12h', '366d']) t.equal(formatTrashTime(parseTrashTime(text)), text);
  t.equal(parseTrashTime('off'), 0);
  for (const text of ['', '0', '0d', '367d', '30', 'never', '-1d']) {
    t.throws(() => parseTrashTime(text), Failure, text);
  }
});

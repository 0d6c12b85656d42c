/* Dates and spans of time: what people write is read, what is shown can be written again, and anything else is refused. */
import t from 'tap';
import { formatEnd, formatTime, parseEnd, parseSpan } from '../../state/times.js';

const HOUR = 3_600_000;

t.test('spans', async (t) => {
  t.same(['30m', '12h', '7d', '2w'].map(parseSpan), [HOUR / 2, 12 * HOUR, 7 * 24 * HOUR, 14 * 24 * HOUR]);
  for (const wrong of ['', '7', 'd', '0d', '-1d', '1.5h', '7 d', '7y', '99999d'])
    t.throws(() => parseSpan(wrong), { name: 'Failure', kind: 'USAGE' }, wrong);
});

t.test('ends', async (t) => {
  t.equal(parseEnd('never'), null);
  t.equal(parseEnd('2h', 5), 2 * HOUR + 5);
  const midnight = new Date(2027, 0, 31).getTime();
  t.equal(parseEnd('2027-01-31'), midnight, 'the beginning of the day, here');
  t.equal(parseEnd('2027-01-31 18:00'), midnight + 18 * HOUR);
  t.equal(parseEnd('2027-01-31T18:00'), midnight + 18 * HOUR);
  t.equal(parseEnd('2027-01-31T18:00:00.000Z'), Date.UTC(2027, 0, 31, 18), 'as it is exported');
  t.equal(formatTime(midnight + 18 * HOUR + 59_999), '2027-01-31 18:00');
  for (const end of [null, midnight]) t.equal(parseEnd(formatEnd(end)), end);
  for (const wrong of [
    '',
    '2027',
    '2027-02-31',
    '2027-02-31T18:00:00.000Z',
    '2027-13-01',
    '31.1.2027',
    '2027-01-31 25:00',
    'tomorrow',
  ])
    t.throws(() => parseEnd(wrong), { name: 'Failure', kind: 'USAGE' }, wrong);
});

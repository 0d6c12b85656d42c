import t from 'tap';
import { formatDuration, formatLimit, formatSize, parseCount, parseSize } from '../../state/sizes.js';

const usage = { name: 'Failure', kind: 'USAGE' };

t.test('sizes are read as powers of 1024', async (t) => {
  t.equal(parseSize('0'), 0);
  t.equal(parseSize('1234'), 1234);
  t.equal(parseSize('1K'), 1024);
  t.equal(parseSize('5G'), 5 * 1024 ** 3);
  t.equal(parseSize('2t'), 2 * 1024 ** 4);
  t.equal(parseSize('1.5M'), 1.5 * 1024 ** 2);
  t.equal(parseSize('0.001K'), 1, 'whole bytes');
  t.equal(parseSize(' 10 MiB '), 10 * 1024 ** 2);
  t.equal(parseSize('10B'), 10);
  for (const wrong of ['', 'K', '-1', '1.5', '5X', '1e3', '9999999T', '0x10', '1,5G', 'NaN', '5 G B']) {
    t.throws(() => parseSize(wrong), usage, JSON.stringify(wrong));
  }
});

t.test('counts', async (t) => {
  t.equal(parseCount('0'), 0);
  t.equal(parseCount('100000'), 100_000);
  for (const wrong of ['', '-1', '1.5', '1K', '9'.repeat(20)])
    t.throws(() => parseCount(wrong), usage, wrong);
});

t.test('sizes are shown short', async (t) => {
  const shown: readonly (readonly [number, string])[] = [
    [0, '0'],
    [999, '999'],
    [1000, '1.0K'],
    [1024, '1.0K'],
    [10 * 1024, '10K'],
    [1023 * 1024, '1.0M'],
    [1.5 * 1024 ** 3, '1.5G'],
    [5 * 1024 ** 4, '5.0T'],
  ];
  for (const [bytes, text] of shown) t.equal(formatSize(bytes), text);
  t.equal(formatLimit(0), 'none');
  t.equal(formatLimit(1024 ** 3), '1.0G');
});

t.test('durations', async (t) => {
  t.equal(formatDuration(0.4), '0:00');
  t.equal(formatDuration(67), '1:07');
  t.equal(formatDuration(3723), '1:02:03');
  t.equal(formatDuration(-1), '0:00');
});

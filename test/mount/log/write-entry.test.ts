import t from 'tap';
import { takeBuffer } from '../../../protocol/transport/buffer-pool.js';
import { MAX_DATA } from '../../../protocol/limits.js';
import { WriteEntry } from '../../../mount/log/write-entry.js';
import { FILE, NOTHING, TIME } from './operations.js';

function written(offset: number, data: Buffer): WriteEntry {
  return new WriteEntry(FILE, offset, data, TIME, NOTHING, 0);
}

t.test('it takes what is right behind or within, of the same file, and fits whole', async (t) => {
  const entry = written(100, Buffer.from('0123456789'));
  t.equal(entry.accepts(FILE, 110, 5), true, 'behind');
  t.equal(entry.accepts(FILE, 105, 50), true, 'on its end');
  t.equal(entry.accepts(FILE, 111, 5), false, 'a gap');
  t.equal(entry.accepts(FILE, 99, 5), false, 'before');
  t.equal(entry.accepts(FILE, 110, MAX_DATA - 10), true, 'up to the largest');
  t.equal(entry.accepts(FILE, 110, MAX_DATA - 9), false);
  t.equal(entry.accepts({ ...FILE, birth: 2n }, 110, 5), false, 'another file with its number');
});

t.test('the data are a copy', async (t) => {
  const data = Buffer.from('before');
  const entry = written(0, data);
  data.fill('x');
  t.equal(entry.data.toString(), 'before');
});

t.test('it grows from a byte to the largest, and keeps what it has', async (t) => {
  const entry = written(0, Buffer.alloc(1, 1));
  const step = 1_000;
  for (let at = 1; at + step <= MAX_DATA; at += step) {
    entry.put(at, Buffer.alloc(step, at % 251), { sec: at, nsec: 0 });
    if (entry.bytes < 4096 || at > 100_000) continue;
    t.ok(entry.data.buffer.byteLength < 3 * entry.bytes, `little room is wasted at ${at}`);
  }
  t.equal(entry.bytes, 1 + Math.floor((MAX_DATA - 1) / step) * step);
  t.equal(entry.data[0], 1);
  for (let at = 1; at < entry.bytes; at += step) {
    if (entry.data[at] !== at % 251 || entry.data[at + step - 1] !== at % 251) t.fail(`bytes at ${at}`);
  }
  t.not(entry.operation.time, TIME, 'the time is that of the latest write');
});

t.test('a large buffer goes back to the pool', async (t) => {
  const entry = written(0, Buffer.alloc(600_000));
  const { buffer } = entry.data;
  entry.release();
  t.equal(entry.bytes, 0);
  t.equal(takeBuffer(600_000).buffer, buffer);
});

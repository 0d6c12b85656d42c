import t from 'tap';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS, MAX_DATA } from '../../protocol/limits.js';
import { CallWindow, fileDataBytes } from '../../protocol/window.js';

t.test('file data that is asked for or sent counts', async (t) => {
  t.equal(fileDataBytes('read', [1, 0, 4096]), 4096);
  t.equal(fileDataBytes('write', [1, 0], Buffer.alloc(10)), 10);
  t.equal(fileDataBytes('write', [1, 0], [Buffer.alloc(10), Buffer.alloc(5)]), 15);
  t.equal(fileDataBytes('uploadWrite', [1, 0, Buffer.alloc(7)]), 7, 'also as a decoded parameter');
  t.equal(fileDataBytes('readdir', [Buffer.alloc(100)]), 0);
});

t.test('calls', async (t) => {
  const window = new CallWindow<string>();
  for (let i = 0; i < MAX_CALLS; i++) t.ok(window.admit(0));
  t.notOk(window.admit(0));
  window.wait(1, 0, 'one');
  t.equal(window.next(), undefined);
  window.leave(0);
  t.notOk(window.admit(0), 'who waits comes first');
  t.equal(window.next(), 'one');
  t.equal(window.next(), undefined);
});

t.test('bytes', async (t) => {
  const window = new CallWindow<string>();
  for (let bytes = 0; bytes < MAX_BYTES_IN_FLIGHT; bytes += MAX_DATA) t.ok(window.admit(MAX_DATA));
  t.notOk(window.admit(1));
  window.wait(1, MAX_DATA, 'large');
  window.wait(2, 0, 'small');
  window.wait(3, 1, 'third');
  t.equal(window.next(), undefined, 'nothing overtakes');
  t.ok(window.isWaiting(1));
  t.ok(window.withdraw(1));
  t.notOk(window.withdraw(1));
  t.equal(window.next(), 'small');
  t.equal(window.next(), undefined);
  window.leave(MAX_DATA);
  t.equal(window.next(), 'third');
  t.equal(window.next(), undefined);
});

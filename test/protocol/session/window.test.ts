import t from 'tap';
import { MAX_BYTES_IN_FLIGHT, MAX_CALLS, MAX_DATA } from '../../../protocol/limits.js';
import { METHODS, type MethodName } from '../../../protocol/methods.js';
import { CallWindow, fileDataBytes, weightOf, type Weight } from '../../../protocol/session/window.js';

function call(bytes: number): Weight {
  return { lane: 'call', calls: 1, bytes };
}

function apply(bytes: number): Weight {
  return { lane: 'log', calls: 1, bytes };
}

const RETURNED = weightOf('returned', [[]]);

t.test('file data counts that is asked for, and that is sent', async (t) => {
  t.equal(fileDataBytes('read', [[5, 6], 0, 4096]), 4096);
  t.equal(fileDataBytes('uploadWrite', [1, 0], Buffer.alloc(10)), 10);
  t.equal(fileDataBytes('uploadHole', [1, 0, 4096]), 4096, 'zeros that are hashed');
  t.equal(fileDataBytes('list', [Buffer.alloc(100), 1024]), 0);
  t.match(weightOf('fetch', [[[5, 6]], 8192]), call(8192));
  t.match(weightOf('apply', [1, []], Buffer.alloc(10)), apply(10));
});

t.test('the lanes of the methods', async (t) => {
  const lanes: Partial<Record<MethodName, string>> = {
    login: 'free',
    ping: 'free',
    apply: 'log',
    hold: 'log',
    returned: 'log',
    sync: 'log',
    grant: 'log',
    lock: 'log',
    relock: 'log',
  };
  for (const method of Object.keys(METHODS) as MethodName[]) {
    const { lane, calls } = weightOf(method, method === 'uploadFiles' ? [[]] : [1, [], null]);
    t.equal(lane, lanes[method] ?? 'call', method);
    t.equal(calls, lanes[method] === undefined || method === 'apply' ? 1 : 0, method);
  }
});

t.test('calls', async (t) => {
  const window = new CallWindow<string>();
  for (let i = 0; i < MAX_CALLS; i++) t.ok(window.admit(call(0)));
  t.notOk(window.admit(call(0)));
  window.wait(1, call(0), 'one');
  t.equal(window.next(), undefined);
  window.leave(call(0));
  t.notOk(window.admit(call(0)), 'who waits comes first');
  t.equal(window.next(), 'one');
  t.equal(window.next(), undefined);
});

t.test('bytes', async (t) => {
  const window = new CallWindow<string>();
  for (let bytes = 0; bytes < MAX_BYTES_IN_FLIGHT; bytes += MAX_DATA) t.ok(window.admit(call(MAX_DATA)));
  t.notOk(window.admit(call(1)));
  window.wait(1, call(MAX_DATA), 'large');
  window.wait(2, call(0), 'small');
  window.wait(3, call(1), 'third');
  t.equal(window.next(), undefined, 'nothing overtakes');
  t.ok(window.isWaiting(1));
  t.ok(window.withdraw(1));
  t.notOk(window.withdraw(1));
  t.equal(window.next(), 'small');
  t.equal(window.next(), undefined);
  window.leave(call(MAX_DATA));
  t.equal(window.next(), 'third');
  t.equal(window.next(), undefined);
});

t.test('the log has room of its own', async (t) => {
  const window = new CallWindow<string>();
  t.ok(window.admit(call(MAX_BYTES_IN_FLIGHT)));
  window.wait(1, call(1), 'read');
  t.ok(window.admit(apply(MAX_BYTES_IN_FLIGHT)), 'it passes calls that wait');
  t.ok(window.admit(RETURNED), 'so does what has no weight');
  t.notOk(window.admit(apply(1)));
  window.wait(2, apply(1), 'apply');
  t.notOk(window.admit(RETURNED), 'but not a log that waits');
  window.wait(3, RETURNED, 'returned');
  window.wait(4, call(0), 'behind');
  t.equal(window.next(), undefined);
  window.leave(apply(MAX_BYTES_IN_FLIGHT));
  t.equal(window.next(), 'apply', 'it passes the call that waits before it');
  t.equal(window.next(), 'returned');
  t.equal(window.next(), undefined);
  window.leave(call(MAX_BYTES_IN_FLIGHT));
  t.equal(window.next(), 'read');
  t.equal(window.next(), 'behind');
  t.equal(window.next(), undefined);
});

t.test('no call passes a log that waits', async (t) => {
  const window = new CallWindow<string>();
  t.ok(window.admit(apply(MAX_BYTES_IN_FLIGHT)));
  window.wait(1, apply(1), 'apply');
  t.notOk(window.admit(call(0)));
  window.wait(2, call(0), 'read');
  t.equal(window.next(), undefined);
  t.ok(window.withdraw(1));
  t.equal(window.next(), 'read', 'until it is withdrawn');
});

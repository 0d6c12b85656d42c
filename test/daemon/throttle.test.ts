/* Growing delays, lockout, and tables that stay small; with the time as an argument. */
import t from 'tap';
import { MAX_ENTRIES, Throttle, throttleKey } from '../../daemon/throttle.js';

const LIMITS = { lockoutFailures: 5, lockoutMs: 60_000 };
const TRY = { kind: 'try' };

t.test('each failure doubles the delay, then nothing is tried for a time', async (t) => {
  const throttle = new Throttle(LIMITS);
  t.same(throttle.verdict('alice', '1.2.3.4', 0), TRY);
  for (const delay of [250, 500, 1000, 2000]) {
    throttle.failed('alice', '1.2.3.4', 0);
    t.same(throttle.verdict('alice', '1.2.3.4', 0), { kind: 'wait', ms: delay });
    t.same(throttle.verdict('alice', '1.2.3.4', delay - 1), { kind: 'wait', ms: 1 });
    t.same(throttle.verdict('alice', '1.2.3.4', delay), TRY);
  }
  throttle.failed('alice', '1.2.3.4', 1000);
  t.same(throttle.verdict('alice', '1.2.3.4', 60_999), { kind: 'locked' });
  t.same(throttle.verdict('alice', '1.2.3.4', 61_000), TRY);
});

t.test('the delay has an end', async (t) => {
  const throttle = new Throttle({ lockoutFailures: 1000, lockoutMs: 60_000 });
  for (let i = 0; i < 100; i++) throttle.failed('alice', 'a', 0);
  t.same(throttle.verdict('alice', 'a', 0), { kind: 'wait', ms: 8000 });
});

t.test('users and addresses are counted apart', async (t) => {
  const throttle = new Throttle(LIMITS);
  for (let i = 0; i < 5; i++) throttle.failed(`user${i}`, 'attacker', 0);
  t.same(throttle.verdict('alice', 'attacker', 10_000), { kind: 'locked' });
  t.same(throttle.verdict('user0', 'elsewhere', 10_000), TRY);
  for (let i = 0; i < 5; i++) throttle.failed('alice', `bot${i}`, 0);
  t.same(throttle.verdict('alice', 'elsewhere', 10_000), { kind: 'locked' });
});

t.test('a success forgives the user, not the address', async (t) => {
  const throttle = new Throttle(LIMITS);
  for (let i = 0; i < 4; i++) throttle.failed('alice', 'a', 0);
  throttle.succeeded('alice');
  t.same(throttle.verdict('alice', 'b', 0), TRY);
  t.same(throttle.verdict('alice', 'a', 0), { kind: 'wait', ms: 2000 });
});

t.test('the tables are bounded; what changed last stays', async (t) => {
  const throttle = new Throttle(LIMITS);
  for (let i = 0; i < 5; i++) throttle.failed('alice', 'a', 0);
  for (let i = 0; i < MAX_ENTRIES - 1; i++) throttle.failed(`user${i}`, `address${i}`, 0);
  t.same(throttle.verdict('alice', 'a', 0), { kind: 'locked' });
  throttle.failed('one more', 'one more', 0);
  t.same(throttle.verdict('alice', 'a', 0), TRY);
  t.same(throttle.verdict('user0', 'b', 0), { kind: 'wait', ms: 250 });
});

t.test('an IPv6 host is its /64', async (t) => {
  t.equal(throttleKey('127.0.0.1'), '127.0.0.1');
  t.equal(throttleKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.equal(throttleKey('2001:db8::6'), '2001:db8:0:0::/64');
  t.equal(throttleKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(throttleKey('::1'), '0:0:0:0::/64');
});

/* Growing delays, lockout, who is spared of them, and tables that stay small; with the time as an argument. */
import t from 'tap';
import { MAX_ENTRIES, Throttle, throttleKey, type Attempt } from '../../../daemon/login/throttle.js';

const LIMITS = { lockoutFailures: 5, lockoutMs: 60_000 };
const TRY = { kind: 'try' };

const from = (user: string, address: string, device = `made up at ${address}`): Attempt => ({
  ...{ user, address, device },
});

function fail(throttle: Throttle, attempt: Attempt, times: number, now = 0): void {
  for (let i = 0; i < times; i++) throttle.failed(attempt, now);
}

t.test('each failure doubles the delay, then nothing is tried for a time', async (t) => {
  const throttle = new Throttle(LIMITS);
  const alice = from('alice', '1.2.3.4');
  t.same(throttle.verdict(alice, 0), TRY);
  for (const delay of [250, 500, 1000, 2000]) {
    throttle.failed(alice, 0);
    t.same(throttle.verdict(alice, 0), { kind: 'wait', ms: delay });
    t.same(throttle.verdict(alice, delay - 1), { kind: 'wait', ms: 1 });
    t.same(throttle.verdict(alice, delay), TRY);
  }
  throttle.failed(alice, 1000);
  t.same(throttle.verdict(alice, 60_999), { kind: 'locked', ms: 1 });
  t.same(throttle.verdict(alice, 61_000), TRY);
});

t.test('the delay has an end', async (t) => {
  const throttle = new Throttle({ lockoutFailures: 1000, lockoutMs: 60_000 });
  fail(throttle, from('alice', 'a'), 100);
  t.same(throttle.verdict(from('alice', 'a'), 0), { kind: 'wait', ms: 8000 });
});

t.test('a lockout is of one user at one place; elsewhere, and for others there, it is a delay', async (t) => {
  const throttle = new Throttle(LIMITS);
  fail(throttle, from('alice', 'campus'), 5);
  t.equal(throttle.verdict(from('alice', 'campus'), 10_000).kind, 'locked');
  t.same(throttle.verdict(from('alice', 'home'), 10_000), TRY);
  t.same(throttle.verdict(from('alice', 'home'), 0), { kind: 'wait', ms: 4000 });
  t.same(throttle.verdict(from('bob', 'campus'), 10_000), TRY);
  t.same(throttle.verdict(from('bob', 'campus'), 0), { kind: 'wait', ms: 4000 });
});

t.test('guesses from everywhere, or at everybody, are slow', async (t) => {
  const throttle = new Throttle(LIMITS);
  for (let i = 0; i < 100; i++) throttle.failed(from('alice', `bot ${i}`), 0);
  t.same(throttle.verdict(from('alice', 'elsewhere'), 0), { kind: 'wait', ms: 8000 });
  for (let i = 0; i < 100; i++) throttle.failed(from(`user ${i}`, 'a'), 0);
  t.same(throttle.verdict(from('bob', 'a'), 0), { kind: 'wait', ms: 8000 });
});

t.test('who was let in before does not wait for strangers', async (t) => {
  const throttle = new Throttle(LIMITS);
  throttle.succeeded(from('alice', 'campus', 'laptop'), 0);
  for (let i = 0; i < 100; i++) throttle.failed(from('alice', `bot ${i}`), 0);
  t.same(throttle.verdict(from('alice', 'campus'), 0), TRY, 'from the address');
  t.same(throttle.verdict(from('alice', 'train', 'laptop'), 0), TRY, 'with the device');
  fail(throttle, from('alice', 'campus', 'of a thief'), 5);
  t.equal(throttle.verdict(from('alice', 'campus'), 0).kind, 'locked', 'a neighbour has guessed');
  t.same(throttle.verdict(from('alice', 'campus', 'laptop'), 0), TRY, 'and the device is known by itself');
  fail(throttle, from('alice', 'train', 'laptop'), 5);
  t.equal(throttle.verdict(from('alice', 'campus', 'laptop'), 0).kind, 'locked', 'by its own failures');
});

t.test('a success forgives where it was, and nothing that strangers did', async (t) => {
  const throttle = new Throttle(LIMITS);
  fail(throttle, from('alice', 'a', 'd'), 4);
  throttle.succeeded(from('alice', 'a', 'd'), 0);
  t.same(throttle.verdict(from('alice', 'a', 'd'), 0), TRY);
  t.same(throttle.verdict(from('alice', 'b'), 0), { kind: 'wait', ms: 2000 });
  t.same(throttle.verdict(from('bob', 'a'), 0), { kind: 'wait', ms: 2000 });
});

t.test('the administrator forgives a user, or an address', async (t) => {
  const throttle = new Throttle(LIMITS);
  const places = [from('alice', '1.1.1.1'), from('alice', '2.2.2.2'), from('bob', '2001:db8::/64')];
  for (const place of places) fail(throttle, place, 5);
  t.equal(throttle.forgive('alice', 0), 2);
  t.same(throttle.verdict(from('alice', '3.3.3.3'), 0), TRY);
  t.equal(throttle.verdict(from('bob', '2001:db8::/64'), 0).kind, 'locked');
  t.equal(throttle.forgive('nobody', 0), 0);
  fail(throttle, from('bob', throttleKey('2001:db8::7')), 5);
  t.equal(throttle.forgive('2001:db8::8', 0), 1, 'of its /64');
});

t.test('a restart forgets neither lockouts nor who is known', async (t) => {
  const before = new Throttle(LIMITS);
  before.succeeded(from('alice', 'home', 'laptop'), 5);
  fail(before, from('alice', 'bot'), 5, 1000);
  const after = new Throttle(LIMITS);
  after.restore(structuredClone(before.record(11_000, 5_000_000)), 0, 5_020_000);
  t.same(after.verdict(from('alice', 'bot'), 0), { kind: 'locked', ms: 30_000 });
  t.same(after.verdict(from('alice', 'home'), 0), TRY);
  t.same(after.verdict(from('alice', 'bot'), 30_000), TRY);
  const turned = new Throttle(LIMITS);
  turned.restore(before.record(11_000, 5_000_000), 0, 0);
  t.same(
    turned.verdict(from('alice', 'bot'), 0),
    { kind: 'locked', ms: 50_000 },
    'a clock that was set back',
  );
});

t.test('the tables are bounded; what changed last stays', async (t) => {
  const throttle = new Throttle(LIMITS);
  fail(throttle, from('alice', 'a'), 5);
  for (let i = 0; i < MAX_ENTRIES - 1; i++) throttle.failed(from(`user${i}`, `address${i}`), 0);
  t.equal(throttle.verdict(from('alice', 'a'), 0).kind, 'locked');
  throttle.failed(from('one more', 'one more'), 0);
  t.same(throttle.verdict(from('alice', 'a'), 0), TRY);
  t.same(throttle.verdict(from('user0', 'b'), 0), { kind: 'wait', ms: 250 });
  for (let i = 0; i < 1000; i++) throttle.succeeded(from('bob', `address ${i}`, `device ${i}`), 0);
  const [[, known] = []] = throttle.record(0, 0).known;
  t.equal(known?.addresses.length, 16);
  t.equal(known?.devices.at(-1), 'device 999');
});

t.test('an IPv6 host is its /64', async (t) => {
  t.equal(throttleKey('127.0.0.1'), '127.0.0.1');
  t.equal(throttleKey('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.equal(throttleKey('2001:db8::6'), '2001:db8:0:0::/64');
  t.equal(throttleKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(throttleKey('::1'), '0:0:0:0::/64');
  t.equal(throttleKey('2001:0DB8:0:0:1::6'), '2001:db8:0:0::/64', 'however it is written');
  t.equal(throttleKey('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(throttleKey('alice'), 'alice');
});

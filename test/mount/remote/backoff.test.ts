import t from 'tap';
import { Failure } from '../../../protocol/failure.js';
import { Backoff, pause } from '../../../mount/remote/backoff.js';

const MINUTE = 60_000;

t.test('the waits double, up to some seconds', async (t) => {
  const backoff = new Backoff(() => 0.5);
  const refused = new Failure('ECONNREFUSED');
  const waits = [undefined, ...Array.from({ length: 6 }, () => refused)].map((each) => backoff.next(each));
  t.same(waits, [200, 400, 800, 1600, 3200, 5000, 5000]);
  t.notOk(backoff.refusedLong);
});

t.test(
  'a server that is restarted now and then is back at once, one that drops who it let in is not',
  async (t) => {
    const backoff = new Backoff(() => 0.5);
    for (let killed = 0; killed < 10; killed++) {
      t.same([backoff.next(undefined), backoff.next(new Failure('ECONNREFUSED'))], [200, 400]);
      backoff.lasted(1_000);
    }
    const waits: number[] = [];
    for (let dropped = 0; dropped < 6; dropped++) {
      waits.push(backoff.next(undefined));
      backoff.lasted(150);
    }
    t.same(waits, [200, 400, 800, 1600, 3200, 5000], 'longer than it lasts');
    backoff.lasted(5_001);
    t.equal(backoff.next(undefined), 200);
  },
);

t.test('a login that was accepted after it was refused counts as one that was not', async (t) => {
  const backoff = new Backoff(() => 0.5);
  for (let tries = 0; tries < 5; tries++) backoff.next(new Failure('EKEYREJECTED'));
  backoff.lasted(100_000);
  t.equal(backoff.next(new Failure('EKEYREJECTED')), 5_000);
});

t.test('they are spread out', async (t) => {
  t.equal(new Backoff(() => 0).next(undefined), 150);
  t.equal(new Backoff(() => 1).next(undefined), 250);
});

t.test('a login that is refused is tried a few times, then seldom, and never given up', async (t) => {
  let now = 0;
  const backoff = new Backoff(
    () => 0.5,
    () => now,
  );
  const refused = new Failure('EKEYREJECTED');
  t.equal(new Backoff(() => 0.5).next(new Failure('HOSTKEY')), 5_000, 'another server, too');
  let tries = 0;
  for (; now < 5 * MINUTE; tries++) now += backoff.next(refused);
  t.ok(tries < 10, 'as many wrong passwords lock the user out');
  t.ok(backoff.refusedLong);
  backoff.next(new Failure('EAGAIN', 'too many failed logins'));
  t.ok(
    backoff.refusedLong,
    'a lockout, as by the tries of another mount, is no sign that the password was right',
  );
  t.ok(backoff.next(refused) > 5 * MINUTE, 'the server has forgotten the try before');
  t.equal(backoff.next(new Failure('ECONNREFUSED')), 200, 'a server that is away is another matter');
  t.notOk(backoff.refusedLong);
});

t.test('a pause ends early where it is not wanted any more', async (t) => {
  const stop = new AbortController();
  const paused = pause(60_000, stop.signal);
  stop.abort();
  await paused;
  await pause(60_000, stop.signal);
  await pause(1, new AbortController().signal);
  t.pass();
});

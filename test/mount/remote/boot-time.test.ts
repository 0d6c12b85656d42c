import t from 'tap';
import { BootClock, bootTime } from '../../../mount/remote/boot-time.js';

t.test('it goes on while the machine sleeps, and never back', async (t) => {
  let monotonic = 1_000;
  let wall = 1_700_000_000_000;
  const clock = new BootClock(
    () => monotonic,
    () => wall,
  );
  const pass = (ms: number): void => {
    monotonic += ms;
    wall += ms;
  };
  t.equal(clock.now(), 1_000);
  pass(500);
  t.equal(clock.now(), 1_500);
  wall += 3_600_000;
  t.equal(clock.now(), 3_601_500, 'an hour of sleep');
  wall -= 7_200_000;
  t.equal(clock.now(), 3_601_500, 'the clock is set back');
  pass(500);
  wall += 60_000;
  t.equal(clock.now(), 3_662_000, 'a sleep after that');
  wall += 10;
  t.equal(clock.now(), 3_662_000, 'the two clocks need not agree on milliseconds');
});

t.test('this machine', async (t) => {
  const before = bootTime();
  t.ok(bootTime() >= before);
});

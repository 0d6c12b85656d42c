import t from 'tap';
import { UNLIMITED_TIMES } from '../../../protocol/time-limits.js';
import { WallClock } from '../../../mount/filesystem/wall-clock.js';

t.test('two changes never have the same time, also within a millisecond', async (t) => {
  const clock = new WallClock(UNLIMITED_TIMES, () => 1_700_000_000_123);
  t.same(
    [clock.now(), clock.now(), clock.now()],
    [
      { sec: 1_700_000_000, nsec: 123_000_000 },
      { sec: 1_700_000_000, nsec: 123_000_001 },
      { sec: 1_700_000_000, nsec: 123_000_002 },
    ],
  );
});

t.test('a clock set back by a little goes on, one set back by much is believed', async (t) => {
  let now = 50_000;
  const clock = new WallClock(UNLIMITED_TIMES, () => now);
  clock.now();
  now = 49_900;
  t.same(clock.now(), { sec: 50, nsec: 1 });
  now = 10_000;
  t.same(clock.now(), { sec: 10, nsec: 0 });
});

t.test('a disk with steps of a second shows whole seconds, and none behind its last', async (t) => {
  const limits = { first: -10, last: 100, step: 1_000_000_000 };
  let now = 50_123;
  const clock = new WallClock(limits, () => now);
  t.same(clock.now(), { sec: 50, nsec: 0 });
  now = 100_500;
  t.same(clock.now(), { sec: 100, nsec: 0 });
});

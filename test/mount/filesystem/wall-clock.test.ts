import t from 'tap';
import { WallClock } from '../../../mount/filesystem/wall-clock.js';

t.test('two changes never have the same time, also within a millisecond', async (t) => {
  const clock = new WallClock(() => 1_700_000_000_123);
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
  const clock = new WallClock(() => now);
  clock.now();
  now = 49_900;
  t.same(clock.now(), { sec: 50, nsec: 1 });
  now = 10_000;
  t.same(clock.now(), { sec: 10, nsec: 0 });
});

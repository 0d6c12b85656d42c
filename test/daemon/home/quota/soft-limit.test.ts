/* The soft quota: it may be passed for a time of grace, which goes on over restarts. */
import t from 'tap';
import { DEFAULT_GRACE_MS } from '../../../../state/soft-quota.js';
import { ManualClock } from '../../../lib/manual-clock.js';
import { kindOf, Place, TestClient } from '../fixture.js';

const HOUR_MS = 3_600_000;
const SOFT = { softBytes: 100, graceMs: 10 * HOUR_MS };
const LIMITS = { bytes: 200, files: 0, soft: SOFT };

t.test('it may be passed for a time, as far as the quota', async (t) => {
  const place = new Place(t, LIMITS);
  const clock = new ManualClock();
  const home = await place.open({ clock });
  const client = new TestClient(home);
  const { paths } = client;
  const told = (): unknown[] => home.soft.told;
  await paths.put('f', Buffer.alloc(100));
  t.strictSame(told(), [100, null], 'within it');
  await paths.write('f', 100, Buffer.alloc(50));
  t.strictSame(told(), [100, 10 * 3600]);
  clock.pass(9 * HOUR_MS);
  await paths.write('f', 150, Buffer.alloc(20));
  t.strictSame(told(), [100, 3600], 'what is added does not begin it anew');

  clock.pass(HOUR_MS);
  t.equal(await kindOf(() => paths.write('f', 170, Buffer.alloc(1))), 'EDQUOT', 'the time is over');
  t.strictSame([home.quota.limits.bytes, ...told()], [100, 100, 0]);
  await paths.write('f', 0, Buffer.alloc(170));
  await paths.setattr('f', { size: 101 });
  t.equal(await kindOf(() => paths.write('f', 101, Buffer.alloc(1))), 'EDQUOT', 'still over it');
  await paths.setattr('f', { size: 100 });
  t.strictSame(told(), [100, null]);
  await paths.write('f', 100, Buffer.alloc(100));
  t.strictSame(told(), [100, 10 * 3600], 'a time of its own');
  await paths.setattr('f', { size: 100 });
  await paths.write('f', 100, Buffer.alloc(100));
  t.strictSame(told(), [100, 10 * 3600], 'back and forth');
  const later = new TestClient(home);
  const notices = (one: TestClient): unknown[] =>
    one.told.filter(([name]) => name === 'softLimit').map(([, params]) => params);
  t.strictSame(notices(client), [
    [150, 100, 36_000],
    [170, 100, 0],
    [100, 100, null],
    [200, 100, 36_000],
    [100, 100, null],
  ]);
  t.strictSame(notices(later), [[200, 100, 36_000]], 'who comes is told');
});

t.test('the time goes on while the home is closed, and when it is counted', async (t) => {
  const place = new Place(t, LIMITS);
  const clock = new ManualClock();
  const before = await place.open({ clock });
  await new TestClient(before).paths.put('f', Buffer.alloc(150));
  await before.close();
  clock.pass(11 * HOUR_MS);
  place.state.ledger.markDirty(place.user);
  const home = await place.open({ clock });
  const { paths } = new TestClient(home);
  t.equal(await kindOf(() => paths.write('f', 150, Buffer.alloc(1))), 'EDQUOT');
  home.setLimits({ ...LIMITS, soft: { ...SOFT, graceMs: DEFAULT_GRACE_MS } });
  await paths.write('f', 150, Buffer.alloc(1));
  home.setLimits({ bytes: 0, files: 0 });
  t.strictSame(home.soft.told, [0, null], 'there is none any more');
});

/* Accounts that expire while their users are there: told once, at the time, as they are then. */
import t from 'tap';
import { Expiry } from '../../daemon/expiry.js';
import { userName } from '../../protocol/ids.js';
import { ManualClock } from '../lib/manual-clock.js';

const HOUR_MS = 3_600_000;

t.test('who expires is told when the time has come', async (t) => {
  const clock = new ManualClock();
  const at = (hours: number): number => clock.date() + hours * HOUR_MS;
  const there = new Map([
    [userName('alice'), at(2)],
    [userName('bob'), at(1)],
    [userName('carol'), null],
  ]);
  const told: string[] = [];
  const expiry = new Expiry({
    accounts: () => [...there].map(([name, expiresAt]) => ({ name, expiresAt })),
    onExpired: (name) => {
      told.push(name);
      there.delete(name);
    },
    clock,
  });
  for (const expiresAt of there.values()) expiry.expects(expiresAt);
  clock.pass(HOUR_MS - 1);
  t.same(told, []);
  clock.pass(1);
  t.same(told, ['bob']);
  // She got another hour meanwhile, and nobody has said so here.
  there.set(userName('alice'), at(2));
  clock.pass(HOUR_MS);
  t.same(told, ['bob']);
  clock.pass(HOUR_MS);
  t.same(told, ['bob', 'alice']);
  expiry.expects(at(1));
  there.set(userName('dora'), at(1));
  expiry.close();
  clock.pass(2 * HOUR_MS);
  t.same(told, ['bob', 'alice'], 'nothing is told after the end');
});

/* Bans outlast who made them, and end by themselves. */
import t from 'tap';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';

t.test('those that are in force', async (t) => {
  const directory = temporaryDirectory(t);
  const now = Date.now();
  const before = openState(directory);
  before.bans.add({ network: '192.0.2.0/24', since: now, until: null });
  before.bans.add({ network: '203.0.113.7', since: now, until: now - 1 });
  await before.close();
  const { bans, close } = openState(directory);
  t.teardown(close);
  t.strictSame(bans.list(), [{ network: '192.0.2.0/24', since: now, until: null }]);
  t.throws(() => bans.remove('203.0.113.7'), { name: 'Failure', kind: 'ENOENT' }, 'it has ended');
  bans.add({ network: '192.0.2.0/24', since: now, until: now + 60_000 });
  t.match(bans.list(), [{ until: now + 60_000 }], 'another time for the same');
  bans.remove('192.0.2.0/24');
  t.strictSame(bans.list(), []);
});

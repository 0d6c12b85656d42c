/* Groups and shares: who has which, and what is kept of those that are removed. */
import t, { type Test } from 'tap';
import { groupName, homeName, homeOfShare, shareName, shareOfHome, userName } from '../../protocol/ids.js';
import { MAX_SHARES } from '../../protocol/limits.js';
import { withGrant, type ShareRecord } from '../../state/shares.js';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';
import { failing } from '../lib/failing.js';

const [ALICE, LILY] = [userName('alice'), userName('lily')];
const [STAFF, GUESTS] = [groupName('staff'), groupName('guests')];
const TEAM = shareName('team');

function stateWith(t: Test) {
  const state = openState(temporaryDirectory(t));
  t.teardown(() => state.close());
  for (const name of [ALICE, LILY]) {
    const limits = { quotaBytes: 0, maxFiles: 0, createdAt: 5 };
    state.accounts.create({
      name,
      ...limits,
      passwordHash: null,
      keys: [],
      disabled: false,
      expiresAt: null,
    });
  }
  return state;
}

function share(name = TEAM, grants: ShareRecord['grants'] = [{ group: STAFF, access: 'rw' }]): ShareRecord {
  return { name, createdAt: 7, quotaBytes: 1, maxFiles: 2, grants };
}

t.test('the widest of what the groups of a user are granted', async (t) => {
  const state = stateWith(t);
  const { groups, shares } = state;
  groups.create(STAFF, [ALICE]);
  groups.create(GUESTS, [ALICE, LILY]);
  state.addShare(share());
  shares.update(TEAM, (record) => withGrant(record, GUESTS, 'ro'));
  t.same(shares.of(ALICE), [{ name: 'team', isWritable: true }]);
  t.same(shares.of(LILY), [{ name: 'team', isWritable: false }]);
  state.changeGroup(STAFF, { add: [], remove: [ALICE] });
  t.same(shares.of(ALICE), [{ name: 'team', isWritable: false }]);
  t.same(state.removeGroup(GUESTS), ['team']);
  t.same(shares.of(ALICE), []);
  t.same(shares.get(TEAM)?.grants, [{ group: 'staff', access: 'rw' }]);
});

t.test('mistakes change nothing', async (t) => {
  const state = stateWith(t);
  const { groups, shares } = state;
  t.throws(() => groups.create(STAFF, [ALICE, userName('nobody')]), failing('ENOENT'));
  t.same(groups.list(), []);
  groups.create(STAFF, [ALICE]);
  t.throws(() => groups.create(STAFF, []), failing('EEXIST'));
  t.throws(
    () => state.changeGroup(STAFF, { add: [LILY], remove: [LILY, userName('nobody')] }),
    failing('ENOENT'),
  );
  t.same(groups.list(), [{ name: 'staff', members: ['alice'] }]);
  t.throws(() => state.addShare(share(TEAM, [{ group: GUESTS, access: 'ro' }])), failing('ENOENT'));
  t.same(shares.list(), []);
  t.throws(() => shares.update(TEAM, (record) => record), failing('ENOENT'));
  t.throws(() => state.removeShare(TEAM), failing('ENOENT'));
  t.throws(() => state.removeGroup(GUESTS), failing('ENOENT'));
});

t.test('nobody has more than a client is told of', async (t) => {
  const state = stateWith(t);
  state.groups.create(STAFF, [ALICE]);
  state.groups.create(GUESTS, []);
  for (let i = 0; i < MAX_SHARES; i++) state.addShare(share(shareName(`s${i}`)));
  t.throws(() => state.addShare(share()), failing('E2BIG'));
  state.addShare(share(TEAM, [{ group: GUESTS, access: 'ro' }]));
  t.throws(() => state.changeGroup(GUESTS, { add: [ALICE], remove: [] }), failing('E2BIG'));
  t.equal(state.shares.of(ALICE).length, MAX_SHARES);
  state.changeGroup(GUESTS, { add: [LILY], remove: [] });
});

t.test(
  'how many users have is asked where more of them get something, and reads the shares once',
  async (t) => {
    const { groups, shares } = stateWith(t);
    groups.create(STAFF, [ALICE, LILY]);
    groups.create(GUESTS, [LILY]);
    const [asked, read] = [
      t.capture(shares, 'requireFew', shares.requireFew),
      t.capture(shares, 'list', shares.list),
    ];
    const users = (): string[] => asked().flatMap(({ args: [some] }) => [...some]);
    shares.create(share());
    t.same(users(), ['alice', 'lily']);
    t.equal(read().length, 1);
    shares.update(TEAM, (record) => ({ ...withGrant(record, STAFF, 'ro'), quotaBytes: 5 }));
    t.same(users(), []);
    shares.update(TEAM, (record) => withGrant(record, GUESTS, 'rw'));
    t.same(users(), ['lily']);
    t.same(shares.of(LILY), [{ name: 'team', isWritable: true }]);
    t.same(shares.of(ALICE), [{ name: 'team', isWritable: false }]);
  },
);

t.test('a removed user is in no group, and of a removed share nothing is kept', async (t) => {
  const state = stateWith(t);
  const home = homeOfShare(TEAM);
  state.groups.create(STAFF, [ALICE, LILY]);
  state.addShare(share());
  state.ledger.write({ name: home, createdAt: 7 }, { bytes: 1, files: 1 }, true);
  t.match(state.ledger.read(home), { bytes: 1 });
  state.shares.setShown(ALICE, [TEAM]);
  state.removeUser(ALICE);
  t.same(state.groups.list(), [{ name: 'staff', members: ['lily'] }]);
  t.same(state.shares.shown(ALICE), []);
  state.removeShare(TEAM);
  t.equal(state.ledger.read(home), undefined);
  state.ledger.write({ name: home, createdAt: 7 }, { bytes: 1, files: 1 }, true);
  t.equal(state.ledger.read(home), undefined, 'a worker that closes it afterwards writes nothing');
});

t.test("the home of a share cannot be a user's", async (t) => {
  t.equal(homeOfShare(TEAM), '+team');
  t.equal(shareOfHome(homeName('+team')), 'team');
  t.equal(shareOfHome(homeName('team')), undefined);
  t.throws(() => userName('+team'), failing('EINVAL'));
  for (const text of ['+', '++team', '+../x', '+Team'])
    t.throws(() => homeName(text), failing('EINVAL'), text);
});

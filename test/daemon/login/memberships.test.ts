/* What becomes of a session as shares change, and whose client is who in a share. */
import t from 'tap';
import { clientIdIn, consequenceOf } from '../../../daemon/login/memberships.js';
import { shareName, userName } from '../../../protocol/ids.js';
import type { Share } from '../../../protocol/shares.js';

const ALICE = userName('alice');
const TEAM: Share = { name: shareName('team'), isWritable: true };
const READABLE: Share = { ...TEAM, isWritable: false };

t.test('a session of the own home is told what changed', async (t) => {
  const own = { share: undefined, shares: [TEAM] };
  t.same(consequenceOf([TEAM], own), { kind: 'none' });
  t.same(consequenceOf([READABLE], own), { kind: 'told', shares: [READABLE] });
  t.same(consequenceOf([], own), { kind: 'told', shares: [] });
});

t.test('one of a share ends with it, and begins anew where less or more may be done', async (t) => {
  const there = { share: TEAM, shares: [TEAM] };
  t.same(consequenceOf([TEAM], there), { kind: 'none' });
  t.match(consequenceOf([READABLE], there), { kind: 'ended', again: true });
  t.match(consequenceOf([], there), { kind: 'ended', again: false });
});

t.test("a client of a share is not another user's, nor what it was when it could write", async (t) => {
  const id = Buffer.alloc(16, 7);
  t.same(Buffer.from(clientIdIn(undefined, ALICE, id)), id);
  const ids = [
    clientIdIn(TEAM, ALICE, id),
    clientIdIn(READABLE, ALICE, id),
    clientIdIn(TEAM, userName('lily'), id),
    id,
  ].map((one) => Buffer.from(one).toString('hex'));
  t.equal(new Set(ids).size, ids.length);
  t.same(clientIdIn(TEAM, ALICE, id), clientIdIn(TEAM, ALICE, id), 'but comes back as itself');
  t.ok(ids.every((one) => one.length === 32));
});

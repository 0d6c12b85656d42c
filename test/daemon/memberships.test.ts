/* What becomes of a session as shares change, and whose client is who in a share. */
import t from 'tap';
import { clientIdIn, Memberships } from '../../daemon/memberships.js';
import { shareName, userName } from '../../protocol/ids.js';
import type { Share } from '../../protocol/shares.js';

const ALICE = userName('alice');
const TEAM: Share = { name: shareName('team'), isWritable: true };
const READABLE: Share = { ...TEAM, isWritable: false };

function membershipsWith(...shares: Share[]): Memberships {
  return new Memberships({ get: () => undefined, of: () => shares });
}

t.test('a session of the own home is told what changed', async (t) => {
  const own = { share: undefined, shares: [TEAM] };
  t.same(membershipsWith(TEAM).consequence(ALICE, own), { kind: 'none' });
  t.same(membershipsWith(READABLE).consequence(ALICE, own), { kind: 'told', shares: [READABLE] });
  t.same(membershipsWith().consequence(ALICE, own), { kind: 'told', shares: [] });
});

t.test('one of a share ends with it, and begins anew where less or more may be done', async (t) => {
  const there = { share: TEAM, shares: [TEAM] };
  t.same(membershipsWith(TEAM).consequence(ALICE, there), { kind: 'none' });
  t.match(membershipsWith(READABLE).consequence(ALICE, there), { kind: 'ended', again: true });
  t.match(membershipsWith().consequence(ALICE, there), { kind: 'ended', again: false });
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

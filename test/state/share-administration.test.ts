/* Changes of groups and shares: made, recorded, and told to the daemon, in this order. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Failure } from '../../protocol/failure.js';
import { groupName, shareName } from '../../protocol/ids.js';
import type { AskIfRunning } from '../../state/announcer.js';
import { ShareAdministration } from '../../state/share-administration.js';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';
import { failing } from '../lib/failing.js';

const STAFF = groupName('staff');
const TEAM = shareName('team');

function administrationOf(t: Test, daemon: (request: unknown) => unknown) {
  const state = openState(temporaryDirectory(t));
  t.teardown(() => state.close());
  const ask = (async (request: unknown) => daemon(request)) as AskIfRunning;
  return { state, administration: new ShareAdministration({ state, by: 'a test', ask }) };
}

const NEW = {
  quotaBytes: 1000,
  maxFiles: 0,
  grants: [{ group: STAFF, access: 'rw' }],
  adopt: false,
} as const;

t.test('what was done, by whom, and what the daemon is told', async (t) => {
  const told: unknown[] = [];
  const { state, administration } = administrationOf(t, (request) => void told.push(request));
  await administration.addGroup(STAFF, []);
  await administration.addShare(TEAM, NEW);
  await administration.changeShare(TEAM, { quotaBytes: 2000, grants: [{ group: STAFF, access: 'ro' }] });
  await t.rejects(administration.addShare(TEAM, NEW), failing('EEXIST'));
  t.same(await administration.removeGroup(STAFF), ['team']);
  t.match(state.shares.get(TEAM), { quotaBytes: 2000, grants: [] });
  await administration.removeShare(TEAM, false);
  t.same(told, [
    { type: 'shareRemoved', name: 'team' },
    { type: 'sharesChanged' },
    { type: 'sharesChanged' },
    { type: 'sharesChanged' },
    { type: 'shareRemoved', name: 'team' },
  ]);
  const lines = readFileSync(state.paths.managerLog, 'utf8').trimEnd().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { by: 'a test', msg: 'groupadd', group: 'staff' },
      { msg: 'shareadd', share: 'team', quotaBytes: 1000, grants: 'staff rw' },
      { msg: 'sharemod', grants: 'staff ro', before: { quotaBytes: 1000, grants: 'staff rw' } },
      { msg: 'groupdel', shares: 'team' },
      { msg: 'sharedel', removeHome: false },
    ],
  );
});

t.test('no share is made while the daemon may serve an earlier one of the name', async (t) => {
  const { state, administration } = administrationOf(t, () => {
    throw new Failure('EIO', 'on demand');
  });
  state.groups.create(STAFF, []);
  await t.rejects(administration.addShare(TEAM, NEW), { kind: 'EIO', message: /^no share is made: / });
  t.equal(state.shares.get(TEAM), undefined);
});

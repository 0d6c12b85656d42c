/* Changes of groups and shares: made, recorded, and told to the daemon, in this order. */
import { mkdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Failure } from '../../protocol/failure.js';
import { groupName, shareName, userName } from '../../protocol/ids.js';
import { Administration } from '../../state/administration.js';
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
  const parts = { state, by: 'a test', ask };
  return { state, accounts: new Administration(parts), administration: new ShareAdministration(parts) };
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
    { type: 'homesRemoved', names: ['+team'] },
    { type: 'sharesChanged' },
    { type: 'sharesChanged' },
    { type: 'sharesChanged' },
    { type: 'homesRemoved', names: ['+team'] },
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

t.test('of what is made at once all is recorded and told, whatever fails of it', async (t) => {
  const LILY = userName('lily');
  const limits = { quotaBytes: 0, maxFiles: 0 };
  const user = { ...limits, posixOwners: false, expiresAt: null, adopt: false, credential: null };
  const all = {
    users: [
      { ...user, name: LILY },
      { ...user, name: userName('max') },
    ],
    groups: [{ name: STAFF, members: [LILY] }],
    shares: [{ ...NEW, name: TEAM }],
  };
  const announced = [{ type: 'homesRemoved', names: ['lily', 'max', '+team'] }, { type: 'sharesChanged' }];
  await t.test('a daemon that does not take it up', async (t) => {
    const told: { readonly type: string }[] = [];
    const { state, accounts, administration } = administrationOf(t, (request) => {
      told.push(request as { readonly type: string });
      if (told.at(-1)?.type === 'sharesChanged') throw new Failure('EIO', 'on demand');
    });
    const message = /^the change is made, but the running daemon did not take it up/;
    await t.rejects(administration.addAll(accounts, all), { kind: 'EIO', message });
    t.strictSame(told, announced);
    const lines = readFileSync(state.paths.managerLog, 'utf8').trimEnd().split('\n');
    t.strictSame(
      lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
      ['useradd', 'useradd', 'groupadd', 'shareadd'],
    );
  });
  await t.test('an audit trail that cannot be written', async (t) => {
    const told: unknown[] = [];
    const { state, accounts, administration } = administrationOf(t, (request) => void told.push(request));
    mkdirSync(state.paths.managerLog);
    await t.rejects(administration.addAll(accounts, all), {
      message: /^the change is made, but not in .*manager\.log/,
    });
    t.strictSame(told, announced);
    t.match(state.shares.of(LILY), [{ name: 'team' }]);
  });
});

t.test('a change of a group that changes nothing is refused', async (t) => {
  const { state, administration } = administrationOf(t, () => undefined);
  const lily = userName('lily');
  state.groups.create(STAFF, []);
  for (const change of [
    { add: [], remove: [] },
    { add: [lily], remove: [lily] },
  ]) {
    await t.rejects(administration.changeGroup(STAFF, change), failing('EINVAL'));
  }
});

t.test('no share is made while the daemon may serve an earlier one of the name', async (t) => {
  const { state, administration } = administrationOf(t, () => {
    throw new Failure('EIO', 'on demand');
  });
  state.groups.create(STAFF, []);
  await t.rejects(administration.addShare(TEAM, NEW), { kind: 'EIO', message: /^nothing is made: / });
  t.equal(state.shares.get(TEAM), undefined);
});

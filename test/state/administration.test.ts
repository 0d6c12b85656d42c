/* Changes of accounts: made, recorded, and told to the daemon, in this order; whoever makes them learns what went wrong. */
import { readFileSync, rmSync, mkdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Failure } from '../../protocol/failure.js';
import { userName } from '../../protocol/ids.js';
import type { AskIfRunning } from '../../state/announcer.js';
import { Administration, type NewUser } from '../../state/administration.js';
import { openState } from '../../state/store.js';
import { temporaryDirectory } from '../lib/directory.js';

const ALICE = userName('alice');
const BOB = userName('bob');
const NEW: NewUser = {
  quotaBytes: 1000,
  maxFiles: 0,
  posixOwners: false,
  expiresAt: null,
  adopt: false,
  credential: null,
};

function administrationOf(t: Test, daemon: (request: unknown) => unknown) {
  const state = openState(temporaryDirectory(t));
  t.teardown(() => state.close());
  const ask = (async (request: unknown) => daemon(request)) as AskIfRunning;
  return { state, administration: new Administration({ state, by: 'a test', ask }) };
}

t.test('what was done, by whom, and what the daemon is told', async (t) => {
  const told: unknown[] = [];
  const { state, administration } = administrationOf(t, (request) => {
    told.push(request);
    return { closedSessions: 2 };
  });
  await administration.addUser(ALICE, NEW);
  await administration.changeUser(ALICE, { quotaBytes: 2000, expiresAt: new Date(2027, 0, 31).getTime() });
  t.equal(await administration.disconnect(ALICE), 2);
  await t.rejects(administration.addUser(ALICE, NEW), { name: 'Failure', kind: 'EEXIST' });
  for (const act of ['disconnect', 'unlock'] as const) {
    await t.rejects(
      administration[act](BOB),
      { name: 'Failure', kind: 'ENOENT' },
      'of nobody nothing is told',
    );
  }
  t.match(state.accounts.get(ALICE), { quotaBytes: 2000 });
  t.match(told, [
    { type: 'homesRemoved', names: ['alice'] },
    { type: 'accountChanged', closeSessions: false, reopen: false },
    { type: 'accountChanged', closeSessions: true },
  ]);
  const lines = readFileSync(state.paths.managerLog, 'utf8').trimEnd().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { by: 'a test', user: 'alice', msg: 'useradd', quotaBytes: 1000 },
      {
        ...{ msg: 'usermod', quotaBytes: 2000, expires: '2027-01-31 00:00' },
        before: { quotaBytes: 1000, expires: 'never' },
      },
      { msg: 'disconnect' },
    ],
  );
});

t.test(
  'a change that the daemon does not take up, or that cannot be recorded, is made and told of',
  async (t) => {
    let refused = '';
    const refusing = administrationOf(t, (request) => {
      if (Object(request).type === refused) throw new Failure('EIO', 'on demand');
    });
    await refusing.administration.addUser(ALICE, NEW);
    refused = 'accountChanged';
    await t.rejects(refusing.administration.changeUser(ALICE, { disabled: true }), {
      kind: 'EIO',
      message: 'the change is made, but the running daemon did not take it up (on demand): restart it',
    });
    t.match(refusing.state.accounts.get(ALICE), { disabled: true });
    refused = 'homesRemoved';
    await t.rejects(refusing.administration.addUser(BOB, NEW), {
      kind: 'EIO',
      message: /^nothing is made: .*earlier bob/,
    });
    t.equal(
      refusing.state.accounts.get(BOB),
      undefined,
      'but none while the daemon may serve an earlier user of the name',
    );
    const { state, administration } = administrationOf(t, () => undefined);
    await administration.addUser(ALICE, NEW);
    rmSync(state.paths.managerLog);
    mkdirSync(state.paths.managerLog);
    await t.rejects(administration.changeUser(ALICE, { disabled: true }), {
      message: /^the change is made, but not in .*manager\.log \(illegal operation on a directory\)$/,
    });
    t.match(state.accounts.get(ALICE), { disabled: true });
  },
);

t.test('a trash is recorded as empty when the daemon has emptied it', async (t) => {
  let daemon: () => unknown = () => undefined;
  const { state, administration } = administrationOf(t, (request) =>
    Object(request).type === 'trash' ? daemon() : undefined,
  );
  await administration.addUser(ALICE, NEW);
  const actions = (): unknown[] =>
    readFileSync(state.paths.managerLog, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { msg: unknown }).msg);
  await t.rejects(administration.emptyTrash(ALICE), {
    kind: 'ECONNREFUSED',
    message: 'no daemon runs, which alone can look into the trash',
  });
  daemon = () => {
    throw new Failure('EIO', 'on demand');
  };
  await t.rejects(administration.emptyTrash(ALICE), { kind: 'EIO', message: 'on demand' });
  t.strictSame(actions(), ['useradd']);
  const emptied = { bytes: 10, files: 4 };
  daemon = () => ({ items: [], next: null, removed: emptied });
  t.equal(await administration.emptyTrash(ALICE), emptied);
  t.strictSame(actions(), ['useradd', 'trash-empty']);
});

t.test('a password that is guessed first is set by nobody', async (t) => {
  const { state, administration } = administrationOf(t, () => undefined);
  const weak = { password: 'password1' };
  const refused = { name: 'Failure', kind: 'EINVAL', message: /guessed first/ };
  await t.rejects(administration.addUser(ALICE, { ...NEW, credential: weak }), refused);
  await t.rejects(administration.addUser(ALICE, { ...NEW, credential: async () => weak }), refused);
  t.strictSame(state.accounts.list(), []);
  await administration.addUser(ALICE, NEW);
  await t.rejects(
    administration.setPassword(ALICE, async () => weak, false),
    refused,
  );
  await t.rejects(
    administration.setWebPassword(async () => weak),
    refused,
  );
  t.match(state.accounts.get(ALICE), { passwordHash: null });
  t.equal(state.webPasswordHash, undefined);
  state.minPassword = 20;
  const mistakes = await administration.refusals([
    { name: BOB, adopt: false, credential: { password: 'kd83nmzq' } },
  ]);
  t.match(mistakes.get(0), { message: 'the password has 8 characters, and 20 are needed' });
});

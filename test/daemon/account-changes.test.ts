/* A running daemon: changes of accounts reach sessions that are open. */
import { rmSync } from 'node:fs';
import t from 'tap';
import { userName } from '../../protocol/ids.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { askDaemon } from '../../state/control.js';
import { openState } from '../../state/store.js';
import { changeAccount, logIn, makeAccounts } from '../lib/accounts.js';
import { startWithAccounts } from '../lib/daemon.js';
import { PathClient } from '../lib/path-client.js';
import { Told } from '../lib/told.js';

const PASSWORD = 'a password for the tests';
const ALICE = userName('alice');

t.test('changes of accounts reach open sessions', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice', 'lily', 'bob']);
  const { port, state } = daemon;
  const keyPair = generateKeyPair();
  const publicKey = Buffer.from(keyPair.publicKey).toString('base64');
  await changeAccount(state, 'alice', (a) => ({ ...a, keys: [{ publicKey, comment: '' }] }));
  const shutdown = new Told<[string, boolean]>();
  const notifications = { shutdown: (reason: string, again: boolean) => shutdown.push([reason, again]) };
  const byKey = await logIn(t, { port, user: 'alice', password: null, keyPair, notifications });
  const byPassword = await logIn(t, { port, user: 'alice', password: PASSWORD });
  const lily = await logIn(t, { port, user: 'lily', password: PASSWORD });
  const changed = () => askDaemon(state, { type: 'accountChanged', name: ALICE });

  await changeAccount(state, 'alice', (a) => ({ ...a, quotaBytes: 12_345, maxFiles: 9 }));
  t.same(await changed(), { closedSessions: 0 });
  const [, limit, , , files] = await byKey.call('statfs', []);
  t.same([limit, files], [12_345, 9], 'the new limits, in a session that was open');

  await changeAccount(state, 'alice', (a) => ({ ...a, passwordHash: null }));
  t.same(await changed(), { closedSessions: 0 }, 'a changed password closes nothing');

  await changeAccount(state, 'alice', (a) => ({ ...a, keys: [] }));
  t.same(await changed(), { closedSessions: 1 }, 'a removed key closes the sessions that it opened');
  await byKey.closed;
  t.same(shutdown.all, [['the account changed', false]]);
  t.ok(await byPassword.call('statfs', []));
  await t.rejects(
    logIn(t, { port, user: 'alice', password: null, keyPair }).then(({ loginFailure }) => {
      throw loginFailure ?? new Error('logged in');
    }),
    { name: 'Failure', kind: 'ENOKEY' },
  );

  await changeAccount(state, 'alice', (a) => ({ ...a, disabled: true }));
  t.same(await changed(), { closedSessions: 1 });
  await byPassword.closed;

  const users = openState(state);
  users.removeUser(userName('lily'));
  await users.close();
  t.same(await askDaemon(state, { type: 'homesRemoved', names: [userName('lily')] }), { closedSessions: 1 });
  await lily.closed;
  const expiring = await logIn(t, { port, user: 'bob', password: PASSWORD });
  await changeAccount(state, 'bob', (a) => ({ ...a, expiresAt: Date.now() + 500 }));
  await askDaemon(state, { type: 'accountChanged', name: userName('bob') });
  await expiring.closed; // it expired
  await t.rejects(logIn(t, { port, user: 'bob', password: PASSWORD }), {
    name: 'Failure',
    kind: 'EKEYEXPIRED',
  });
  await changeAccount(state, 'bob', (a) => ({ ...a, expiresAt: null }));
  const bob = await logIn(t, { port, user: 'bob', password: PASSWORD });
  t.same(await askDaemon(state, { type: 'accountChanged', name: userName('bob'), closeSessions: true }), {
    closedSessions: 1,
  });
  await bob.closed;
});

t.test(
  'a new user gets nothing of an earlier one of the name, whose removal the daemon was not told',
  async (t) => {
    const daemon = await startWithAccounts(t, PASSWORD, ['alice', 'bob'], ['--max-sessions', '1']);
    const { port, state } = daemon;
    const earlier = await logIn(t, { port, user: 'alice', password: PASSWORD });
    await new PathClient(earlier).mkdir('directory');
    const queued = new Told<number>();
    const notifications = { queued: (place: number) => queued.push(place) };
    const refused = t.rejects(
      logIn(t, { port, user: 'bob', password: PASSWORD, notifications }).then(({ loginFailure }) => {
        throw loginFailure ?? new Error('logged in');
      }),
      { name: 'Failure', kind: 'EKEYREJECTED' },
      'who waited in the queue has not proved that he is the new one',
    );
    await queued.until((places) => places.length > 0);
    const users = openState(state);
    users.removeUser(ALICE);
    users.removeUser(userName('bob'));
    await users.close();
    rmSync(daemon.home('alice'), { recursive: true });
    await makeAccounts(state, PASSWORD, ['bob']);

    const added = await daemon.ftpctl(['useradd', 'alice', '--quota', '1G', '--no-password']);
    t.match(added, { code: 0 }, added.stderr);
    await t.rejects(earlier.call('statfs', []), 'the session is over when the account is there');
    await refused;
    t.match(
      await askDaemon(state, { type: 'quotaCheck', name: ALICE, repair: false }),
      [{ ledger: { bytes: 0, files: 0 }, tree: { bytes: 0, files: 0 } }],
      'a home of his own',
    );
  },
);

t.test('quota check through the daemon', async (t) => {
  const { port, state } = await startWithAccounts(t, PASSWORD, ['alice', 'lily']);
  const client = await logIn(t, { port, user: 'alice', password: PASSWORD });
  await new PathClient(client).mkdir('directory');
  const reports = await askDaemon(state, { type: 'quotaCheck', name: null, repair: false });
  t.match(reports, [
    { home: 'alice', ledger: { files: 1 }, tree: { files: 1 }, repaired: false },
    { home: 'lily', ledger: { files: 0 }, tree: { files: 0 } },
  ]);
  await t.rejects(askDaemon(state, { type: 'quotaCheck', name: userName('nobody'), repair: false }), {
    name: 'Failure',
    kind: 'ENOENT',
  });
});

/* What a running daemon logs of logins, and what it never logs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Failure } from '../../protocol/failure.js';
import { userName } from '../../protocol/ids.js';
import { generateKeyPair } from '../../protocol/transport/x25519.js';
import { openState } from '../../state/store.js';
import { logIn } from '../lib/accounts.js';
import { startWithAccounts } from '../lib/daemon.js';
import { PathClient } from '../lib/path-client.js';

const PASSWORD = 'a password for the tests';
const ALICE = userName('alice');

t.test('no secret is in any log', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice'], ['--log-level', 'debug']);
  const { port, state } = daemon;
  const keyPair = generateKeyPair();
  const wrong = 'a wrong password';
  const kind = async (user: string, password: string | null): Promise<string | undefined> => {
    try {
      const client = await logIn(t, { port, user, password, keyPair });
      if (client.loginFailure === undefined) await changeNames(new PathClient(client));
      return client.loginFailure?.kind;
    } catch (error) {
      return Failure.from(error).kind;
    }
  };
  t.equal(await kind('alice', wrong), 'EKEYREJECTED');
  t.equal(await kind('typedmypassword', wrong), 'EKEYREJECTED');
  t.equal(await kind('alice', PASSWORD), undefined);
  await daemon.stop();
  const store = openState(state);
  const hash = store.accounts.get(ALICE)?.passwordHash ?? '';
  await store.close();
  const userLog = readFileSync(join(state, 'user.log'), 'utf8');
  const logs = daemon.service.output + userLog;
  const serverKey = readFileSync(join(state, 'server.key'), 'utf8').split(' ')[1] ?? '';
  const secrets = { wrong, PASSWORD, name: 'typedmypassword', hash, serverKey };
  for (const [what, secret] of Object.entries(secrets)) {
    t.ok(secret.length > 10, what);
    t.notOk(logs.includes(secret), `${what} is not logged`);
  }
  const lines = userLog.trimEnd().split('\n');
  t.match(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { msg: 'login refused', user: 'alice', kind: 'EKEYREJECTED', peer: /^127\.0\.0\.1:\d+$/ },
      { msg: 'login refused', user: null },
      { msg: 'login', user: 'alice', by: 'password' },
      {
        msg: 'changes',
        user: 'alice',
        peer: /^127\.0\.0\.1:\d+$/,
        removed: { count: 13, first: ['in/0', ...Array.from({ length: 9 }, (_, n) => `in/${n + 1}`)] },
        renamed: { count: 1, first: ['kept -> moved'] },
      },
      { msg: 'logout', user: 'alice', ms: Number },
    ],
  );
  t.ok(
    lines.every((line) => line.split('"msg":').length === 2),
    'what happened is told once',
  );
});

/** Removes more than is told by name. */
async function changeNames(paths: PathClient): Promise<void> {
  await paths.mkdir('in');
  const names = Array.from({ length: 12 }, (_, n) => `in/${n}`);
  for (const name of [...names, 'kept']) await paths.create(name);
  await paths.rename('kept', 'moved');
  for (const name of names) await paths.unlink(name);
  await paths.rmdir('in');
}

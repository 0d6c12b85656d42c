/* A running daemon that is killed: its clients come back and go on where they were. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { NotificationHandlers } from '../../protocol/session/client.js';
import { LEASE_WRITE, WHOLE_HOME, type LeaseItem } from '../../protocol/methods.js';
import { CREATE, MKDIR, packOperation, WRITE, type Operation } from '../../protocol/operations.js';
import { logIn } from '../lib/accounts.js';
import { startWithAccounts } from '../lib/daemon.js';
import { PathClient, place, ref } from '../lib/path-client.js';
import { Told } from '../lib/told.js';

const PASSWORD = 'a password for the tests';

function mkdir(path: string): Operation {
  return { kind: MKDIR, ...place(path), time: null, mode: 0o755, id: null };
}

t.test('after kill -9 a client with leases goes on, and others wait for it', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice']);
  const { port } = daemon;
  const login = { port, user: 'alice', password: PASSWORD };
  const mount = { ...login, clientId: randomBytes(16), leaseWanted: LEASE_WRITE } as const;
  const before = await logIn(t, mount);
  await new PathClient(before).mkdir('d');
  const time = { sec: 1_000_000, nsec: 7 };
  const create: Operation = { kind: CREATE, ...place('d/f'), time, mode: 0o100644, id: null };
  t.equal((await before.call('apply', [1, [packOperation(create)]]))[0], 1);
  const { ino, ctime } = await new PathClient(before).stat('d/f');
  await daemon.kill();
  await before.closed;
  await daemon.start();

  const other = new PathClient(await logIn(t, login));
  const reading = other.read('d/f');
  const leases = new Told<LeaseItem[]>();
  const notifications: NotificationHandlers = {
    lease: (items) => leases.push(items),
    recall: (items) => void again.call('returned', [items]),
  };
  const again = await logIn(t, { ...mount, notifications });
  const { resumed, applied, leased } = again.session;
  t.same([resumed, applied, leased], [false, 1, true]);
  t.same(leases.all, [[[WHOLE_HOME, LEASE_WRITE]]]);
  const write: Operation = { kind: WRITE, file: ref('d/f'), offset: 0, data: Buffer.from('later'), time };
  const log = [create, write].map(packOperation);
  const [now, , , , outcomes] = await again.call('apply', [1, log]);
  t.same([now, outcomes], [2, []], 'what was done is passed over');
  const stat = await new PathClient(again).stat('d/f');
  t.same([stat.ino, stat.ctime, ctime], [ino, time, time], 'and looks as it did');
  t.equal(readFileSync(join(daemon.home('alice'), 'd/f'), 'utf8'), 'later');

  t.equal(String(await reading), 'later', 'the others see what was in its log');
  t.equal(await again.call('sync', [2]), 2);
  await again.call('logout', []);
  await other.mkdir('e');
});

t.test('a change that was answered is not made again after kill -9', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice']);
  const login = { port: daemon.port, user: 'alice', password: PASSWORD, clientId: randomBytes(16) };
  const before = await logIn(t, login);
  const change = [1, packOperation(mkdir('d')), null];
  const made = await before.call('change', change);
  await daemon.kill();
  await before.closed;
  await daemon.start();
  const again = await logIn(t, login);
  t.equal(
    (await again.call('change', [1, packOperation(mkdir('d')), null]))[0]?.ino,
    made[0]?.ino,
    'not EEXIST',
  );
});

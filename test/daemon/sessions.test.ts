/* A real daemon with real clients: the queue and the limits of sessions. */
import { randomBytes } from 'node:crypto';
import { unlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import type { Client } from '../../protocol/session/client.js';
import { askDaemon } from '../../state/control.js';
import { logIn } from '../lib/accounts.js';
import { startWithAccounts } from '../lib/daemon.js';
import { Told } from '../lib/told.js';

const PASSWORD = 'a password for the tests';

t.test('3 sessions, 10 clients: places told live, first in first out, giving up frees a place', async (t) => {
  const args = ['--max-sessions', '3', '--max-queue', '6', '--max-sessions-per-user', '10'];
  const daemon = await startWithAccounts(t, PASSWORD, ['alice', 'lily'], args);
  const { port } = daemon;
  const inside: Client[] = [];
  for (let i = 0; i < 3; i++) inside.push(await logIn(t, { port, user: 'alice', password: PASSWORD }));
  const order = new Told<number>();
  const waiting = [];
  for (let i = 0; i < 6; i++) {
    const places = new Told<number>();
    const giveUp = new AbortController();
    const user = i % 2 === 0 ? 'lily' : 'alice';
    const entered = logIn(t, {
      port,
      user,
      password: PASSWORD,
      notifications: { queued: places.push },
      signal: giveUp.signal,
    }).then((client) => {
      order.push(i);
      return client;
    });
    entered.catch(() => undefined);
    await places.until((all) => all.at(-1) === i + 1);
    waiting.push({ places, giveUp, entered });
  }
  await t.rejects(logIn(t, { port, user: 'lily', password: PASSWORD }), { name: 'Failure', kind: 'EUSERS' });
  const status = await askDaemon(daemon.state, { type: 'status' });
  t.match(status, { maxSessions: 3, queued: 6, maxQueue: 6, sessions: { length: 3 } });

  // The third gives up: those behind move up, and there is room for one more.
  waiting[2]?.giveUp.abort();
  await t.rejects(waiting[2]?.entered.then(() => undefined) ?? Promise.resolve(), {
    name: 'Failure',
    kind: 'ECANCELED',
  });
  for (const [index, place] of [1, 2, 0, 3, 4, 5].entries()) {
    if (place > 0) await waiting[index]?.places.until((all) => all.at(-1) === place);
  }
  // Sessions end one by one; each lets the next one in.
  for (const [round, expected] of [0, 1, 3].entries()) {
    await inside[round]?.close();
    await order.until((all) => all.length === round + 1);
    t.equal(order.all.at(-1), expected);
    const client = await waiting[expected]?.entered;
    t.ok(await client?.call('statfs', []), 'it is a session that works');
  }
  t.same(waiting[5]?.places.all, [6, 5, 4, 3, 2]);
});

t.test('too many sessions of one user', async (t) => {
  const { port } = await startWithAccounts(t, PASSWORD, ['alice', 'lily'], ['--max-sessions-per-user', '1']);
  const first = await logIn(t, { port, user: 'alice', password: PASSWORD });
  await t.rejects(logIn(t, { port, user: 'alice', password: PASSWORD }), { name: 'Failure', kind: 'EBUSY' });
  await logIn(t, { port, user: 'lily', password: PASSWORD });
  t.ok(await first.call('statfs', []));
});

t.test('a client that connects again keeps its place, though the server is full', async (t) => {
  const { port } = await startWithAccounts(
    t,
    PASSWORD,
    ['alice'],
    ['--max-sessions', '1', '--max-queue', '0'],
  );
  const clientId = randomBytes(16);
  const first = await logIn(t, { port, user: 'alice', password: PASSWORD, clientId });
  const second = await logIn(t, { port, user: 'alice', password: PASSWORD, clientId });
  t.ok(await first.closed, 'the old connection is ended');
  t.ok(await second.call('statfs', []));
  await t.rejects(logIn(t, { port, user: 'alice', password: PASSWORD }), { name: 'Failure', kind: 'EUSERS' });
});

t.test('a home that cannot be opened: the login says so, and no place stays taken', async (t) => {
  const daemon = await startWithAccounts(
    t,
    PASSWORD,
    ['alice', 'lily'],
    ['--max-sessions', '1', '--max-queue', '0'],
  );
  const { port } = daemon;
  writeFileSync(daemon.home('alice'), 'in the way');
  for (let i = 0; i < 2; i++) {
    await t.rejects(logIn(t, { port, user: 'alice', password: PASSWORD }), {
      name: 'Failure',
      kind: /EEXIST|ENOTDIR/,
    });
    let lily = await logIn(t, { port, user: 'lily', password: PASSWORD }).catch(() => undefined);
    while (lily === undefined)
      lily = await logIn(t, { port, user: 'lily', password: PASSWORD }).catch(() => undefined);
    await lily.close();
  }
  unlinkSync(daemon.home('alice'));
  let alice = await logIn(t, { port, user: 'alice', password: PASSWORD }).catch(() => undefined);
  while (alice === undefined)
    alice = await logIn(t, { port, user: 'alice', password: PASSWORD }).catch(() => undefined);
  t.ok(await alice.call('statfs', []));
});

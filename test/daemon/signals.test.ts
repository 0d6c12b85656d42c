/* A running daemon and its signals: SIGTERM, SIGHUP, and SIGKILL, which it cannot see. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { userName } from '../../protocol/ids.js';
import { packOperation, WRITE } from '../../protocol/operations.js';
import { askDaemon } from '../../state/control.js';
import { openState } from '../../state/store.js';
import { logIn, makeAccounts } from '../lib/accounts.js';
import { Daemon, startWithAccounts } from '../lib/daemon.js';
import { PathClient, ref } from '../lib/path-client.js';
import { Told } from '../lib/told.js';

const PASSWORD = 'a password for the tests';
const ALICE = userName('alice');

t.test('SIGTERM: what is in flight is finished, clients are told, exit code 0', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice', 'lily'], ['--max-sessions', '1']);
  const { port, state } = daemon;
  const shutdown = new Told<[string, boolean]>();
  const notifications = { shutdown: (reason: string, again: boolean) => shutdown.push([reason, again]) };
  const client = await logIn(t, { port, user: 'alice', password: PASSWORD, notifications });
  const queued = new Told<number>();
  const waiting = logIn(t, {
    port,
    user: 'lily',
    password: PASSWORD,
    notifications: { ...notifications, queued: queued.push },
  });
  waiting.catch(() => undefined);
  await queued.until((all) => all.length > 0);
  const paths = new PathClient(client);
  await paths.create('file');
  const data = randomBytes(2 ** 20);
  const writing = Array.from({ length: 8 }, (_, i) => {
    const write = {
      kind: WRITE,
      file: ref('file'),
      time: null,
      offset: i * data.length,
      data: null,
    } as const;
    return client.call('change', [paths.lastChange + 1 + i, packOperation(write)], { data });
  });
  const answered = Promise.allSettled(writing);
  await writing[0];
  const exit = await daemon.stop();
  t.same(exit, { code: 0, signal: null });
  await t.rejects(waiting, { name: 'Failure' });
  t.same(shutdown.all.length, 2, 'the session and the one that waited');
  t.ok(shutdown.all.every(([reason, again]) => again && /stopping/.test(reason)));
  // What was answered is on the disk, whole.
  const done = (await answered).filter(({ status }) => status === 'fulfilled').length;
  const file = readFileSync(join(daemon.home('alice'), 'file'));
  t.ok(file.length >= done * data.length);
  t.ok(file.subarray(0, data.length).equals(data));
  const after = openState(state);
  t.match(after.ledger.read(ALICE), { bytes: file.length, files: 1, clean: true });
  await after.close();
});

t.test(
  'SIGHUP: limits and log level take effect, what cannot change is told, mistakes change nothing',
  async (t) => {
    const daemon = new Daemon(t, {});
    const config = join(daemon.directory, 'daemon.toml');
    writeFileSync(config, 'max-sessions = 1\nmax-queue = 1\nlog-level = "info"\n');
    const reconfigured = new Daemon(t, { directory: daemon.directory, args: ['--config', config] });
    await makeAccounts(daemon.state, PASSWORD, ['alice']);
    await reconfigured.start();
    const { port, service, state } = reconfigured;
    await logIn(t, { port, user: 'alice', password: PASSWORD });
    const queued = new Told<number>();
    const waiting = logIn(t, {
      port,
      user: 'alice',
      password: PASSWORD,
      notifications: { queued: queued.push },
    });
    await queued.until((all) => all.length > 0);

    writeFileSync(config, 'max-sessions = "many"\n');
    service.signal('SIGHUP');
    await service.says(/the configuration is wrong.*\n/);
    t.match(await askDaemon(state, { type: 'status' }), { maxSessions: 1, queued: 1 });

    writeFileSync(config, 'max-sessions = 2\nmax-queue = 1\nworkers = 63\nlog-level = "warn"\n');
    service.signal('SIGHUP');
    await service.says(/"settings":\["workers"\].*need a new start/);
    t.ok(await (await waiting).call('statfs', []), 'the new limit let it in');
    t.match(await askDaemon(state, { type: 'status' }), { maxSessions: 2, queued: 0 });
    await reconfigured.stop();
    t.notMatch(service.output, /"msg":"stopped"/, 'the new log level');
  },
);

t.test('after a kill the homes are counted again in the background', async (t) => {
  const daemon = await startWithAccounts(t, PASSWORD, ['alice', 'lily']);
  const client = await logIn(t, { port: daemon.port, user: 'alice', password: PASSWORD });
  await new PathClient(client).mkdir('directory');
  await daemon.kill();
  await daemon.start();
  await daemon.service.says(/"home":"alice".*the home was counted/);
  await daemon.stop();
  const state = openState(daemon.state);
  t.match(state.ledger.read(ALICE), { files: 1, clean: true });
  await state.close();
});

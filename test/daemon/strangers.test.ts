/* A real daemon against strangers: it logs, closes, and goes on for everybody else. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { Daemon } from '../lib/daemon.js';
import { logIn, makeAccounts } from '../lib/accounts.js';
import { PathClient } from '../lib/path-client.js';
import { programs } from '../lib/programs.js';
import type { Scope } from '../lib/scope.js';
import { Service } from '../lib/service.js';

const PASSWORD = 'a password for the tests';

async function dial(scope: Scope, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  scope.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

t.test('out of descriptors: connections are refused, sessions go on, and all is well again', async (t) => {
  const files = new Daemon(t, {});
  await makeAccounts(files.state, PASSWORD, ['alice']);
  const many = ['--max-unauthenticated', '10000', '--max-per-address', '10000'];
  const where = ['--listen', '127.0.0.1:0', '--home', files.homes, '--state', files.state];
  const command = [
    '-c',
    'ulimit -n 160; exec "$@"',
    'sh',
    process.execPath,
    programs.ftpmountd,
    ...where,
    ...many,
  ];
  const service = new Service(t, 'sh', command);
  const port = Number((await service.says(/^listening on .*:(\d+)$/m))[1]);
  const session = await logIn(t, { port, user: 'alice', password: PASSWORD });

  const strangers: Socket[] = [];
  for (let i = 0; i < 250; i++) strangers.push(await dial(t, port));
  // libuv takes a connection that has no descriptor and closes it at once.
  await Promise.any(strangers.map((stranger) => new Promise((resolve) => stranger.on('close', resolve))));
  t.ok(await new PathClient(session).mkdir('made meanwhile'));
  for (const stranger of strangers) stranger.destroy();

  let again = await logIn(t, { port, user: 'alice', password: PASSWORD }).catch(() => undefined);
  while (again === undefined)
    again = await logIn(t, { port, user: 'alice', password: PASSWORD }).catch(() => undefined);
  t.ok(await again.call('statfs', []));
  t.same(await service.stop(), { code: 0, signal: null });
  t.match(service.output, /"limit":160,.*not enough descriptors/, 'it was told at the start');
});

t.test('a session that sends garbage is closed; the other ones notice nothing', async (t) => {
  const daemon = new Daemon(t, {});
  await makeAccounts(daemon.state, PASSWORD, ['alice']);
  await daemon.start();
  const { port } = daemon;
  const session = await logIn(t, { port, user: 'alice', password: PASSWORD });
  for (const bytes of [randomBytes(5000), Buffer.from('GET / HTTP/1.0\r\n\r\n'), Buffer.alloc(3)]) {
    const stranger = await dial(t, port);
    stranger.end(bytes);
    await new Promise((resolve) => stranger.resume().on('close', resolve));
  }
  await daemon.service.says(/handshake failed/);
  t.ok(await session.call('statfs', []));
});

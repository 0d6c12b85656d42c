/* Clients that cannot get in: each says in one line what happened, with an exit code of its own, and mounts nothing. */
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountAt } from '../lib/mounts.js';
import { runProgram } from '../lib/programs.js';
import type { RunResult } from '../lib/run.js';
import { problemOf } from '../lib/said.js';
import type { Scope } from '../lib/scope.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, byPassword: true });

/** Tries `ftpctl ls` and `ftpmount`: both have to fail alike. Returns what ftpctl said. */
async function tryBoth(t: Scope & Pick<typeof import('tap').t, 'equal'>, wanted: Wanted): Promise<string> {
  const { target, args, code, env = daemon.env } = wanted;
  const mountpoint = temporaryDirectory(t);
  const mounting = await runProgram('ftpmount', [target, mountpoint, ...args], { env });
  t.equal(mounting.code, code, mounting.stderr);
  t.equal(mountAt(mountpoint), undefined);
  const listing: RunResult = await runProgram('ftpctl', ['ls', target, ...args], { env });
  t.equal(listing.code, code, listing.stderr);
  problemOf(mounting, 'ftpmount');
  return problemOf(listing, 'ftpctl');
}

interface Wanted {
  readonly target: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** A server of another kind, that answers with `greeting` to whoever connects. */
async function otherServer(t: Scope, greeting: string): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(greeting);
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

const password = ['--password-file', daemon.passwordFile('alice'), '--accept-new'];

t.test('a host that is not known', async (t) => {
  const said = await tryBoth(t, { target: 'alice@no-such-host.invalid:', args: password, code: 3 });
  t.match(said, /no-such-host\.invalid/);
});

t.test('nobody listens', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  const said = await tryBoth(t, {
    target: daemon.at('alice'),
    args: ['-p', String(port), ...password],
    code: 3,
  });
  t.match(said, /refused/);
});

for (const [kind, greeting] of [
  ['ssh', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'],
  [
    'http',
    'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request',
  ],
] as const)
  t.test(`something else answers: ${kind}`, async (t) => {
    const port = await otherServer(t, greeting);
    const args = ['-p', String(port), ...password];
    const said = await tryBoth(t, { target: daemon.at('alice'), args, code: 3 });
    t.match(said, /not an? ftpmount|protocol/i);
  });

t.test('the key of the server is not known, and nobody can be asked', async (t) => {
  const config = temporaryDirectory(t);
  const args = daemon.login('alice').filter((arg) => arg !== '--accept-new');
  const env = { ...daemon.env, XDG_CONFIG_HOME: config };
  const said = await tryBoth(t, { target: daemon.at('alice'), args, code: 4, env });
  t.match(said, /key/);
});

t.test('the key of the server has changed', async (t) => {
  const config = path.join(temporaryDirectory(t), 'config');
  t.equal((await daemon.ftpctl(['ls', daemon.at('alice'), ...daemon.login('alice')])).code, 0);
  cpSync(daemon.clientConfig, config, { recursive: true });
  const { port } = daemon;
  await daemon.stop();
  const impostor = await startDaemon(t, {
    users: { alice: { quota: '1G' } },
    args: ['--listen', `127.0.0.1:${port}`],
  });
  const env = { ...daemon.env, XDG_CONFIG_HOME: config };
  const args = ['-p', String(port), ...password];
  const said = await tryBoth(t, { target: daemon.at('alice'), args, code: 4, env });
  t.match(said, /changed/i);
  await impostor.stop();
  await daemon.start();
});

t.test('a wrong password and an unknown user get the same answer', async (t) => {
  const wrong = daemon.passwordFile('somebody');
  const args = ['-p', String(daemon.port), '--password-file', wrong, '--accept-new'];
  const said = [];
  for (const user of ['alice', 'nobody-here']) {
    const line = await tryBoth(t, { target: daemon.at(user), args, code: 5 });
    said.push(line.replaceAll(user, 'USER'));
  }
  t.equal(said[0], said[1]);
});

t.test('a password file that others may read is refused', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(path.join(directory, 'ftpmount'));
  const file = path.join(directory, 'password');
  cpSync(daemon.passwordFile('alice'), file);
  chmodSync(file, 0o644);
  const result = await daemon.ftpctl([
    'ls',
    daemon.at('alice'),
    '-p',
    String(daemon.port),
    '--password-file',
    file,
  ]);
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpctl'), /0600|chmod|others/);
});

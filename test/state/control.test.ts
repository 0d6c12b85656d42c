/* The control socket's vocabulary and both of its ends. */
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ControlServer } from '../../daemon/control-server.js';
import { Failure } from '../../protocol/failure.js';
import { homeOfShare, shareName, userName } from '../../protocol/ids.js';
import {
  askDaemon,
  MAX_CONTROL_REQUEST,
  parseControlRequest,
  type Ask,
  type ControlRequest,
} from '../../state/control.js';
import { statePaths } from '../../state/directory.js';
import { temporaryDirectory } from '../lib/directory.js';
import type { Scope } from '../lib/scope.js';
import { silentLog } from '../lib/logs.js';
import { spawnPlain } from '../lib/spawn.js';
import { until } from '../mount/remote/processes.js';

const ALICE = userName('alice');

async function serve(scope: Scope, handler: (request: ControlRequest) => unknown): Promise<string> {
  const directory = temporaryDirectory(scope);
  const handle = (async (request: ControlRequest) => handler(request)) as Ask;
  const server = new ControlServer(handle, silentLog);
  scope.teardown(() => server.close());
  writeFileSync(statePaths(directory).control, 'left by a killed daemon');
  await server.listen(statePaths(directory).control);
  return directory;
}

t.test('requests arrive as they were sent, answers come back', async (t) => {
  const seen: ControlRequest[] = [];
  const directory = await serve(t, (request) => {
    seen.push(request);
    return { closedSessions: seen.length };
  });
  const requests: ControlRequest[] = [
    { type: 'accountChanged', name: ALICE, closeSessions: true, reopen: false },
    { type: 'accountChanged', name: ALICE, closeSessions: false, reopen: true },
    { type: 'homesRemoved', names: [ALICE, homeOfShare(shareName('team'))] },
    { type: 'homesRemoved', names: Array.from({ length: 10_000 }, (_, index) => userName(`user${index}`)) },
    { type: 'quotaCheck', name: null, repair: true },
    { type: 'quotaCheck', name: ALICE, repair: false },
    { type: 'trash', name: ALICE, act: { kind: 'empty' } },
    { type: 'unlock', userOrAddress: '192.0.2.1' },
    { type: 'bansChanged' },
    { type: 'status' },
  ];
  for (const [index, request] of requests.entries()) {
    t.same(await askDaemon(directory, request), { closedSessions: index + 1 });
  }
  t.same(seen, requests);
  t.equal(statSync(statePaths(directory).control).mode & 0o777, 0o600);
});

t.test('a failure comes back as itself', async (t) => {
  const directory = await serve(t, () => {
    throw new Failure('ENOENT', 'there is no user alice');
  });
  await t.rejects(askDaemon(directory, { type: 'homesRemoved', names: [ALICE] }), {
    kind: 'ENOENT',
    message: 'there is no user alice',
  });
});

t.test('who waits hears that the daemon works on it', async (t) => {
  let finish: (answer: unknown) => void = () => undefined;
  const directory = await serve(t, () => new Promise((resolve) => (finish = resolve)));
  const socket = connect(statePaths(directory).control).setEncoding('utf8');
  socket.write('{"type":"status"}\n');
  const [sign] = (await once(socket, 'data')) as [string];
  t.equal(sign, ' ');
  finish({ pid: 1 });
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  t.strictSame(JSON.parse(sign + answer), { result: { pid: 1 } });
});

t.test('a daemon that is stopped is not waited for', async (t) => {
  const directory = temporaryDirectory(t);
  const { control, lock } = statePaths(directory);
  const server = createServer(() => undefined).listen(control);
  t.teardown(() => server.close());
  await once(server, 'listening');
  await t.rejects(askDaemon(directory, { type: 'status' }, 1), {
    kind: 'ETIMEDOUT',
    message: 'the running daemon does not answer',
  });
  writeFileSync(lock, '');
  await t.rejects(askDaemon(directory, { type: 'status' }, 1), {
    message: 'the running daemon does not answer',
  });
  writeFileSync(lock, '4711\n');
  await t.rejects(askDaemon(directory, { type: 'status' }, 1), { message: /\(process 4711\)/ });
});

t.test('an answer that came while who asks was stopped is heard', async (t) => {
  const silenceMs = 1000;
  let hasStopped: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (hasStopped = resolve));
  const directory = await serve(t, async () => {
    asker.kill('SIGSTOP');
    await until(() => / T /.test(readFileSync(`/proc/${asker.pid}/stat`, 'utf8')));
    hasStopped();
    return { lifted: 1 };
  });
  const control = new URL('../../state/control.js', import.meta.url).href;
  const script = `
    const { askDaemon } = await import(${JSON.stringify(control)});
    const request = { type: 'unlock', userOrAddress: 'alice' };
    console.log(JSON.stringify(await askDaemon(${JSON.stringify(directory)}, request, ${silenceMs})));`;
  const asker = spawnPlain(process.execPath, ['--input-type=module', '--eval', script], {});
  t.teardown(() => asker.kill('SIGKILL'));
  await stopped;
  // As long as the daemon may be silent, and a little more.
  await delay(1.5 * silenceMs);
  asker.kill('SIGCONT');
  const [answer, complaint] = await Promise.all([text(asker.stdout), text(asker.stderr)]);
  t.equal(answer, '{"lifted":1}\n', complaint);
});

t.test('no daemon: no socket, or one that a killed daemon left', async (t) => {
  const directory = temporaryDirectory(t);
  t.equal(await askDaemon(directory, { type: 'status' }), undefined);
  t.equal(await askDaemon(join(directory, 'x'.repeat(120)), { type: 'status' }), undefined);
});

t.test('garbage is answered with an error and an end', async (t) => {
  const directory = await serve(t, () => null);
  for (const garbage of [
    '\n',
    'null\n',
    '{"type":"x"}\n',
    '{"type":"homesRemoved","names":"alice"}\n',
    `${'x'.repeat(MAX_CONTROL_REQUEST + 1)}`,
    '{"type":"accountChanged"}\n',
  ]) {
    const socket = connect(statePaths(directory).control);
    socket.setEncoding('utf8').write(garbage);
    const [answer] = (await once(socket, 'data')) as [string];
    t.match(JSON.parse(answer), { error: { kind: 'EINVAL' } });
    await once(socket, 'end');
    socket.destroy();
  }
});

t.test('names are checked', async (t) => {
  t.throws(() => parseControlRequest('{"type":"homesRemoved","names":["alice","../x"]}'), {
    name: 'Failure',
    kind: 'EINVAL',
  });
  t.throws(() => parseControlRequest('{"type":"quotaCheck","repair":true}'), {
    name: 'Failure',
    kind: 'EINVAL',
  });
});

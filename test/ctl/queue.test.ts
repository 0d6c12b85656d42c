/* What a client sees when the server is full: its place, live; then it is in, gives up, or is told that there is no room. */
import t from 'tap';
import { nodeAead } from '../../protocol/transport/aead.js';
import { Client } from '../../protocol/session/client.js';
import { clientFiles } from '../../client/files.js';
import { openSession } from '../../client/open-session.js';
import { parseTarget, resolveEndpoint } from '../../client/target.js';
import { startDaemon } from '../lib/daemon.js';
import { programs } from '../lib/programs.js';
import { Service } from '../lib/service.js';

t.setTimeout(60_000);

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1M' } },
  byPassword: true,
  args: ['--max-sessions', '1', '--max-queue', '3'],
});

t.test('the queue, from the front and from the end', async (t) => {
  const session = await openSession({
    program: 'test',
    endpoint: resolveEndpoint(parseTarget(daemon.at('alice')), new Map(), daemon.port),
    files: clientFiles(daemon.env),
    aead: nodeAead,
    passwordFile: daemon.passwordFile('alice'),
    acceptNew: true,
  });
  t.teardown(() => session.client.close());
  const ls = ['ls', ...daemon.login('alice'), daemon.at('alice')];
  const waiting = (): Service =>
    new Service(t, process.execPath, [programs.ftpctl, ...ls], { env: daemon.env });
  const first = waiting();
  await first.says(/^server full, 1st in the queue$/m);
  const second = waiting();
  await second.says(/^server full, 2nd in the queue$/m);
  const third = waiting();
  await third.says(/^server full, 3rd in the queue$/m);
  const past = await daemon.ftpctl(ls);
  t.match(past, { code: 6, stderr: /^ftpctl: .*full.*: try again later\n$/ });

  second.signal('SIGINT');
  t.equal((await second.exited).code, 130);
  await third.says(/^server full, 2nd in the queue$/m);
  await session.client.close();
  t.equal((await first.exited).code, 0, 'in by itself');
  t.equal((await third.exited).code, 0);
});

t.test('the same client connects again without asking anybody', async (t) => {
  const { client, reconnect } = await openSession({
    program: 'test',
    endpoint: resolveEndpoint(parseTarget(daemon.at('alice')), new Map(), daemon.port),
    files: clientFiles(daemon.env),
    aead: nodeAead,
    passwordFile: daemon.passwordFile('alice'),
  });
  await client.close();
  await reconnect.verifyHost(Buffer.alloc(32)).then(
    () => t.fail('another key must not be accepted'),
    (error: unknown) => t.match(error, { kind: 'HOSTKEY' }),
  );
  const again = await Client.connect(reconnect);
  t.equal(again.loginFailure, undefined);
  await again.close();
});

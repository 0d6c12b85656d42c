/* Mounting from a server that is full: the place is told, nothing is mounted meanwhile, and the mount comes by itself. */
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { forceUnmount, mountAt } from '../lib/mounts.js';
import { programs, runProgram } from '../lib/programs.js';
import { succeed } from '../lib/run.js';
import { Service } from '../lib/service.js';

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1G' }, lily: { quota: '1G' }, bob: { quota: '1G' } },
  args: ['--max-sessions', '1', '--max-queue', '1', '--max-sessions-per-user', '1'],
});

t.test('a mount that waits for its turn', async (t) => {
  const first = await mountHome(t, daemon, 'alice');
  const mountpoint = path.join(temporaryDirectory(t), 'mnt');
  await succeed('mkdir', [mountpoint]);
  t.teardown(() => forceUnmount(mountpoint));
  const args = [programs.ftpmount, daemon.at('lily'), mountpoint, ...daemon.login('lily')];
  const waiting = new Service(t, process.execPath, args, { env: daemon.env });
  await waiting.says(/^server full, 1st in the queue$/m);
  t.equal(mountAt(mountpoint), undefined);

  const elsewhere = temporaryDirectory(t);
  const refused = (user: string) =>
    runProgram('ftpmount', [daemon.at(user), elsewhere, ...daemon.login(user)], { env: daemon.env });
  t.match(await refused('bob'), { code: 6, stderr: /^ftpmount: .*full.*: try again later\n$/ });
  t.match(await refused('alice'), {
    code: 6,
    stderr: /^ftpmount: alice has too many sessions.*: close one\n$/,
  });
  t.equal(mountAt(elsewhere), undefined);

  await first.unmount();
  t.match(await waiting.ends(), { code: 0 });
  await succeed('sh', ['-c', 'echo through > "$1/file"', 'sh', mountpoint]);
  t.match(await runProgram('ftpmount', ['-u', mountpoint]), { code: 0 });
});

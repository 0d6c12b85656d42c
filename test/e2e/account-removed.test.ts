/* Accounts that change under a mount: a removed user is out at once, a new password closes sessions only when asked to. */
import { existsSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { mountAt } from '../lib/mounts.js';

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1G' }, lily: { quota: '1G' } },
  byPassword: true,
});

t.test('userdel --remove under a mount that is being written to', async (t) => {
  const mounted = await mountHome(t, daemon, 'lily');
  await mounted.succeed('sh', ['-c', 'mkdir d && echo text > d/file']);
  t.match(await daemon.ftpctl(['userdel', 'lily', '--remove']), { code: 0 });
  t.notOk(existsSync(daemon.home('lily')), 'the home is gone');
  const touched = await mounted.run('touch', ['d/another']);
  t.equal(touched.timedOut, false, 'nobody waits for a server that does not want us back');
  t.not(touched.code, 0);
  t.notOk(existsSync(daemon.home('lily')), 'and stays gone');
  t.match(await mounted.unmount(), { signal: null });
  t.equal(mountAt(mounted.mountpoint), undefined);
  t.notMatch((await daemon.ftpctl(['users'])).stdout, /lily/);
});

t.test('passwd with and without --close-sessions', async (t) => {
  const mounted = await mountHome(t, daemon, 'alice');
  const passwd = (...more: string[]) =>
    daemon.ftpctl(['passwd', 'alice', '--password-file', '-', ...more], { input: 'another one\n' });
  t.match(await passwd(), { code: 0 });
  await mounted.succeed('sh', ['-c', 'echo text > file']);
  t.match(JSON.parse((await daemon.ftpctl(['users', '--json'])).stdout), { name: 'alice', sessions: 1 });
  t.match(await passwd('--close-sessions'), { code: 0 });
  t.not(
    (await mounted.run('touch', ['another'])).code,
    0,
    'what the mount was given is no password any more',
  );
  t.match(JSON.parse((await daemon.ftpctl(['users', '--json'])).stdout), { name: 'alice', sessions: 0 });
});

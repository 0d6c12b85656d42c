/* A home mounted by an ordinary user, through fusermount3: what the user may do, and that others may not. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { mountAt } from '../lib/mounts.js';
import { deviceIsOpen } from '../lib/open-device.js';

/** nobody: fusermount3 wants a user that has a name. */
const ORDINARY = { uid: 65_534, gid: 65_534 };

if (deviceIsOpen(import.meta.url))
  t.test('files are the user’s, root is kept out, fusermount3 -u ends it', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mounted = await mountHome(t, daemon, 'alice', { as: ORDINARY });
    t.match(mountAt(mounted.mountpoint)?.options, ['rw', 'nosuid', 'nodev']);
    await mounted.succeed('sh', [
      '-c',
      'mkdir mine && echo hello > mine/file && head -c 3000000 /dev/urandom > big',
    ]);
    t.equal(await mounted.succeed('cat', ['mine/file']), 'hello\n');
    t.equal(
      (await mounted.succeed('stat', ['-c', '%u %g', 'mine/file'])).trim(),
      `${ORDINARY.uid} ${ORDINARY.gid}`,
    );
    await mounted.succeed('cmp', ['big', `${daemon.home('alice')}/big`], { uid: ORDINARY.uid }).then(
      () => t.fail("the server's files are open to all"),
      () => t.pass('the server keeps its files to itself'),
    );
    const root = await mounted.run('ls', [mounted.mountpoint], { uid: 0, gid: 0, cwd: '/' });
    t.not(root.code, 0, 'without allow_other not even root may look');
    t.match(await mounted.unmount(), { code: 0 });
    t.equal(mountAt(mounted.mountpoint), undefined);
  });

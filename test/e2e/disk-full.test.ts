/* The server's disk is full: the user is told so, nothing is damaged, and an upload goes on when there is room. */
import path from 'node:path';
import t from 'tap';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { run, succeed } from '../lib/run.js';

if (process.geteuid?.() !== 0) t.plan(0, 'only root can make a small disk');
else test();

/** A daemon on a disk of `size`. */
async function onSmallDisk(
  t: Parameters<typeof startDaemon>[0],
  size: string,
): Promise<{ daemon: Daemon; disk: string }> {
  const disk = temporaryDirectory(t);
  await succeed('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'small', disk]);
  t.teardown(() => run('umount', ['-l', disk]));
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, directory: disk });
  return { daemon, disk };
}

function test(): void {
  t.test('a put that fills the disk fails with the reason, and goes on later', async (t) => {
    const { daemon, disk } = await onSmallDisk(t, '24M');
    const source = path.join(temporaryDirectory(t), 'source');
    await succeed('sh', ['-c', 'head -c 32M /dev/urandom > "$1"', 'sh', source]);
    const put = ['put', source, daemon.at('alice', 'copy'), ...daemon.login('alice')];
    const full = await daemon.ftpctl(put);
    t.equal(full.code, 7, full.stderr);
    t.match(full.stderr, /disk.*full|no space/i);
    t.notMatch((await daemon.ftpctl(['ls', daemon.at('alice'), ...daemon.login('alice')])).stdout, /copy/);
    await succeed('mount', ['-o', 'remount,size=128M', disk]);
    const again = await daemon.ftpctl(put);
    t.equal(again.code, 0, again.stderr);
    t.match(again.stderr, /resuming at [1-9]/);
    await succeed('cmp', [source, path.join(daemon.home('alice'), 'copy')]);
  });

  t.test('a program that writes into the mount is told ENOSPC', async (t) => {
    const { daemon } = await onSmallDisk(t, '24M');
    const mounted = await mountHome(t, daemon, 'alice');
    await mounted.succeed('sh', ['-c', 'echo kept > kept']);
    const full = await mounted.run('sh', ['-c', 'LC_ALL=C head -c 64M /dev/zero > big']);
    t.not(full.code, 0);
    t.match(full.stderr, /No space left on device/);
    t.match(mounted.service.output, /could not make a change/, 'it is logged');
    await mounted.succeed('rm', ['big']);
    await mounted.succeed('sh', ['-c', 'head -c 2M /dev/zero > smaller && sync smaller']);
    t.equal(await mounted.succeed('cat', ['kept']), 'kept\n');
  });
}

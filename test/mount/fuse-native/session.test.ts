/**
 * Real mounts through fuse-native: a child process serves a file system in memory, others use it. Skipped where the
 * optional dependency is not installed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { mountAt } from '../../../mount/fuse/mountinfo.js';
import { fusermount, me, run, Served, umount } from '../fuse/served-mount.js';

const OPTIONS = { driver: 'fuse-native', validMs: 3_600_000, source: 'alice@x,y' } as const;

function reasonToSkip(): string | false {
  try {
    createRequire(import.meta.url).resolve('fuse-native');
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch (error) {
    return existsSync('/dev/fuse')
      ? `no fuse-native here: ${String(error)}`
      : 'this machine has no /dev/fuse';
  }
}

const skip = reasonToSkip();

t.test('a user works in a mount, and umount ends it', { skip }, async (t) => {
  const served = new Served(t, me, OPTIONS);
  await served.report('ready');
  t.match(mountAt(served.mountpoint), { type: 'fuse.ftpmount', source: OPTIONS.source });
  const exercise = join(import.meta.dirname, 'exercise.js');
  t.equal(await run(process.execPath, [exercise, served.mountpoint], me), 'ok');
  t.equal(await run(...(me === 0 ? umount(served.mountpoint) : fusermount(served.mountpoint)), me), 'ok');
  t.match(await served.report('unmounted'), { destroyed: true, openHandles: 0 });
  t.strictSame(await served.exited, [0, null], 'nothing keeps the process');
});

t.test('a mount in use is not unmounted, but it can be taken', { skip }, async (t) => {
  const served = new Served(t, me, OPTIONS);
  await served.report('ready');
  const user = spawn('sh', ['-c', 'exec 3> used; echo ready; read line; echo more >&3'], {
    cwd: served.mountpoint,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await once(user.stdout, 'data');
  t.strictSame(await served.order({ type: 'unmount', force: false }), { type: 'done', kind: 'EBUSY' });
  t.not(mountAt(served.mountpoint), undefined);
  t.match(await served.unmount(true), { destroyed: true });
  t.strictSame(await served.exited, [0, null]);
  t.equal(mountAt(served.mountpoint), undefined);
  user.stdin.end('\n');
  const [code] = (await once(user, 'exit')) as [number];
  t.not(code, 0, 'who was in it is told');
});

t.test('a read-only mount', { skip }, async (t) => {
  const served = new Served(t, me, { ...OPTIONS, readOnly: true });
  await served.report('ready');
  t.throws(() => writeFileSync(join(served.mountpoint, 'new'), ''), { code: 'EROFS' });
  await served.unmount();
});

t.test('a mount point that is mounted is refused', { skip }, async (t) => {
  const served = new Served(t, me, OPTIONS);
  await served.report('ready');
  const second = new Served(t, me, OPTIONS, served.mountpoint);
  t.match(await second.report('failed'), { kind: 'EBUSY' });
  await served.unmount();
});

/**
 * Real mounts by an ordinary user, through fusermount3. Root runs them as nobody.
 *
 * fusermount3 opens /dev/fuse as the user who calls it, so that the device must be open to all, as distributions have
 * it. Where root finds it otherwise, the tests run in a mount namespace of their own, with a device there that is.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { mountAt } from '../../../mount/fuse/mountinfo.js';
import { NOBODY } from './drop-privileges.js';
import { exercise, fusermount, me, run, Served, user } from './served-mount.js';

const DEVICE = '/dev/fuse';
const openToAll = () => (statSync(DEVICE).mode & 0o006) === 0o006;

if (!existsSync(DEVICE)) t.plan(0, 'needs /dev/fuse');
else if (me === 0 && !openToAll()) inOwnNamespace();
else test();

/** Runs this program again where /dev/fuse is another node of the same device, in a directory for root only. */
function inOwnNamespace(): void {
  const directory = mkdtempSync(join(tmpdir(), 'ftpmount-device-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const script = `mknod -m 666 "$1/fuse" c 10 229 && mount --bind "$1/fuse" ${DEVICE} && exec "$2" "$3"`;
  const program = fileURLToPath(import.meta.url);
  t.spawn(
    'unshare',
    ['--mount', 'sh', '-ec', script, 'sh', directory, process.execPath, program],
    'as nobody',
  );
}

function test(): void {
  t.test('a user works in a mount, and fusermount3 -u ends it', async (t) => {
    const served = new Served(t, user);
    await served.report('ready');
    t.match(mountAt(served.mountpoint), { type: 'fuse.ftpmount', source: 'memory' });
    t.equal(await exercise(served.mountpoint, user), 'ok');
    t.equal(await run(...fusermount(served.mountpoint), user), 'ok');
    t.match(await served.report('unmounted'), { destroyed: true, openHandles: 0 });
    t.strictSame(await served.exited, [0, null], 'nothing keeps the process');
  });

  t.test('an interrupted read ends at once, and so does its program', async (t) => {
    const served = new Served(t, user);
    await served.report('ready');
    await served.order({ type: 'create', name: 'hang' });
    t.match(await run('truncate', ['-s', '4096', join(served.mountpoint, 'hang')], user), 'ok');
    const reader = spawn('cat', [join(served.mountpoint, 'hang')], {
      stdio: 'ignore',
      ...(me === 0 ? { uid: user, gid: user } : {}),
    });
    await served.report('hanging');
    reader.kill('SIGKILL');
    t.strictSame(await once(reader, 'exit'), [null, 'SIGKILL']);
    t.equal(await run(...fusermount(served.mountpoint), user), 'ok');
    await served.report('unmounted');
  });

  t.test('a comma in the source is no option', async (t) => {
    const served = new Served(t, user, { source: 'a,b\\c d' });
    await served.report('ready');
    t.match(mountAt(served.mountpoint), { source: 'a,b\\c d' });
    await served.unmount();
  });

  t.test('a mount on a mount is refused; one whose process is dead makes room', async (t) => {
    const served = new Served(t, user);
    await served.report('ready');
    const second = new Served(t, user, {}, served.mountpoint);
    t.match(await second.report('failed'), { kind: 'EBUSY', message: /already mounted/ });
    served.kill();
    await served.exited;
    const third = new Served(t, user, {}, served.mountpoint);
    await third.report('ready');
  });

  const skip = me === 0 ? false : 'needs a directory of another user';
  t.test('what fusermount3 refuses is told in its words', { skip }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'ftpmount-fuse-'));
    t.teardown(() => rmdirSync(directory));
    chmodSync(directory, 0o755); // root's: nobody may look, and not mount
    const served = new Served(t, NOBODY, {}, directory);
    t.match(await served.report('failed'), { kind: 'EPERM', message: /fusermount3: .* no write access/ });
  });
}

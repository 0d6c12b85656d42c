/*
 * The mount by way of mount(8), as from fstab, and what its options change for who looks at the files. mount(8) looks for
 * programs in its own list of directories: a mount namespace has one of them with ftpmount in it.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { mountAt } from '../lib/mounts.js';
import { programs } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';

if (process.geteuid?.() !== 0) t.plan(0, 'only root calls mount(8)');
else await test();

async function test(): Promise<void> {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, byPassword: true });

  t.test('mount -t fuse.ftpmount, with the options of fstab', async (t) => {
    const directory = temporaryDirectory(t);
    const mountpoint = path.join(directory, 'mnt');
    mkdirSync(mountpoint);
    const script = `
      mount -t tmpfs none /usr/local/sbin
      printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' "$1" "$2" > /usr/local/sbin/ftpmount
      chmod 755 /usr/local/sbin/ftpmount
      mount -t fuse.ftpmount -o "$3" "$4" "$5"
      trap 'umount -l "$5"' EXIT
      grep " $5 " /proc/mounts
      echo "$4 $5 fuse.ftpmount $3" > "$6"
      mount --all --fstab "$6" # which is mounted already
      mount -o remount,ro "$5"
      grep " $5 " /proc/mounts
      ! touch "$5/file" 2> /dev/null || exit 1
      mount -o remount,rw "$5"
      echo through > "$5/file"
      sync "$5/file"
      umount "$5"
      trap - EXIT`;
    const options = `port=${daemon.port},accept_new,password_stdin,_netdev,noatime,umask=077`;
    const stdout = await succeed(
      'unshare',
      [
        '--mount',
        'sh',
        '-euc',
        script,
        'sh',
        process.execPath,
        programs.ftpmount,
        options,
        daemon.at('alice'),
        mountpoint,
        path.join(directory, 'fstab'),
      ],
      { env: daemon.env, input: `${passwordOf('alice')}\n` },
    );
    const shown = `${daemon.at('alice')} ${mountpoint} fuse.ftpmount`;
    t.match(
      stdout,
      new RegExp(`^${shown} rw,nosuid,nodev,.*noatime.*\n${shown} ro,nosuid,nodev,.*noatime.*\n`),
    );
    t.equal(await succeed('cat', [path.join(daemon.home('alice'), 'file')]), 'through\n');
  });

  t.test('mount -t ftpmount, by the helper that is installed for it', async (t) => {
    const mountpoint = temporaryDirectory(t);
    const script = `
      mount -t tmpfs none /sbin
      ln -s "$1" /sbin/mount.ftpmount
      mount -v -n -t ftpmount -o "$2" "$3" "$4"
      trap 'umount -l "$4"' EXIT
      grep " $4 " /proc/mounts
      echo through > "$4/helped"
      umount "$4"
      trap - EXIT`;
    const options = `port=${daemon.port},accept_new,password_stdin,nofail,x-systemd.automount,suid,umask=077`;
    const stdout = await succeed(
      'unshare',
      ['--mount', 'sh', '-euc', script, 'sh', programs.ftpmount, options, daemon.at('alice'), mountpoint],
      {
        env: { ...daemon.env, PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}` },
        input: `${passwordOf('alice')}\n`,
      },
    );
    const shown = `${daemon.at('alice')} ${mountpoint} fuse.ftpmount rw,nosuid,nodev`;
    t.match(stdout, new RegExp(`^${shown}`, 'm'));
  });

  t.test('uid, gid, umask and allow_other', async (t) => {
    const plain = await mountHome(t, daemon, 'alice');
    await plain.succeed('sh', ['-c', 'mkdir d && echo text > d/f && chmod 600 d/f']);
    const mounted = await mountHome(t, daemon, 'alice', {
      args: ['-o', 'uid=1234,gid=2345', '-o', 'umask=027,allow_other,fsname=elsewhere'],
    });
    t.equal(await mounted.succeed('stat', ['-c', '%u %g %a', 'd', 'd/f']), '1234 2345 750\n1234 2345 750\n');
    t.match(mountAt(mounted.mountpoint), { source: 'elsewhere' });
    const directory = path.dirname(mounted.mountpoint);
    await succeed('chmod', ['755', directory]);
    const as = (uid: number) => run('cat', [mounted.path('d/f')], { uid, gid: uid, env: { LC_ALL: 'C' } });
    t.match(await as(1234), { code: 0, stdout: 'text\n' }, 'the owner that files seem to have');
    t.match(await as(4321), { code: 1, stderr: /Permission denied/ }, 'somebody else');
    t.match(
      await plain.run('stat', ['-c', '%u %a', 'd/f']),
      { stdout: '0 600\n' },
      'nothing changed on the server',
    );
  });

  t.test('port= is -p', async (t) => {
    const { port } = daemon;
    const mountpoint = temporaryDirectory(t);
    const refused = await run(
      process.execPath,
      [programs.ftpmount, daemon.at('alice'), mountpoint, '-o', `port=${port},password_stdin,accept_new`],
      { env: daemon.env, input: 'wrong\n' },
    );
    t.match(refused, { code: 5, stderr: /^ftpmount: login of alice@127\.0\.0\.1 failed: .*\n$/ });
  });
}

/* Mount points that cannot be, and machines without what mounting needs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { mountAt } from '../lib/mounts.js';
import { programs, runProgram } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';
import { problemOf } from '../lib/said.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });

const mount = (mountpoint: string) =>
  runProgram('ftpmount', [daemon.at('alice'), mountpoint, ...daemon.login('alice')], { env: daemon.env });

t.test('missing', async (t) => {
  const result = await mount(path.join(temporaryDirectory(t), 'missing'));
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /missing/);
});

t.test('a file', async (t) => {
  const file = path.join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  const result = await mount(file);
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /not a directory/);
});

t.test('not empty', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(path.join(directory, 'something'));
  const result = await mount(directory);
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /not empty/);
  t.equal(mountAt(directory), undefined);
});

t.test('mounted already', async (t) => {
  const mounted = await mountHome(t, daemon, 'alice');
  const result = await mount(mounted.mountpoint);
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /already/);
  t.equal(await mounted.succeed('ls'), '', 'what is mounted works on');
});

t.test('a directory of the home that is not there', async (t) => {
  const mountpoint = temporaryDirectory(t);
  const args = [daemon.at('alice', 'not/there'), mountpoint, ...daemon.login('alice')];
  const result = await runProgram('ftpmount', args, { env: daemon.env });
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /not\/there/);
});

t.test('to unmount what is not mounted', async (t) => {
  const result = await runProgram('ftpmount', ['-u', temporaryDirectory(t)]);
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /not mounted/);
});

t.test(
  'no /dev/fuse',
  { skip: process.geteuid?.() === 0 ? false : 'only root can take it away' },
  async (t) => {
    const mountpoint = temporaryDirectory(t);
    const withoutDevice = `mount -t tmpfs none /dev && for d in null:3 zero:5 random:8 urandom:9; do
    mknod -m 666 /dev/\${d%:*} c 1 \${d#*:}; done && exec "$@"`;
    const command = [
      process.execPath,
      programs.ftpmount,
      daemon.at('alice'),
      mountpoint,
      ...daemon.login('alice'),
    ];
    const result = await run('unshare', ['--mount', 'sh', '-c', withoutDevice, 'sh', ...command], {
      env: daemon.env,
    });
    t.not(result.code, 0);
    t.match(problemOf(result, 'ftpmount'), /\/dev\/fuse.*(modprobe|load|ftpctl)/);
  },
);

t.test('no fusermount3', { skip: process.geteuid?.() === 0 ? false : 'needs another user' }, async (t) => {
  const nobody = { uid: 65_534, gid: 65_534 };
  const directory = temporaryDirectory(t, nobody);
  const mountpoint = path.join(directory, 'mnt');
  const password = path.join(directory, 'password');
  await succeed('mkdir', [mountpoint], nobody);
  await succeed('install', ['-m600', '-o65534', daemon.passwordFile('alice'), password]);
  const command = [process.execPath, programs.ftpmount, daemon.at('alice'), mountpoint, '--accept-new'];
  const result = await run(
    'sh',
    ['-c', 'PATH= exec "$@"', 'sh', ...command, '-p', String(daemon.port), '--password-file', password],
    {
      env: { ...daemon.env, XDG_CONFIG_HOME: directory, XDG_STATE_HOME: directory, HOME: directory },
      ...nobody,
    },
  );
  t.not(result.code, 0);
  t.match(problemOf(result, 'ftpmount'), /fusermount3.*fuse3/);
});

/*
 * Mounting and unmounting: in front and in the background, ended by each of the ways
 * there are, with everything written.
 */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { forceUnmount, mountAt } from '../lib/mounts.js';
import { runProgram } from '../lib/programs.js';
import { succeed } from '../lib/run.js';

/** Of one that is not this process's child: that it is gone shows in /proc only. */
async function processEnd(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 10));
}

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });

t.test(
  'as root: mounted, used, unmounted by umount; the process ends with 0 and all is written',
  async (t) => {
    const mounted = await mountHome(t, daemon, 'alice');
    t.match(mountAt(mounted.mountpoint), { type: 'fuse.ftpmount' });
    await mounted.succeed('sh', ['-c', 'head -c 20000000 /dev/urandom > big && md5sum < big > big.sum']);
    const sum = await mounted.succeed('cat', ['big.sum']);
    t.match(await mounted.unmount(), { code: 0 });
    t.equal(mountAt(mounted.mountpoint), undefined);
    t.equal(await succeed('sh', ['-c', `md5sum < ${daemon.home('alice')}/big`]), sum);
  },
);

t.test('a directory of the home, read only', async (t) => {
  const all = await mountHome(t, daemon, 'alice');
  await all.succeed('sh', ['-c', 'mkdir -p part/inner && echo x > part/inner/file']);
  const part = await mountHome(t, daemon, 'alice', { remotePath: 'part', args: ['-o', 'ro'] });
  t.equal(await part.succeed('cat', ['inner/file']), 'x\n');
  t.match(await part.run('touch', ['new'], { env: { ...process.env, LC_ALL: 'C' } }), {
    code: 1,
    stderr: /Read-only file system/,
  });
});

for (const [name, unmount] of [
  ['ftpmount -u', (at: string) => runProgram('ftpmount', ['-u', at])],
  ['fusermount3 -u', (at: string) => succeed('fusermount3', ['-u', at])],
  ['umount', (at: string) => succeed('umount', [at])],
] as const)
  t.test(`in the background: usable when it returns, ended by ${name}`, async (t) => {
    const mountpoint = path.join(temporaryDirectory(t), 'mnt');
    await succeed('mkdir', [mountpoint]);
    t.teardown(() => forceUnmount(mountpoint));
    const started = await runProgram('ftpmount', [daemon.at('alice'), mountpoint, ...daemon.login('alice')], {
      env: daemon.env,
    });
    t.equal(started.code, 0, started.stderr);
    const file = `written-before-${name.replaceAll(' ', '')}`;
    await succeed('sh', ['-c', `echo through > '${mountpoint}/${file}'`]);
    const status = await runProgram('ftpmount', ['status', '--json', mountpoint], { env: daemon.env });
    const { pid } = JSON.parse(status.stdout) as { pid: number };
    const list = await runProgram('ftpmount', ['list'], { env: daemon.env });
    t.match(list.stdout, new RegExp(`^alice@.* on ${mountpoint} \\(process ${pid}\\): connected$`, 'm'));
    const shown = await succeed('ps', ['-o', 'args=', '-p', String(pid)]);
    t.match(shown, new RegExp(`^ftpmount alice@.* ${mountpoint}\n$`), 'ps says what is mounted where');
    await unmount(mountpoint);
    t.equal(mountAt(mountpoint), undefined);
    const sent = (): string => readFileSync(path.join(daemon.home('alice'), file), 'utf8');
    if (name === 'ftpmount -u') t.equal(sent(), 'through\n', 'it has waited');
    await processEnd(pid);
    t.equal(sent(), 'through\n');
  });

t.test('one that ends behind another at its place leaves the control of that one alone', async (t) => {
  const first = await mountHome(t, daemon, 'alice');
  const { mountpoint } = first;
  await first.succeed('sh', ['-c', 'echo x > kept-open']);
  const open = openSync(path.join(mountpoint, 'kept-open'), 'r');
  await runProgram('ftpmount', ['-u', '-z', mountpoint], { env: daemon.env });
  const mountAgain = [daemon.at('alice'), mountpoint, ...daemon.login('alice')];
  t.match(await runProgram('ftpmount', mountAgain, { env: daemon.env }), { code: 0 });
  closeSync(open);
  t.match(await first.service.ends(), { code: 0 });
  const status = await runProgram('ftpmount', ['status', '--json', mountpoint], { env: daemon.env });
  t.equal(status.code, 0, status.stderr);
  t.match(await runProgram('ftpmount', ['-u', mountpoint], { env: daemon.env }), { code: 0 });
  await processEnd((JSON.parse(status.stdout) as { pid: number }).pid);
});

t.test('SIGTERM unmounts, and everything is written', async (t) => {
  const mounted = await mountHome(t, daemon, 'alice');
  await mounted.succeed('sh', ['-c', 'echo before the signal > signalled']);
  t.match(await mounted.service.stop(), { code: 0 });
  t.equal(mountAt(mounted.mountpoint), undefined);
  t.equal(readFileSync(path.join(daemon.home('alice'), 'signalled'), 'utf8'), 'before the signal\n');
});

t.test('what config.toml lists, with one among it that cannot be mounted', async (t) => {
  const directory = temporaryDirectory(t);
  const [first, second] = [path.join(directory, 'first'), path.join(directory, 'second')];
  const refused = path.join(directory, 'is not there');
  const configFile = path.join(daemon.clientConfig, 'ftpmount/config.toml');
  const configure = (...mounts: (readonly [mountpoint: string, source: string])[]): void =>
    writeFileSync(
      configFile,
      mounts.map(([at, source]) => `[mounts."${at}"]\nsource = "${source}"\noptions = "soft=30"\n`).join(''),
    );
  t.teardown(() => rmSync(configFile));
  for (const mountpoint of [first, second]) {
    await succeed('mkdir', [mountpoint]);
    t.teardown(() => forceUnmount(mountpoint));
  }
  const all = (...args: string[]) =>
    runProgram('ftpmount', ['--all', ...daemon.login('alice'), ...args], { env: daemon.env });
  const pids = async (): Promise<number[]> => {
    const { stdout } = await runProgram('ftpmount', ['list', '--json'], { env: daemon.env });
    const mounts = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { mountpoint: string; pid: number });
    return [first, second].map((at) => mounts.find(({ mountpoint }) => mountpoint === at)?.pid ?? 0);
  };

  configure();
  t.match(await all(), { code: 2, stderr: /there are no mounts in .*config\.toml/ });
  configure([first, daemon.at('alice')], [refused, daemon.at('alice')], [second, daemon.at('alice', 'part')]);
  t.match(await all(), { code: 1, stderr: new RegExp(`^ftpmount: '${refused}' was not mounted$`, 'm') });
  t.equal(readFileSync(path.join(second, 'inner/file'), 'utf8'), 'x\n');
  const [served = 0, killed = 0] = await pids();

  process.kill(killed, 'SIGKILL');
  await processEnd(killed);
  configure([first, daemon.at('alice')], [second, daemon.at('alice', 'part')]);
  t.match(await all(), { code: 0, stderr: '' });
  const [still = 0, anew = 0] = await pids();
  t.equal(still, served, 'what is mounted is left alone');
  t.notOk([killed, 0].includes(anew), 'what nobody served is mounted anew');
  t.match(await all('-u'), { code: 0, stderr: '' });
  t.same([mountAt(first), mountAt(second)], [undefined, undefined]);
  t.match(await all('-u'), { code: 0, stderr: '' }, 'nothing is left to do');
});

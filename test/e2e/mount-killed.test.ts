/* kill -9 of a mount: the server has a prefix of what was done, and the mount point is taken over by the next one. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome } from '../lib/mounted.js';
import { forceUnmount, mountAt } from '../lib/mounts.js';
import { programs } from '../lib/programs.js';
import { run, type RunResult } from '../lib/run.js';
import { PATIENCE_MS } from '../lib/service.js';

t.test(
  'the mount is killed: the server has a prefix of what was done, and the mount point is taken over',
  async (t) => {
    // The next mount waits until the leases of the dead one are over.
    const args = ['--lease-term', '5'];
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, args });
    const mounted = await mountHome(t, daemon, 'alice');
    const work = mounted.run('sh', ['-c', 'i=0; while echo $i > f$i; do i=$((i + 1)); done']);
    while (!existsSync(path.join(daemon.home('alice'), 'f200'))) await mounted.run('true');
    await mounted.service.kill();
    await work;
    const numbers = readdirSync(daemon.home('alice'))
      .filter((name) => /^f\d+$/.test(name))
      .map((name) => Number(name.slice(1)))
      .toSorted((a, b) => a - b);
    t.same(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => i),
      'no file is missing in between',
    );
    for (const number of numbers.slice(0, -1)) {
      const data = readFileSync(path.join(daemon.home('alice'), `f${number}`), 'utf8');
      if (data !== `${number}\n`) t.fail(`f${number} holds '${data}'`);
    }
    t.ok(mountAt(mounted.mountpoint), 'the dead mount is still there');
    const { stdout } = await run(process.execPath, [programs.ftpmount, 'list'], { env: daemon.env });
    t.match(stdout, ` on ${mounted.mountpoint}: nobody serves it any more`);
    const taken = await run(
      process.execPath,
      [programs.ftpmount, daemon.at('alice'), mounted.mountpoint, ...daemon.login('alice')],
      { env: daemon.env },
    );
    t.teardown(() => forceUnmount(mounted.mountpoint));
    t.equal(taken.code, 0, taken.stderr);
    // What the dead mount had sent was still being carried out when the home was looked at.
    t.same(
      readdirSync(mounted.mountpoint),
      readdirSync(daemon.home('alice')).filter((name) => /^f\d+$/.test(name)),
    );
    const unmounted = await run(process.execPath, [programs.ftpmount, '-u', mounted.mountpoint], {
      env: daemon.env,
    });
    t.equal(unmounted.code, 0, unmounted.stderr);
  },
);

t.test('a mount whose process does not go on: others say so, and -u -z frees who waits for it', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const { mountpoint, service } = mounted;
  const ftpmount = (...args: string[]): Promise<RunResult> =>
    run(process.execPath, [programs.ftpmount, ...args], { env: daemon.env });
  service.signal('SIGSTOP');
  const waits = mounted.run('mkdir', ['d']);
  t.match((await ftpmount('list')).stdout, ` on ${mountpoint}: its process does not answer: ftpmount -u -z`);
  t.match(await ftpmount('status', mountpoint), { code: 3, stderr: /does not answer/ });
  t.match(await ftpmount('-u', mountpoint), {
    code: 3,
    stderr: /does not answer: unmount it lazily with -u -z/,
  });
  t.match(await ftpmount('-u', '-z', mountpoint), { code: 0, stderr: '' });
  t.not((await waits).code, 0);
  t.notOk(mountAt(mountpoint));
  service.signal('SIGCONT');
  t.match(await service.exited, { code: 0 }, 'it notices when it goes on');
});

/** The state of a process or thread, as proc(5) has it; nothing of one that has just ended. */
function stateOf(directory: string): string {
  try {
    return readFileSync(`${directory}/stat`, 'latin1').replace(/.*\) /s, '').charAt(0);
  } catch {
    return '';
  }
}

function threadStates(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => stateOf(`/proc/${pid}/task/${thread}`));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !holds(); await delay(10))
    if (Date.now() > end) throw new Error(`never: ${what}`);
}

for (const [what, ...args] of [
  ['the next one takes the mount point over'],
  ['-u frees who waits for it', '-u'],
] as const) {
  t.test(`a mount is killed whose thread waits for who waits for the mount: ${what}`, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, args: ['--lease-term', '60'] });
    const { mountpoint, service } = await mountHome(t, daemon, 'alice', { args: ['-o', 'nolease'] });
    const other = await mountHome(t, daemon, 'alice');
    await other.succeed('mkdir', ['d']);
    readdirSync(path.join(mountpoint, 'd'));
    writeFileSync(other.path('d/held'), '');
    other.service.signal('SIGSTOP');
    t.teardown(() => other.service.signal('SIGCONT'));
    // The kernel has locked the directory for it; the server asks who stands still.
    const waits = run('mkdir', ['new'], { cwd: path.join(mountpoint, 'd') });
    let names = 0;
    await until('a thread that tells of a name waits for the directory', () => {
      writeFileSync(path.join(daemon.home('alice'), `d/${names++}`), '');
      return threadStates(service.pid).includes('D');
    });
    service.signal('SIGKILL');
    await until('it is killed', () => stateOf(`/proc/${service.pid}`) === 'Z');
    const ftpmount = (...args: string[]): Promise<RunResult> =>
      run(process.execPath, [programs.ftpmount, ...args], { env: daemon.env });
    t.match((await ftpmount('list')).stdout, ` on ${mountpoint}: nobody serves it any more`);
    const next = await ftpmount(
      ...(args.length > 0 ? args : [daemon.at('alice'), ...daemon.login('alice')]),
      mountpoint,
    );
    t.match(next, { code: 0, stderr: '' });
    t.not((await waits).code, 0);
    t.match(await service.exited, { signal: 'SIGKILL' });
    t.equal(mountAt(mountpoint) === undefined, args.length > 0);
  });
}

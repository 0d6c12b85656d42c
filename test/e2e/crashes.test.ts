/*
 * kill -9 of the daemon at any moment, and of the mount: nothing is lost, nothing is done twice, no program gets an errno that a
 * disk would not give, and what is charged is what is there.
 *
 * KILLS=... sets how often the daemon is killed under each workload.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { forceUnmount, mountAt } from '../lib/mounts.js';
import { programs } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';

const kills = Number(process.env['KILLS'] ?? 2);

/** A tree of small files, two levels deep, and what tar makes of it. */
function makeTar(directory: string, files: number): Promise<string> {
  const tree = path.join(directory, 'tree');
  for (let i = 0; i < files; i++) {
    const below = path.join(tree, `d${i % 17}`, `e${i % 5}`);
    mkdirSync(below, { recursive: true });
    writeFileSync(path.join(below, `file ${i}`), `${i}\n`.repeat(i % 400));
  }
  return succeed('tar', ['-cf', path.join(directory, 'tree.tar'), '-C', directory, 'tree']);
}

/** Kills the daemon and starts it again, until the work is done; at least `kills` times while it goes on. */
async function killWhile<T>(daemon: Daemon, work: Promise<T>): Promise<T> {
  const progress = { done: false };
  const ended = (): void => {
    progress.done = true;
  };
  void work.then(ended, ended);
  for (let i = 0; i < kills && !progress.done; i++) {
    await daemon.kill();
    await daemon.start();
  }
  return work;
}

async function isRight(
  t: { match(found: string, wanted: RegExp, text: string): void },
  daemon: Daemon,
): Promise<void> {
  const check = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(check.stdout, /right/, 'what is charged is what is there');
}

/** What was done is on the server when the mount has ended. */
async function sameOnServer(mounted: Mounted, daemon: Daemon, local: string, name: string): Promise<void> {
  await mounted.succeed('diff', ['-r', '--no-dereference', local, name]);
  await mounted.unmount();
  await succeed('diff', ['-r', '--no-dereference', local, path.join(daemon.home('alice'), name)]);
}

t.test('under tar', async (t) => {
  const local = temporaryDirectory(t);
  await makeTar(local, 600);
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  for (let round = 0; round < 3; round++) {
    await killWhile(daemon, mounted.succeed('sh', ['-ec', `rm -rf tree; tar -xf ${local}/tree.tar`]));
  }
  await sameOnServer(mounted, daemon, path.join(local, 'tree'), 'tree');
  await isRight(t, daemon);
});

t.test('under git', async (t) => {
  const local = temporaryDirectory(t);
  await makeTar(local, 150);
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  await mounted.succeed('tar', ['-xf', path.join(local, 'tree.tar')]);
  const git = 'git -c user.name=a -c user.email=a@example.org -c gc.auto=0';
  const work = mounted.succeed('sh', [
    '-ec',
    `cd tree; git init -q .; for i in 1 2 3 4; do date +%N > d1/new$i; git add -A; ${git} commit -qm c$i; done; git fsck --strict 2>&1`,
  ]);
  await killWhile(daemon, work);
  t.equal((await mounted.succeed('git', ['-C', 'tree', 'rev-list', '--count', 'HEAD'])).trim(), '4');
  t.equal(await mounted.succeed('git', ['-C', 'tree', 'status', '--porcelain']), '');
  await mounted.unmount();
  await isRight(t, daemon);
});

t.test('under sqlite', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const statements = ['create table t(n integer primary key);'];
  for (let i = 1; i <= 40; i++) statements.push(`insert into t values (${i});`);
  await killWhile(daemon, mounted.succeed('sqlite3', ['-bail', 'db'], { input: statements.join('\n') }));
  t.equal(
    (
      await mounted.succeed('sqlite3', ['db', 'select count(*), sum(n) from t; pragma integrity_check'])
    ).trim(),
    '40|820\nok',
  );
  await mounted.unmount();
  await isRight(t, daemon);
});

t.test('under renames that replace', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const work = mounted.succeed('sh', [
    '-ec',
    'for i in $(seq 300); do echo $i > new; mv new file$((i % 7)); echo line $i >> log; mkdir d$i; rmdir d$i; done; cat file*',
  ]);
  const wanted = [294, 295, 296, 297, 298, 299, 300].toSorted((a, b) => (a % 7) - (b % 7));
  t.equal(await killWhile(daemon, work), `${wanted.join('\n')}\n`);
  const lines = (await mounted.succeed('cat', ['log'])).trimEnd().split('\n');
  t.same(
    lines,
    Array.from({ length: 300 }, (_, i) => `line ${i + 1}`),
  );
  await mounted.unmount();
  t.same(
    readdirSync(daemon.home('alice')).filter((name) => /^d\d/.test(name)),
    [],
  );
  await isRight(t, daemon);
});

t.test(
  'the mount is killed: the server has a prefix of what was done, and the mount point is taken over',
  async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
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
    const taken = await run(
      process.execPath,
      [programs.ftpmount, daemon.at('alice'), mounted.mountpoint, ...daemon.login('alice')],
      { env: daemon.env },
    );
    t.teardown(() => forceUnmount(mounted.mountpoint));
    t.equal(taken.code, 0, taken.stderr);
    t.equal(readdirSync(mounted.mountpoint).filter((name) => /^f\d+$/.test(name)).length, numbers.length);
    const unmounted = await run(process.execPath, [programs.ftpmount, '-u', mounted.mountpoint], {
      env: daemon.env,
    });
    t.equal(unmounted.code, 0, unmounted.stderr);
  },
);

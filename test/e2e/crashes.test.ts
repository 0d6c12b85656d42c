/*
 * kill -9 of the daemon at any moment under tar and git: nothing is lost, nothing is done twice, no program gets an errno that a disk
 * would not give, and what is charged is what is there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { isRight, killWhile, WHILE_KILLED, workFor } from '../lib/kill-while.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { succeed } from '../lib/run.js';

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
    const work = mounted.succeed('sh', ['-ec', `rm -rf tree; tar -xf ${local}/tree.tar`], WHILE_KILLED);
    await killWhile(t, daemon, work);
  }
  await sameOnServer(mounted, daemon, path.join(local, 'tree'), 'tree');
  await isRight(t, daemon);
});

t.test('under tar, where other mounts of the home come back, too', async (t) => {
  const local = temporaryDirectory(t);
  await makeTar(local, 600);
  const daemon = await startDaemon(t, {
    users: { alice: { quota: '1G' } },
    // Who waited for a mount that has nothing to send would wait for longer than this test takes.
    args: ['--lease-term', '600'],
  });
  const others = [await mountHome(t, daemon, 'alice'), await mountHome(t, daemon, 'alice')];
  const mounted = await mountHome(t, daemon, 'alice');
  const work = mounted.succeed('tar', ['-xf', path.join(local, 'tree.tar')], WHILE_KILLED);
  await killWhile(t, daemon, work);
  for (const other of others) {
    await other.succeed('diff', ['-r', '--no-dereference', path.join(local, 'tree'), 'tree']);
    await other.unmount();
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
  const count = workFor(4, 2);
  const commits =
    `cd tree; git init -q .; for i in $(seq ${count}); do date +%N > d1/new$i; git add -A; ${git} commit -qm c$i; done; ` +
    'git fsck --strict 2>&1';
  const work = mounted.succeed('sh', ['-ec', commits], WHILE_KILLED);
  await killWhile(t, daemon, work);
  t.equal(
    (await mounted.succeed('git', ['-C', 'tree', 'rev-list', '--count', 'HEAD'])).trim(),
    String(count),
  );
  t.equal(await mounted.succeed('git', ['-C', 'tree', 'status', '--porcelain']), '');
  await mounted.unmount();
  await isRight(t, daemon);
});

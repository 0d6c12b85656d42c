/*
 * Virtual owners from end to end: a root file system is unpacked in a mount and comes out as it was, whatever happens to the
 * daemon; other mounts see each change at once; the server's own files have nothing of it.
 */
import { lstatSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { Daemon, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { describeTree, makeOwnedTree } from '../lib/owned-tree.js';
import { seedOfRun } from '../lib/random.js';
import { run, succeed } from '../lib/run.js';

t.setTimeout(200_000);

const ALL = 'allow_other,suid,dev';
const NOBODY = { uid: 65_534, gid: 65_534 };

if (process.geteuid?.() !== 0) t.plan(0, 'only root gives files to others');
else {
  const seed = seedOfRun();
  t.comment(`SEED=${seed}`);
  const tree = path.join(temporaryDirectory(t), 'tree');
  makeOwnedTree(tree, seed);
  const original = describeTree(tree);
  unpacked(tree, original);
  shared();
  switched();
  ordinaryDaemon(tree, original);
}

/** MODE:UID:GID */
function told(mounted: Mounted, name: string): string {
  const { mode, uid, gid } = lstatSync(mounted.path(name));
  return `${mode.toString(8)}:${uid}:${gid}`;
}

/** The files of a home on the server have nothing that could do harm there. */
async function isHarmless(t: Test, home: string): Promise<void> {
  const found = await succeed('find', [home, '-perm', '/6000', '-o', '-type', 'c', '-o', '-type', 'b']);
  t.equal(found, '', 'no set-id bit and no device is on the disk of the server');
}

async function isRight(t: Test, daemon: Daemon): Promise<void> {
  const { stdout } = await daemon.ftpctl(['quota', 'check', 'alice']);
  t.match(stdout, /right/, 'what is charged is what is there');
}

function unpacked(tree: string, original: string[]): void {
  for (const options of [ALL, `${ALL},nolease`]) {
    t.test(`a root file system goes in and comes out as it was (${options})`, async (t) => {
      const daemon = await startDaemon(t, { users: { alice: { quota: '1G', posixOwners: true } } });
      const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', options] });
      const archive = path.join(temporaryDirectory(t), 'archive.tar');
      const packed = async (directory: string): Promise<string> =>
        succeed('sh', [
          '-ec',
          'tar -C "$1" --format=posix --pax-option=delete=atime,delete=ctime --xattrs --sort=name -cf - . | tee "$2" | md5sum',
          ...['sh', directory, archive],
        ]);
      const md5 = await packed(tree);
      await mounted.succeed('mkdir', ['unpacked']);
      await mounted.succeed('tar', ['--xattrs', '-C', 'unpacked', '-xpf', archive]);
      await mounted.succeed('cp', ['-a', tree, 'copied']);
      const hasRsync = (await run('rsync', ['--version']).catch(() => undefined))?.code === 0;
      if (hasRsync) await mounted.succeed('rsync', ['-aHAX', `${tree}/`, 'synced/']);
      const copies = ['copied', ...(hasRsync ? ['synced'] : [])];

      // tar(1) passes sockets over.
      const withoutSockets = original.filter((line) => !/ 14\d{4} /.test(line));
      const isSame = (where: Mounted): void => {
        for (const copy of copies) t.strictSame(describeTree(where.path(copy)), original, copy);
        const there = describeTree(where.path('unpacked'));
        t.strictSame(there, withoutSockets, 'unpacked');
      };
      isSame(mounted);
      t.equal(await packed(mounted.path('unpacked')), md5, 'archived again it is the same archive');
      await mounted.synced();
      await isHarmless(t, daemon.home('alice'));

      await daemon.kill();
      await daemon.start();
      const other = await mountHome(t, daemon, 'alice', { args: ['-o', options] });
      isSame(other);
      isSame(mounted);
      await isRight(t, daemon);
      await other.succeed('rm', ['-rf', 'unpacked', 'copied', 'synced']);
      await other.synced();
      t.strictSame(readdirSync(daemon.home('alice')), ['.ftpmount']);
    });
  }
}

function shared(): void {
  t.test('what one mount does to owners and modes the other sees with its next call', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G', posixOwners: true } } });
    const [one, other] = [
      await mountHome(t, daemon, 'alice', { args: ['-o', ALL] }),
      await mountHome(t, daemon, 'alice', { args: ['-o', ALL] }),
    ];
    await one.succeed('sh', ['-ec', 'echo x > f; ln -s f l; mkfifo p; mknod c c 1 3; mkdir d; ln f hard']);
    for (let turn = 1; turn <= 10; turn++) {
      const [by, seen] = turn % 2 === 0 ? [one, other] : [other, one];
      for (const name of ['f', 'l', 'p', 'c', 'd']) {
        await by.succeed('chown', ['-h', `${turn}:${turn + 100}`, name]);
        const type = (lstatSync(seen.path(name)).mode & 0o170000).toString(8);
        t.match(
          told(seen, name),
          new RegExp(`^${type.slice(0, -4)}.*:${turn}:${turn + 100}$`),
          `${name}, turn ${turn}`,
        );
      }
      await by.succeed('chmod', ['4751', 'f', 'c', 'p']);
      t.equal(told(seen, 'hard'), `104751:${turn}:${turn + 100}`);
      t.equal(told(seen, 'c'), `24751:${turn}:${turn + 100}`);
    }
    await one.succeed('mknod', ['new', 'b', '8', '1']);
    t.ok(lstatSync(other.path('new')).isBlockDevice());
    await isRight(t, daemon);
  });
}

function switched(): void {
  t.test('owners are switched on and off while the home is mounted', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', ALL] });
    const other = await mountHome(t, daemon, 'alice', { args: ['-o', ALL] });
    // The server is asked for it, whatever was synced before: a directory's is spared where nothing changed.
    const connected = (): Promise<unknown> =>
      Promise.all([mounted, other].map((each) => each.succeed('sync', ['f'])));
    await mounted.succeed('sh', ['-ec', 'echo x > f; chmod 640 f']);
    t.match(await mounted.run('chown', ['5', 'f']), { code: 1, stderr: /Operation not permitted/ });
    t.match(await mounted.run('mknod', ['c', 'c', '1', '3']), { code: 1, stderr: /Operation not permitted/ });

    const usermod = async (option: string): Promise<void> => {
      const { code, stderr } = await daemon.ftpctl(['usermod', 'alice', option]);
      t.equal(code, 0, stderr);
    };
    await usermod('--posix-owners');
    // The mount hears of it when it has connected again: what it asks then waits for that.
    await connected();
    await mounted.succeed('sh', ['-ec', 'chown 5:6 f; chmod 4711 f; mknod c c 1 3']);
    t.strictSame([told(mounted, 'f'), told(mounted, 'c')], ['104711:5:6', '20644:0:0']);
    t.equal(told(other, 'f'), '104711:5:6');

    await usermod('--no-posix-owners');
    await connected();
    for (const each of [mounted, other]) t.equal(told(each, 'f'), '100711:0:0');
    t.equal(told(mounted, 'c'), '100644:0:0', 'an empty file');
    await usermod('--posix-owners');
    await connected();
    t.strictSame([told(mounted, 'f'), told(mounted, 'c')], ['104711:5:6', '20644:0:0'], 'as it was');
  });
}

function ordinaryDaemon(tree: string, original: string[]): void {
  t.test('a daemon that is not root keeps the same', async (t) => {
    const directory = temporaryDirectory(t, NOBODY);
    const setpriv = ['setpriv', `--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'];
    const daemon = new Daemon(t, { directory, within: setpriv });
    await daemon.addUser('alice', { quota: '1G', posixOwners: true });
    await succeed('chown', ['-R', `${NOBODY.uid}:${NOBODY.gid}`, daemon.state, daemon.homes]);
    await daemon.start();
    const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', ALL] });
    await mounted.succeed('cp', ['-a', tree, 'copied']);
    t.strictSame(describeTree(mounted.path('copied')), original);
    await mounted.synced();
    await isHarmless(t, daemon.home('alice'));
    const found = await succeed('find', [daemon.home('alice'), '!', '-uid', String(NOBODY.uid)]);
    t.equal(found, '', 'all is its own');
    t.equal(statSync(daemon.home('alice')).mode & 0o777, 0o700);
    t.equal((await mounted.unmount()).code, 0);
    // What the daemon may not look into is listed nevertheless.
    writeFileSync(path.join(daemon.home('alice'), 'foreign'), '', { mode: 0o600 });
    const again = await mountHome(t, daemon, 'alice', { args: ['-o', ALL] });
    t.strictSame(readdirSync(again.mountpoint), ['copied', 'foreign']);
    t.equal(told(again, 'foreign'), '100600:0:0');
    rmSync(path.join(daemon.home('alice'), 'foreign'));
    t.strictSame(describeTree(again.path('copied')), original);
    await isRight(t, daemon);
  });
}

/*
 * The trash as a user of a mounted home meets it: what is removed and replaced comes back, makes room when that is needed, and neither
 * is lost nor charged twice when the daemon is killed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { isRight, killWhile, WHILE_KILLED } from '../lib/kill-while.js';
import { mountHome } from '../lib/mounted.js';
import { run, succeed } from '../lib/run.js';

const MiB = 1024 ** 2;

function ctl(daemon: Daemon, command: string, ...args: string[]): ReturnType<Daemon['ftpctl']> {
  return daemon.ftpctl([...command.split(' '), ...daemon.login('alice'), ...args]);
}

async function inTrash(daemon: Daemon, ...at: string[]): Promise<string[]> {
  const { stdout } = await ctl(daemon, 'trash', '--json', daemon.at('alice', ...at));
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { path: string }).path).toSorted();
}

t.test('rm, mv and put over a file, and back', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '64M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const script =
    'mkdir -p d/e; echo removed > d/e/f; ln -s target d/e/l; echo over > g; echo by > h; echo old > p; sync g';
  await mounted.succeed('sh', ['-ec', script]);
  await mounted.succeed('sh', ['-ec', 'rm -r d; mv h g; sync g']);
  t.equal(
    (await daemon.ftpctl(['put', ...daemon.login('alice'), '-', daemon.at('alice', 'p')], { input: 'new' }))
      .code,
    0,
  );
  t.strictSame(await inTrash(daemon), ['d/e/f', 'd/e/l', 'g', 'p']);
  t.notMatch(await mounted.succeed('ls', ['-a']), /trash/);
  t.not((await mounted.run('ls', ['.ftpmount/trash'])).code, 0);

  const restored = await ctl(daemon, 'trash restore', '--beside', daemon.at('alice'));
  t.equal(restored.code, 0, restored.stderr);
  const contents = await mounted.succeed('cat', ['d/e/f', 'g', 'g.restored', 'p.restored']);
  t.equal(contents, 'removed\nby\nover\nold\n');
  t.equal(await mounted.succeed('readlink', ['d/e/l']), 'target\n');
  await isRight(t, daemon);
});

t.test('a file that is open when it is removed is read and written on', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '64M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const other = await mountHome(t, daemon, 'alice');
  await mounted.succeed('sh', ['-ec', 'echo one > f; sync f']);
  const script =
    'exec 3<>f; cat <&3; rm f; echo two >&3; stat -Lc %h /proc/self/fd/3; sync; cat /proc/self/fd/3';
  t.equal(await mounted.succeed('sh', ['-ec', script]), 'one\n0\none\ntwo\n');
  t.equal((await ctl(daemon, 'trash restore', daemon.at('alice', 'f'))).code, 0);
  t.equal(await other.succeed('cat', ['f']), 'one\ntwo\n');
  await isRight(t, daemon);
});

t.test('a file that is restored while it is open is the same to all mounts', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '64M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const other = await mountHome(t, daemon, 'alice');
  await mounted.succeed('sh', ['-ec', 'echo one > f; sync f']);
  const file = await open(path.join(mounted.mountpoint, 'f'), 'r+');
  await file.write('ONE', 0);
  await mounted.succeed('rm', ['f']);
  await file.write('two\n', 4);
  t.equal((await ctl(daemon, 'trash restore', daemon.at('alice', 'f'))).code, 0);
  t.equal(await other.succeed('cat', ['f']), 'ONE\ntwo\n', 'with what was written to it');
  await other.succeed('sh', ['-ec', 'echo three >> f; sync f']);
  const { nlink, size } = await file.stat();
  t.strictSame([nlink, size], [1, 14]);
  await file.write('3', 8);
  await file.sync();
  t.equal(await other.succeed('cat', ['f']), 'ONE\ntwo\n3hree\n');
  await file.close();
  await isRight(t, daemon);
});

t.test('what is done to an open file there makes room, and none too much', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '10M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const used = async (): Promise<number> =>
    Number((await mounted.succeed('df', ['--output=used', '-B1', '.'])).split('\n')[1]);
  await mounted.succeed('sh', ['-ec', 'exec 5>f; rm f; head -c 8M /dev/zero >&5; sync']);
  await mounted.succeed('sh', ['-ec', 'head -c 5M /dev/zero > g; sync g; rm g; sync .']);
  t.strictSame(await inTrash(daemon), ['g']);
  const cut = 'head -c 8M /dev/zero > f; exec 5<>f; sync f; rm f; truncate -s 0 /proc/self/fd/5; sync .';
  await mounted.succeed('sh', ['-ec', cut]);
  t.equal(await used(), 0);
  await isRight(t, daemon);
});

t.test('it makes room, the oldest first, and df says so', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '32M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  for (let i = 0; i < 6; i++) {
    const script = `head -c 20M /dev/zero > f; sync f; rm f; sync .`;
    const { code, stderr } = await mounted.run('sh', ['-ec', script]);
    t.equal(code, 0, stderr);
  }
  t.strictSame(await inTrash(daemon), ['f'], 'two are too many');
  const [, available] = (await mounted.succeed('df', ['--output=avail', '-B1', '.'])).split('\n');
  t.ok(Number(available) > 31 * MiB, `available: ${available}`);
  await mounted.succeed('sh', ['-ec', 'head -c 31M /dev/zero > all; sync all']);
  t.strictSame(await inTrash(daemon), []);
  const over = await mounted.run('sh', ['-c', 'LC_ALL=C head -c 2M /dev/zero > over']);
  t.match(over.stderr, /Disk quota exceeded/);
  await isRight(t, daemon);
});

t.test('a tree that is removed while the daemon is killed comes back whole', async (t) => {
  const local = temporaryDirectory(t);
  for (let i = 0; i < 400; i++) {
    const below = path.join(local, 'tree', `d${i % 17}`, `e${i % 5}`);
    mkdirSync(below, { recursive: true });
    writeFileSync(path.join(below, `file ${i}`), `${i}\n`.repeat(i % 400));
  }
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  for (let round = 0; round < 3; round++) {
    await mounted.succeed('cp', ['-r', path.join(local, 'tree'), 'tree']);
    await mounted.succeed('sync', ['.']);
    await killWhile(t, daemon, mounted.succeed('rm', ['-rf', 'tree'], WHILE_KILLED));
    await mounted.succeed('sync', ['.']);
    const restored = await ctl(daemon, 'trash restore', daemon.at('alice', 'tree'));
    t.equal(restored.code, 0, restored.stderr);
    await mounted.succeed('diff', ['-r', path.join(local, 'tree'), 'tree']);
    await mounted.succeed('rm', ['-rf', 'tree']);
    t.equal((await ctl(daemon, 'trash empty', daemon.at('alice'))).code, 0);
  }
  await mounted.unmount();
  await isRight(t, daemon);
});

if (process.geteuid?.() === 0) t.test('on a full disk it makes room, too', onFullDisk);

async function onFullDisk(t: Test): Promise<void> {
  const disk = temporaryDirectory(t);
  await succeed('mount', ['-t', 'tmpfs', '-o', 'size=32M', 'small', disk]);
  t.teardown(() => run('umount', ['-l', disk]));
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G', trash: '30d' } }, directory: disk });
  const mounted = await mountHome(t, daemon, 'alice');
  for (let i = 0; i < 4; i++) {
    await mounted.succeed('sh', ['-ec', 'head -c 12M /dev/zero > f; sync f; rm f; sync .']);
  }
  const source = path.join(temporaryDirectory(t), 'source');
  await succeed('sh', ['-c', 'head -c 16M /dev/urandom > "$1"', 'sh', source]);
  const put = await daemon.ftpctl(['put', source, daemon.at('alice', 'copy'), ...daemon.login('alice')]);
  t.equal(put.code, 0, put.stderr);
  await isRight(t, daemon);
}

/** A program that saves a file by writing it anew, and by another name. */
const SAVING = `
  const fs = require('node:fs');
  for (let round = 0; round < 300; round += 1) {
    fs.writeFileSync('f', Buffer.alloc(400_000, round));
    if (round % 2 === 1) fs.unlinkSync('f');
    else {
      fs.writeFileSync('g', Buffer.alloc(300_000, round));
      fs.renameSync('g', 'f');
    }
  }`;

t.test('saving again and again in a quota that the trash fills is refused nothing', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '20M', trash: '30d' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  await mounted.succeed(process.execPath, ['-e', SAVING], WHILE_KILLED);
  await mounted.unmount();
  t.match((await daemon.ftpctl(['quota', 'check', 'alice'])).stdout, /right/);
});

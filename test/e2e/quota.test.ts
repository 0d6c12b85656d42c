/* The quota as a user of a mounted home meets it. */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';

const MiB = 1024 ** 2;

const daemon = await startDaemon(t, {
  users: { alice: { quota: '64M' }, few: { quota: '1G', maxFiles: 20 } },
});

t.test('df shows it, the write that passes it fails, what is removed is free again', async (t) => {
  const mounted = await mountHome(t, daemon, 'alice');
  const df = async (): Promise<number[]> =>
    (await mounted.succeed('df', ['--output=size,used,avail', '-B1', '.']))
      .split('\n')[1]
      ?.trim()
      .split(/\s+/)
      .map(Number) ?? [];
  t.equal((await df())[0], 64 * MiB);
  await mounted.succeed('sh', ['-c', `head -c ${20 * MiB} /dev/zero > twenty`]);
  const [, used = NaN, available = NaN] = await df();
  t.ok(used >= 20 * MiB && used < 21 * MiB, `used ${used}`);
  t.ok(available > 43 * MiB && available <= 44 * MiB, `available ${available}`);

  const over = await mounted.run('sh', ['-c', `LC_ALL=C head -c ${100 * MiB} /dev/zero > over`]);
  t.not(over.code, 0);
  t.match(over.stderr, /Disk quota exceeded/);
  t.ok(Number(await mounted.succeed('stat', ['-c', '%s', 'over'])) <= 44 * MiB);

  await mounted.succeed('rm', ['over']);
  await mounted.succeed('sh', ['-c', `head -c ${40 * MiB} /dev/zero > forty`]);
  await mounted.succeed('rm', ['twenty', 'forty']);
  t.ok(((await df())[1] ?? NaN) < MiB);
  const checked = await daemon.ftpctl(['quota', 'check']);
  t.equal(checked.code, 0, checked.stdout + checked.stderr);
});

t.test('as many files as are allowed and no more', async (t) => {
  const mounted = await mountHome(t, daemon, 'few');
  const result = await mounted.run('sh', ['-c', 'for i in $(seq 40); do LC_ALL=C touch f$i || exit 1; done']);
  t.match(result.stderr, /Disk quota exceeded/);
  const made = (await mounted.succeed('ls')).split('\n').filter(Boolean).length;
  t.ok(made >= 18 && made <= 20, `${made} files`);
  await mounted.succeed('rm', ['f1']);
  await mounted.succeed('touch', ['one-more']);
});

t.test(
  'a quota lowered below what is used refuses growth and loses nothing; raised it lets it',
  async (t) => {
    await daemon.addUser('lily', { quota: '32M' });
    const mounted = await mountHome(t, daemon, 'lily');
    await mounted.succeed('sh', ['-c', `head -c ${16 * MiB} /dev/urandom > kept && md5sum kept > sum`]);
    t.equal((await daemon.ftpctl(['usermod', 'lily', '--quota', '8M'])).code, 0);
    t.match(
      (await mounted.run('sh', ['-c', 'LC_ALL=C head -c 1M /dev/zero > more'])).stderr,
      /Disk quota exceeded/,
    );
    await mounted.succeed('md5sum', ['-c', 'sum']);
    t.equal((await daemon.ftpctl(['usermod', 'lily', '--quota', '64M'])).code, 0);
    await mounted.succeed('sh', ['-c', 'head -c 1M /dev/zero > more']);
  },
);

t.test('without a limit a hole may be as large as the disk takes', async (t) => {
  await daemon.addUser('unlimited', { quota: '0' });
  const mounted = await mountHome(t, daemon, 'unlimited');
  const plain = temporaryDirectory(t);
  // More than is free on any disk of a test, and more than ext4 takes of one file.
  for (const size of ['100T', '1T', '999999999999999']) {
    const truncate = async (cwd: string): Promise<unknown> => {
      const { code, stderr } = await mounted.run('sh', ['-c', `LC_ALL=C truncate -s ${size} f`], { cwd });
      return [code, stderr, (await mounted.succeed('stat', ['-c', '%s', 'f'], { cwd })).trim()];
    };
    t.strictSame(await truncate(mounted.mountpoint), await truncate(plain), size);
  }
  await mounted.succeed('sh', ['-c', 'echo more >> f; sync f']);
});

t.test('two mounts share a small quota to the byte', async (t) => {
  await daemon.addUser('small', { quota: '3M', maxFiles: 30 });
  const [one, two] = [await mountHome(t, daemon, 'small'), await mountHome(t, daemon, 'small')];
  await one.succeed('sh', ['-c', 'head -c 100000 /dev/zero > one']);
  await two.succeed('sh', ['-c', `head -c ${MiB} /dev/zero > two`]);
  await one.succeed('sh', ['-c', `head -c ${MiB} /dev/zero >> one`]);
  const left = 3 * MiB - 2 * MiB - 100_000;
  const over = await two.run('sh', ['-c', `LC_ALL=C head -c ${MiB} /dev/zero > last`]);
  t.match(over.stderr, /Disk quota exceeded/);
  t.equal(Number(await one.succeed('stat', ['-c', '%s', 'last'])), left, 'what fits was written');
  await one.succeed('rm', ['last']);
  for (let round = 0; round < 5; round++) {
    for (const mount of [one, two]) {
      await mount.succeed('sh', ['-c', 'for i in 1 2 3; do head -c 20000 /dev/zero >> grows; done']);
    }
  }
  t.equal(Number(await one.succeed('stat', ['-c', '%s', 'grows'])), 600_000);
  for (let made = 3; made < 30; made++) {
    await (made % 2 === 0 ? one : two).succeed('touch', [`file ${made}`]);
  }
  const more = await one.run('sh', ['-c', 'LC_ALL=C touch more']);
  t.match(more.stderr, /Disk quota exceeded/);
});

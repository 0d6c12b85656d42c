/*
 * The power of the server is cut: what was fsynced is there, and the mount goes on and sends again what is not.
 *
 * Homes and state are on a disk image. The daemon is stopped by SIGSTOP, the image is copied as it is at that moment, and the
 * copy, which has lost what was only in memory, takes the place of the disk.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { run, succeed } from '../lib/run.js';

const rounds = Number(process.env['ROUNDS'] ?? 3);

if (process.geteuid?.() !== 0) t.plan(0, 'only root can mount a disk image');
else test();

function test(): void {
  t.test('everything fsynced is there, and the mount sends the rest again', async (t) => {
    const place = temporaryDirectory(t);
    const disk = path.join(place, 'disk');
    mkdirSync(disk);
    const image = (round: number): string => path.join(place, `image-${round}`);
    await succeed('sh', ['-ec', 'truncate -s 96M "$1" && mkfs.ext4 -q "$1"', 'sh', image(0)]);
    await succeed('mount', ['-o', 'loop', image(0), disk]);
    t.teardown(() => run('umount', ['-l', disk]));
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } }, directory: disk });
    const mounted = await mountHome(t, daemon, 'alice');

    for (let round = 0; round < rounds; round++) {
      await mounted.succeed('sh', [
        '-ec',
        `mkdir r${round}; cd r${round}; for i in 1 2 3 4 5; do echo safe $i > safe$i; done; mv safe5 moved; sync .
         for i in 1 2 3; do echo later $i > later$i; done; mv moved again; echo more >> safe1; rm safe2`,
      ]);
      process.kill(daemon.service.pid, 'SIGSTOP');
      await succeed('cp', ['--sparse=always', image(round), image(round + 1)]);
      await daemon.kill();
      await succeed('umount', ['-l', disk]);
      await succeed('mount', ['-o', 'loop', image(round + 1), disk]);
      const cut = (file: string): string => readFileSync(path.join(daemon.home('alice'), file), 'utf8');
      t.equal(cut(`r${round}/safe3`), 'safe 3\n', 'what was fsynced survived');
      await daemon.start();

      await mounted.synced();
      for (const where of [mounted.mountpoint, daemon.home('alice')]) {
        const found = await succeed('sh', [
          '-c',
          'cd "$1" && tail -n +1 *',
          'sh',
          path.join(where, `r${round}`),
        ]);
        t.equal(
          found,
          ['again:safe 5', 'later1:later 1', 'later2:later 2', 'later3:later 3', 'safe1:safe 1\nmore']
            .concat(['safe3:safe 3', 'safe4:safe 4'])
            .map((each) => each.replace(/^(\w+):/, '==> $1 <==\n'))
            .join('\n\n') + '\n',
        );
      }
    }
    const check = await daemon.ftpctl(['quota', 'check', 'alice']);
    t.match(check.stdout, /right/, 'what is charged is what is there');
  });
}

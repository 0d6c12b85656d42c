/*
 * The power of the server is cut: what was fsynced is there, and the mount goes on and sends again what is not.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ConfinedTree, statusAt } from '../../daemon/home/disk/confined.js';
import { VirtualOwners } from '../../daemon/home/files/virtual-owners.js';
import { startDaemonOnDisk } from '../lib/daemon-on-disk.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { succeed } from '../lib/run.js';

const rounds = Number(process.env['ROUNDS'] ?? 3);

if (process.geteuid?.() !== 0) t.plan(0, 'only root can mount a disk image');
else test();

function test(): void {
  t.test('everything fsynced is there, and the mount sends the rest again', async (t) => {
    const { daemon, cutPower } = await startDaemonOnDisk(t, { alice: { quota: '1G' } });
    const mounted = await mountHome(t, daemon, 'alice');

    for (let round = 0; round < rounds; round++) {
      await mounted.succeed('sh', [
        '-ec',
        `mkdir r${round}; cd r${round}; for i in 1 2 3 4 5; do echo safe $i > safe$i; done; mv safe5 moved; sync .
         for i in 1 2 3; do echo later $i > later$i; done; mv moved again; echo more >> safe1; rm safe2`,
      ]);
      await cutPower();
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

  t.test('what put said is done is there, also what is no file', async (t) => {
    const { daemon, cutPower } = await startDaemonOnDisk(t, { alice: { quota: '1G' } });
    const tree = path.join(temporaryDirectory(t), 'tree');
    mkdirSync(path.join(tree, 'empty'), { recursive: true, mode: 0o750 });
    symlinkSync('empty', path.join(tree, 'link'));
    const put = await daemon.ftpctl(['put', '-r', ...daemon.login('alice'), tree, daemon.at('alice')]);
    t.equal(put.code, 0, put.stderr);
    await cutPower();
    const found = path.join(daemon.home('alice'), 'tree');
    t.strictSame(readdirSync(found), ['empty', 'link']);
    t.equal(statSync(path.join(found, 'empty')).mode & 0o777, 0o750);
  });

  t.test('an owner and a mode that were fsynced are there, also of what can have no attribute', async (t) => {
    const { daemon, cutPower } = await startDaemonOnDisk(t, { alice: { quota: '1G', posixOwners: true } });
    const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'allow_other,suid,dev'] });
    await mounted.succeed('sh', [
      '-ec',
      `echo x > f; ln -s f l; mkfifo p; mknod c c 1 3; chown -h 5:6 f l p c; chmod 4711 f c p; sync .
       chown -h 7:8 f l p c; ln -s f later; chown -h 9:9 later`,
    ]);
    await cutPower();
    const kept = ownersOnDisk(daemon.home('alice'), ['f', 'l', 'p', 'c']);
    for (const [name, mode] of Object.entries({ f: '104711', l: '120777', p: '14711', c: '24711' })) {
      const own = kept.get(name) ?? '';
      // What was done after may be there, or not, or in part: never what nobody said.
      const after = mode.replace(/^(10|1|2)47/, '$107');
      t.ok([`${mode}:5:6`, `${after}:7:8`].includes(own), `${name} is ${own}`);
    }
    await daemon.start();
    await mounted.synced();
    t.strictSame(
      [...ownersOnDisk(daemon.home('alice'), ['f', 'l', 'p', 'c', 'later']).values()],
      ['100711:7:8', '120777:7:8', '10711:7:8', '20711:7:8', '120777:9:9'],
      'and the mount sends the rest again',
    );
  });
}

/** MODE:UID:GID of files of a home whose daemon does not run, by what is on the disk. */
function ownersOnDisk(home: string, names: readonly string[]): Map<string, string> {
  const tree = ConfinedTree.open(home);
  const owners = new VirtualOwners(tree, true, 0n);
  try {
    return new Map(
      names.map((text) => {
        const name = Buffer.from(text);
        const status = statusAt(tree.root, name);
        const { mode, uid, gid } = owners.told({ directory: tree.root, name, status });
        return [text, `${mode.toString(8)}:${uid}:${gid}`];
      }),
    );
  } finally {
    owners.close();
    tree.close();
  }
}

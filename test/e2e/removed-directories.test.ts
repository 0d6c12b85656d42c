/*
 * A directory that is open here, and that somebody else removes: what is done by its descriptor has the outcome that it has on
 * a disk, also where another one has its name by then.
 */
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';

/** What a call returns, or the errno of its failure. */
function outcome(call: () => unknown): unknown {
  try {
    return call() ?? 'done';
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    // Node has no name for all of them.
    return code?.startsWith('E') === true ? code : errno;
  }
}

function check(t: Test, here: string, there: string): void {
  for (const [at, again] of [false, true].entries()) {
    const name = `d${at}`;
    const [d, file] = [join(here, name), join(here, 'file')];
    writeFileSync(file, '');
    mkdirSync(d);
    writeFileSync(join(d, 'f'), '');
    readdirSync(d);
    const fd = openSync(d, 'r');
    const opened = opendirSync(d);
    unlinkSync(join(there, name, 'f'));
    rmdirSync(join(there, name));
    if (again) {
      mkdirSync(join(there, name));
      writeFileSync(join(there, name, 'f'), 'of another');
    }
    const by = `/proc/self/fd/${fd}`;
    const what = again ? 'another one has its name' : 'its name is free';
    t.same(
      {
        entry: outcome(() => opened.readSync()?.name),
        listing: outcome(() => readdirSync(by)),
        nlink: fstatSync(fd).nlink,
        stat: outcome(() => lstatSync(`${by}/f`)),
        mkdir: outcome(() => mkdirSync(`${by}/x`)),
        create: outcome(() => writeFileSync(`${by}/x`, '')),
        symlink: outcome(() => symlinkSync('to', `${by}/x`)),
        link: outcome(() => linkSync(file, `${by}/x`)),
        into: outcome(() => renameSync(file, `${by}/x`)),
        from: outcome(() => renameSync(`${by}/f`, file)),
        unlink: outcome(() => unlinkSync(`${by}/f`)),
        rmdir: outcome(() => rmdirSync(`${by}/f`)),
      },
      {
        ...{ entry: 'done', listing: [], nlink: 0, stat: 'ENOENT', mkdir: 'ENOENT', create: 'ENOENT' },
        ...{ symlink: 'ENOENT', link: 'ENOENT', into: 'ENOENT' },
        ...{ from: 'ENOENT', unlink: 'ENOENT', rmdir: 'ENOENT' },
      },
      what,
    );
    opened.closeSync();
    closeSync(fd);
    t.same(
      outcome(() => readdirSync(d)),
      again ? ['f'] : 'ENOENT',
    );
  }
}

t.test('on a disk', async (t) => {
  const disk = temporaryDirectory(t);
  check(t, disk, disk);
});

for (const args of [[], ['-o', 'nolease']]) {
  t.test(`in a mount ${args.join(' ')}`, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const here = await mountHome(t, daemon, 'alice', { args });
    const there = await mountHome(t, daemon, 'alice', { args });
    check(t, here.mountpoint, there.mountpoint);
  });
}

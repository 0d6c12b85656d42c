/*
 * The server's disk breaks after the mount has answered: the program is told at write, fsync or close, it is logged and
 * counted, the data are kept on this machine, what the mount shows is what there is, and the rest of the home goes on.
 *
 * A single operation is made to fail by strace(1), which gives the daemon an error in the place of a system call; chmod, whose
 * system call (fchmodat2) is too new for many a strace, by a file system that fails it; the whole disk by ext4's own way of
 * giving up, and by removing the home under the daemon.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { MountStatus } from '../../mount/control.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { runProgram } from '../lib/programs.js';
import { run, succeed } from '../lib/run.js';
import { Service } from '../lib/service.js';
import { BROKEN_MODE } from '../mount/fuse/memory-filesystem.js';
import { Served } from '../mount/fuse/served-mount.js';

interface Kind {
  readonly what: string;
  readonly call: string;
  /** Only where it is about this file of the home. */
  readonly of?: string;
  /** What succeeds in the mount. */
  act(root: string): Promise<unknown>;
  /** Whose fsync tells. */
  readonly told: string;
  /** Data that are lost to the server. */
  readonly data?: string;
}

const KINDS: readonly Kind[] = [
  {
    ...{ what: 'create', call: 'linkat', told: '.', data: 'data of a new file' },
    act: (root) => fs.writeFile(`${root}/new`, 'data of a new file'),
  },
  { what: 'mkdir', call: 'renameat2', told: '.', act: (root) => fs.mkdir(`${root}/newdir`) },
  { what: 'symlink', call: 'symlinkat', told: '.', act: (root) => fs.symlink('file', `${root}/newlink`) },
  { what: 'mkfifo', call: 'mknodat', told: '.', act: (root) => succeed('mkfifo', [`${root}/fifo`]) },
  { what: 'link', call: 'linkat', told: '.', act: (root) => fs.link(`${root}/file`, `${root}/second`) },
  { what: 'unlink', call: 'unlinkat', told: '.', act: (root) => fs.unlink(`${root}/file`) },
  { what: 'rmdir', call: 'unlinkat', told: '.', act: (root) => fs.rmdir(`${root}/empty`) },
  { what: 'rename', call: 'renameat2', told: '.', act: (root) => fs.rename(`${root}/file`, `${root}/moved`) },
  { what: 'utimes', call: 'utimensat', told: 'file', act: (root) => fs.utimes(`${root}/file`, 1, 1) },
  { what: 'truncate', call: 'ftruncate', told: 'file', act: (root) => fs.truncate(`${root}/file`, 3) },
  {
    ...{ what: 'write', call: 'pwrite64', of: 'old', told: 'old', data: 'data written behind' },
    act: (root) => fs.appendFile(`${root}/old`, 'data written behind'),
  },
];

/** While `act` runs, this system call of the daemon fails; `file`: only where it is about this one. */
async function failing(
  t: Test,
  daemon: Daemon,
  call: string,
  file: string | undefined,
  act: () => Promise<void>,
): Promise<void> {
  const strace = new Service(t, 'strace', [
    ...['-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=EIO`],
    ...(file === undefined ? [] : ['-P', file]),
    ...['-p', String(daemon.service.pid)],
  ]);
  await strace.says(/attached/);
  try {
    await act();
  } finally {
    strace.signal('SIGINT');
    await strace.exited;
  }
}

/** Opens a file or directory and calls fsync twice: the errors; undefined: it succeeded. */
async function syncErrors(file: string): Promise<(string | undefined)[]> {
  const open = await fs.open(file, 'r');
  const sync = (): Promise<string | undefined> =>
    open.sync().then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
  try {
    return [await sync(), await sync()];
  } finally {
    await open.close();
  }
}

const SYNCED = [undefined, undefined];

async function statusOf(daemon: Daemon, { mountpoint }: Mounted): Promise<MountStatus> {
  const { stdout } = await runProgram('ftpmount', ['status', mountpoint, '--json'], { env: daemon.env });
  return JSON.parse(stdout) as MountStatus;
}

/** What is kept of lost writes. */
function kept(daemon: Daemon): string {
  const directory = path.join(daemon.clientState, 'ftpmount', 'lost');
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(path.join(parentPath, name), 'latin1'))
    .join('\n');
}

/** The rest of the home goes on, and the mount shows what there is. */
async function goesOn(t: Test, daemon: Daemon, mounted: Mounted): Promise<void> {
  await fs.writeFile(mounted.path('w/later'), 'later');
  t.same(await syncErrors(mounted.path('w/later')), SYNCED, 'what comes later is kept');
  t.equal(readFileSync(path.join(daemon.home('alice'), 'w/later'), 'utf8'), 'later');
  await mounted.succeed('diff', ['-r', 'w', path.join(daemon.home('alice'), 'w')]);
}

/** The homes are on another file system from now on. */
async function homesOn(t: Test, daemon: Daemon, mountpoint: string): Promise<void> {
  await daemon.stop();
  await succeed('mount', ['--bind', mountpoint, daemon.homes]);
  t.teardown(() => run('umount', ['-l', daemon.homes]));
  t.match(await daemon.ftpctl(['adopt', daemon.homes]), { code: 0 });
  await daemon.start();
}

const isRoot = process.geteuid?.() === 0;
if (!isRoot) t.plan(0, 'only root can break disks');
else test();

function test(): void {
  t.test('one operation fails', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    // strace knows a file by the path under which it was opened: those that the daemon has made have none.
    await fs.mkdir(path.join(daemon.home('alice'), 'w'), { recursive: true, mode: 0o700 });
    await fs.writeFile(path.join(daemon.home('alice'), 'w/old'), 'before\n');
    const mounted = await mountHome(t, daemon, 'alice');
    const root = mounted.path('w');
    for (const { what, call, of, act, told, data } of KINDS) {
      // What is there tells of the one before, too.
      const prepare =
        'sync "$1" "$1"/* 2>/dev/null || :; mkdir -p "$1/empty"; echo before >"$1/file"; sync "$1"';
      await succeed('sh', ['-ec', prepare, 'sh', root]);
      await mounted.succeed('ls', ['-l', 'w']);
      const { losses } = await statusOf(daemon, mounted);
      const file = of === undefined ? undefined : path.join(daemon.home('alice'), 'w', of);
      const from = mounted.service.output.length;
      await failing(t, daemon, call, file, async () => {
        // It is answered before the server has a chance to say anything.
        daemon.service.signal('SIGSTOP');
        await act(root).finally(() => daemon.service.signal('SIGCONT'));
        t.same(await syncErrors(path.join(root, told)), ['EIO', undefined], `${what}: fsync tells it, once`);
      });
      t.match(mounted.service.output.slice(from), /could not make a change/, 'it is logged');
      t.ok((await statusOf(daemon, mounted)).losses > losses, 'and counted');
      if (data !== undefined) t.ok(kept(daemon).includes(data), 'and its data are kept');
      await goesOn(t, daemon, mounted);
    }
    t.match(daemon.service.output, /an operation failed/, 'the daemon logs it, too');
    t.match((await daemon.ftpctl(['quota', 'check', 'alice'])).stdout, /right/);
  });

  t.test('chmod fails', async (t) => {
    const served = new Served(t, 0);
    await served.report('ready');
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    await homesOn(t, daemon, served.mountpoint);
    for (const args of [[], ['-o', 'sync']]) {
      const mounted = await mountHome(t, daemon, 'alice', { args });
      const file = mounted.path('w/file');
      await fs.mkdir(mounted.path('w'), { recursive: true });
      await fs.writeFile(file, 'data');
      await fs.chmod(file, 0o640);
      await mounted.synced();
      await mounted.succeed('ls', ['-l', 'w']);
      if (args.length > 0) {
        await t.rejects(fs.chmod(file, BROKEN_MODE), { code: 'EIO' }, 'with -o sync it is the answer');
      } else {
        await fs.chmod(file, BROKEN_MODE);
        t.same(await syncErrors(file), ['EIO', undefined], 'fsync tells it, once');
        t.match(mounted.service.output, /could not make a change/, 'it is logged');
        t.match(await statusOf(daemon, mounted), { losses: 1 });
      }
      t.equal((await fs.stat(file)).mode & 0o7777, 0o640, 'what is shown is what there is');
      t.equal(await fs.readFile(file, 'utf8'), 'data');
      await goesOn(t, daemon, mounted);
      await mounted.unmount();
    }
    t.match(daemon.service.output, /an operation failed/, 'the daemon logs it, too');
    t.match((await daemon.ftpctl(['quota', 'check', 'alice'])).stdout, /right/);
  });

  t.test('it is told at the next write, or at close', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    await fs.mkdir(daemon.home('alice'), { mode: 0o700 });
    const file = path.join(daemon.home('alice'), 'file');
    await fs.writeFile(file, 'before\n');
    const mounted = await mountHome(t, daemon, 'alice');
    const open = await fs.open(mounted.path('file'), 'a');
    t.teardown(() => open.close().catch(() => undefined));
    const lose = (): Promise<void> =>
      failing(t, daemon, 'pwrite64', file, async () => {
        // What the mount does not know it asks for, and then it is the answer.
        await fs.stat(mounted.path('file'));
        await open.write('lost\n');
        await syncErrors(mounted.mountpoint);
        // What it inherits of open files is closed when it starts: it is told, and takes no notice.
        await succeed('true');
      });
    await lose();
    await t.rejects(open.write('refused\n'), { code: 'EIO' });
    await open.write('and it goes on\n');
    await open.sync();
    t.equal(await fs.readFile(file, 'utf8'), 'before\nand it goes on\n');
    await lose();
    await t.rejects(open.close(), { code: 'EIO' });
    t.equal((await statusOf(daemon, mounted)).losses, 2);
  });

  t.test('with -o sync it is the answer', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mounted = await mountHome(t, daemon, 'alice', { args: ['-o', 'sync'] });
    await mounted.succeed('ls', ['-l']);
    await failing(t, daemon, 'renameat2,mkdirat', undefined, async () => {
      await t.rejects(fs.mkdir(mounted.path('new')), { code: 'EIO' });
    });
    t.same(await fs.readdir(mounted.mountpoint), []);
    await fs.mkdir(mounted.path('new'));
  });

  t.test('the notes of the daemon on what it has carried out cannot be written', async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const mounted = await mountHome(t, daemon, 'alice');
    await fs.mkdir(mounted.path('w'));
    await mounted.synced();
    await mounted.succeed('ls', ['-l', 'w']);
    const clients = path.join(daemon.home('alice'), '.ftpmount', 'clients');
    const [own = ''] = readdirSync(clients);
    await failing(t, daemon, 'pwrite64', path.join(clients, own), async () => {
      for (let i = 0; i < 8; i++) {
        await fs.writeFile(mounted.path('w', String(i)), `data of ${i}`);
        await syncErrors(mounted.path('w', String(i)));
      }
    });
    await goesOn(t, daemon, mounted);
    t.equal(readdirSync(mounted.path('w')).length, 9, 'what could be carried out was');
    t.match(await statusOf(daemon, mounted), { losses: 0 });
    t.match(daemon.service.output, /"level":"error"/, 'the daemon logs it');
  });

  t.test('the disk gives up while files are written', async (t) => {
    const place = temporaryDirectory(t);
    const [image, disk] = [path.join(place, 'image'), path.join(place, 'disk')];
    mkdirSync(disk);
    await succeed('sh', ['-ec', 'truncate -s 64M "$1" && mkfs.ext4 -q "$1"', 'sh', image]);
    await succeed('mount', ['-o', 'loop', image, disk]);
    t.teardown(() => run('umount', ['-l', disk]));
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    await homesOn(t, daemon, disk);
    const mounted = await mountHome(t, daemon, 'alice');
    const safe = mounted.path('safe');
    await fs.writeFile(safe, 'safe');
    t.same(await syncErrors(safe), SYNCED);
    const open = await fs.open(safe, 'a');
    t.teardown(() => open.close().catch(() => undefined));
    await succeed('mount', ['-o', 'remount,abort', disk]);
    await open.write(' and what comes behind');
    await fs.writeFile(mounted.path('new'), 'new data').catch(() => undefined);
    const error: unknown = await open.sync().catch((thrown: unknown) => thrown);
    t.ok(/^(EIO|EROFS)$/.test((error as NodeJS.ErrnoException).code ?? ''), 'it is told');
    await t.rejects(fs.writeFile(mounted.path('more'), 'more', { flush: true }));
    t.ok((await statusOf(daemon, mounted)).losses > 0);
    t.match(kept(daemon), / and what comes behind/);
    t.equal(await fs.readFile(safe, 'utf8'), 'safe', 'what is there can be read');
  });

  t.test('the home is removed under the daemon', async (t) => {
    const users = { alice: { quota: '1G' }, bob: { quota: '1G' } };
    const daemon = await startDaemon(t, { users });
    const mounted = await mountHome(t, daemon, 'alice');
    const other = await mountHome(t, daemon, 'bob');
    await fs.mkdir(mounted.path('w'));
    await fs.writeFile(mounted.path('w/file'), 'before');
    await mounted.synced();
    const open = await fs.open(mounted.path('w/file'), 'a');
    t.teardown(() => open.close().catch(() => undefined));
    await fs.rm(daemon.home('alice'), { recursive: true });
    await open.write(' and what comes behind');
    // Either the mount knows by now that the directory is gone, or who wrote is told later.
    const refused = await fs.writeFile(mounted.path('w/new'), 'new data').then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (refused === undefined) {
      const told = await syncErrors(mounted.path('w')).catch((error: unknown) => [error]);
      t.ok(told[0], 'it is told');
      t.ok((await statusOf(daemon, mounted)).losses > 0);
      t.match(kept(daemon), /new data/);
    } else t.match(refused, /^(ENOENT|ESTALE|EIO)$/);
    await fs.writeFile(other.path('file'), 'of bob');
    t.same(await syncErrors(other.path('file')), SYNCED, 'other homes go on');
    await open.close().catch(() => undefined);
    t.match(await mounted.unmount(), { code: 0 });
    // Nothing takes its place before the administrator says so.
    await fs.mkdir(daemon.home('alice'), { mode: 0o700 });
    const again = await mountHome(t, daemon, 'alice');
    await fs.writeFile(again.path('file'), 'anew');
    t.same(await syncErrors(again.path('file')), SYNCED, 'and so does a new home');
    t.equal(readFileSync(path.join(daemon.home('alice'), 'file'), 'utf8'), 'anew');
  });
}

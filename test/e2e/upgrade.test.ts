/*
 * The daemon's programs are replaced while it serves, as a package manager does it: a restart is a pause for mounts and transfers, and
 * no thread is started from the next version's files.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { CHECKOUT, copyPrograms } from '../../packaging/checkout.js';
import { RESERVED_NAME } from '../../state/home-layout.js';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { isRight, WHILE_KILLED } from '../lib/kill-while.js';
import { mountHome } from '../lib/mounted.js';
import { succeed } from '../lib/run.js';

t.setTimeout(150_000);

/** Puts the programs of a version there, each file in the place of the one before. */
function install(directory: string, version: string): void {
  const next = path.join(directory, 'next');
  copyPrograms(next);
  const manifest = JSON.parse(readFileSync(path.join(CHECKOUT, 'package.json'), 'utf8')) as object;
  writeFileSync(path.join(next, 'package.json'), JSON.stringify({ ...manifest, version }));
  for (const place of readdirSync(next, { recursive: true, withFileTypes: true })) {
    const from = path.join(place.parentPath, place.name);
    const to = path.join(directory, path.relative(next, from));
    if (place.isDirectory()) mkdirSync(to, { recursive: true });
    else renameSync(from, to);
  }
}

/** A daemon whose programs are in a directory of their own. */
async function startInstalled(byPassword: boolean): Promise<{ daemon: Daemon; programs: string }> {
  const programs = temporaryDirectory(t);
  symlinkSync(path.join(CHECKOUT, 'node_modules'), path.join(programs, 'node_modules'));
  install(programs, '1.0.0');
  const program = path.join(programs, 'dist/programs/ftpmountd.cjs');
  const daemon = await startDaemon(t, { program, byPassword, users: { alice: { quota: '1G' } } });
  return { daemon, programs };
}

async function versionOf(daemon: Daemon): Promise<unknown> {
  const { stdout } = await daemon.ftpctl(['status', '--json']);
  return (JSON.parse(stdout) as { version: unknown }).version;
}

t.test('an upgrade under load is a pause', async (t) => {
  const { daemon, programs } = await startInstalled(false);
  const local = temporaryDirectory(t);
  const tree = path.join(local, 'tree');
  mkdirSync(tree);
  for (let i = 0; i < 600; i++) writeFileSync(path.join(tree, `file ${i}`), `${i}\n`.repeat(i));
  await succeed('tar', ['-cf', path.join(local, 'tree.tar'), '-C', local, 'tree']);
  const large = path.join(local, 'large');
  writeFileSync(large, randomBytes(24 * 1024 * 1024));
  const mounted = await mountHome(t, daemon, 'alice');
  t.equal(await versionOf(daemon), '1.0.0');

  const uploading = new Promise((begun) => {
    const watcher = watch(path.join(daemon.home('alice'), RESERVED_NAME.toString()), () =>
      begun(watcher.close()),
    );
  });
  const put = daemon.ftpctl(
    ['put', '--limit', '8M', ...daemon.login('alice'), large, daemon.at('alice', 'large')],
    WHILE_KILLED,
  );
  await uploading;
  const untarred = mounted.run('tar', ['-xf', path.join(local, 'tree.tar')], WHILE_KILLED);
  install(programs, '1.0.1');
  const stopped = await daemon.stop();
  // It may need a thread, and so end by itself, before it is told to.
  const noticed = daemon.service.output.includes('the programs were replaced');
  t.match(stopped, { code: noticed ? 1 : 0 });
  await daemon.start();

  t.match(await untarred, { code: 0, stderr: '' });
  t.match(await put, { code: 0 });
  t.equal(await versionOf(daemon), '1.0.1');
  await mounted.succeed('diff', ['-r', tree, 'tree']);
  await mounted.unmount();
  await succeed('cmp', [large, path.join(daemon.home('alice'), 'large')]);
  await isRight(t, daemon);
});

t.test('a worker that needs another thread is not lost by it: the daemon ends in order', async (t) => {
  const { daemon, programs } = await startInstalled(false);
  const mounted = await mountHome(t, daemon, 'alice');
  install(programs, '1.0.1');
  const written = mounted.run('sh', ['-c', 'echo kept > f; sync f'], WHILE_KILLED);
  t.match(await daemon.service.exited, { code: 1 });
  t.notMatch(daemon.service.output, /a worker was lost|a worker threw|did not shut down/);
  await daemon.start();
  t.match(await written, { code: 0 });
  await succeed('grep', ['-q', 'kept', path.join(daemon.home('alice'), 'f')]);
});

for (const byPassword of [false, true]) {
  const thread = byPassword ? 'the thread of passwords' : 'a worker';
  t.test(`${thread} does not start from newer files: the daemon ends, to be started anew`, async (t) => {
    const { daemon, programs } = await startInstalled(byPassword);
    install(programs, '1.0.1');
    const ls = (): Promise<{ code: number | null }> =>
      daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]);
    t.match(await ls(), { code: 3 });
    t.match(await daemon.service.exited, { code: 1 });
    t.match(daemon.service.output, /the programs were replaced while they ran: start ftpmountd again/);
    await daemon.start();
    t.match(await ls(), { code: 0 });
    t.equal(await versionOf(daemon), '1.0.1');
  });
}

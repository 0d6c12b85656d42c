/* Trees of many files: unpacked, copied, compared and removed on a mounted home. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { succeed } from '../lib/run.js';
import { makeTree } from '../lib/tree.js';

const MANY = 20_000;

const daemon = new Daemon(t, {});
await daemon.addUser('alice', { quota: '4G' });
// Made on the server: what is looked at here is the listing.
mkdirSync(path.join(daemon.home('alice'), 'many'), { recursive: true, mode: 0o700 });
for (let n = 0; n < MANY; n++) writeFileSync(path.join(daemon.home('alice'), 'many', `file-${n}`), '');
await daemon.start();
const mounted = await mountHome(t, daemon, 'alice');

t.test('a tree that is unpacked equals the one that was packed, on both sides', async (t) => {
  const local = temporaryDirectory(t);
  const files = makeTree(path.join(local, 'tree'));
  await succeed('tar', ['--format=posix', '-cf', 'tree.tar', 'tree'], { cwd: local });
  await mounted.succeed('tar', ['-xf', `${local}/tree.tar`]);
  await mounted.succeed('diff', ['-r', '--no-dereference', `${local}/tree`, 'tree']);
  await mounted.synced();
  await succeed('diff', ['-r', '--no-dereference', `${local}/tree`, `${daemon.home('alice')}/tree`]);
  const metadata = ['.', '!', '-type', 'd', '-printf', '%P %m %s %T@ %y %l\\n'];
  const sorted = async (directory: string): Promise<string[]> =>
    (await succeed('find', metadata, { cwd: directory })).split('\n').toSorted();
  const there = await sorted(mounted.path('tree'));
  t.ok(there.length > files);
  t.same(there, await sorted(`${local}/tree`));
  t.same(await sorted(`${daemon.home('alice')}/tree`), there);
  await mounted.succeed('rm', ['-rf', 'tree']);
  await mounted.synced();
  t.notOk(readdirSync(daemon.home('alice')).includes('tree'));
});

t.test('a time that the disk cannot keep is shown at once as it will be there', async (t) => {
  const times = ['9223372036854775807', '15032385536', '4102444800.5', '-1.25', '-9223372036854775807'];
  const stat = (cwd: string): Promise<string> =>
    succeed('stat', ['-c', '%n %x %y', ...times.map((_, n) => `time-${n}`)], { cwd });
  for (const [n, time] of times.entries()) await mounted.succeed('touch', ['-d', `@${time}`, `time-${n}`]);
  const shown = await stat(mounted.path('.'));
  await mounted.synced();
  t.equal(shown, await stat(daemon.home('alice')));
  await mounted.succeed('sh', ['-c', 'rm time-*']);
});

t.test('a tree of 1,000 small files, as package managers make them', async (t) => {
  const make =
    'for d in $(seq 50); do mkdir -p modules/m$d/lib && for f in $(seq 20); do echo "$d $f" > modules/m$d/lib/$f.js; done; done';
  await mounted.succeed('sh', ['-c', make]);
  t.equal((await mounted.succeed('sh', ['-c', 'find modules -type f | wc -l'])).trim(), '1000');
  t.equal(await mounted.succeed('cat', ['modules/m17/lib/13.js']), '17 13\n');
  await mounted.succeed('cp', ['-r', 'modules', 'copy']);
  await mounted.succeed('diff', ['-r', 'modules', 'copy']);
  await mounted.succeed('rm', ['-rf', 'modules', 'copy']);
  await mounted.synced();
  t.notOk(readdirSync(daemon.home('alice')).includes('modules'));
});

t.test(`a directory of ${MANY} files`, async (t) => {
  const names = async (): Promise<string[]> =>
    (await mounted.succeed('ls', ['many'])).split('\n').filter(Boolean);
  const all = Array.from({ length: MANY }, (_, n) => `file-${n}`).toSorted();
  t.same((await names()).toSorted(), all);
  t.equal(
    (await mounted.succeed('sh', ['-c', 'ls -l many | grep -c "^-.* 0 .* file-"'])).trim(),
    String(MANY),
  );
  await mounted.succeed('sh', ['-c', 'cd many && rm file-1?? && mv file-200 renamed && echo new > new']);
  const kept = all.filter((name) => !/^file-(1..|200)$/.test(name));
  t.same((await names()).toSorted(), [...kept, 'new', 'renamed'].toSorted());
});

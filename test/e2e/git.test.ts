/* git on a mounted home: it creates, locks by O_EXCL, renames, maps and stats, and notices what is not as it left it. */
import path from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import { makeTree } from '../lib/tree.js';

const WHO = ['-c', 'user.name=Alice', '-c', 'user.email=alice@localhost', '-c', 'commit.gpgsign=false'];

t.test('init, add, commit, status, and all of it again after a new mount', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  let mounted = await mountHome(t, daemon, 'alice');
  const git = (...args: string[]): Promise<string> =>
    mounted.succeed('git', [...WHO, '-C', mounted.path('project'), ...args]);

  const tree = path.join(temporaryDirectory(t), 'tree');
  makeTree(tree);
  await mounted.succeed('cp', ['-r', tree, 'project']);
  await git('init', '-q', '-b', 'main');
  await git('add', '.');
  await git('commit', '-q', '-m', 'All of it');
  t.equal(await git('status', '--porcelain'), '');

  const module = 'part 1/módule-1';
  await mounted.succeed('sh', [
    '-c',
    'cd "$1" && echo more >> file-2.txt; rm file-3.txt; echo new > new',
    'sh',
    `project/${module}`,
  ]);
  t.same((await git('-c', 'core.quotePath=false', 'status', '--porcelain')).split('\n').filter(Boolean), [
    ` M "${module}/file-2.txt"`,
    ` D "${module}/file-3.txt"`,
    `?? "${module}/new"`,
  ]);
  await git('checkout', '-q', '-b', 'work');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'Changes');
  await git('checkout', '-q', 'main');
  t.equal(await git('status', '--porcelain'), '');
  await mounted.succeed('diff', ['-r', '--no-dereference', '-x', '.git', tree, 'project']);
  await git('merge', '-q', 'work');
  await git('gc', '-q');

  t.match(await mounted.unmount(), { code: 0 });
  mounted = await mountHome(t, daemon, 'alice');
  t.equal(await git('status', '--porcelain'), '');
  t.equal((await git('log', '--format=%s')).trim(), 'Changes\nAll of it');
  t.equal((await mounted.run('git', ['-C', mounted.path('project'), 'fsck', '--full', '--strict'])).code, 0);
});

/*
 * kill -9 of the daemon at any moment under small changes: nothing is lost, nothing is done twice, no program gets an errno that a disk
 * would not give, and what is charged is what is there.
 */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { isRight, killWhile, WHILE_KILLED } from '../lib/kill-while.js';
import { mountHome } from '../lib/mounted.js';

t.test('under sqlite', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const statements = ['create table t(n integer primary key);'];
  for (let i = 1; i <= 40; i++) statements.push(`insert into t values (${i});`);
  await killWhile(
    daemon,
    mounted.succeed('sqlite3', ['-bail', 'db'], { ...WHILE_KILLED, input: statements.join('\n') }),
  );
  t.equal(
    (
      await mounted.succeed('sqlite3', ['db', 'select count(*), sum(n) from t; pragma integrity_check'])
    ).trim(),
    '40|820\nok',
  );
  await mounted.unmount();
  await isRight(t, daemon);
});

t.test('under renames that replace', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const changes =
    'for i in $(seq 300); do echo $i > new; mv new file$((i % 7)); echo line $i >> log; mkdir d$i; rmdir d$i; done; cat file*';
  const work = mounted.succeed('sh', ['-ec', changes], WHILE_KILLED);
  const wanted = [294, 295, 296, 297, 298, 299, 300].toSorted((a, b) => (a % 7) - (b % 7));
  t.equal(await killWhile(daemon, work), `${wanted.join('\n')}\n`);
  const lines = (await mounted.succeed('cat', ['log'])).trimEnd().split('\n');
  t.same(
    lines,
    Array.from({ length: 300 }, (_, i) => `line ${i + 1}`),
  );
  await mounted.unmount();
  t.same(
    readdirSync(daemon.home('alice')).filter((name) => /^d\d/.test(name)),
    [],
  );
  await isRight(t, daemon);
});

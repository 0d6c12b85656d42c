/*
 * kill -9 of the daemon at any moment under small changes: nothing is lost, nothing is done twice, no program gets an errno that a disk
 * would not give, and what is charged is what is there.
 */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { isRight, killWhile, WHILE_KILLED, workFor } from '../lib/kill-while.js';
import { mountHome } from '../lib/mounted.js';

t.test('under sqlite', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const statements = ['create table t(n integer primary key);'];
  const rows = workFor(40, 20);
  for (let i = 1; i <= rows; i++) statements.push(`insert into t values (${i});`);
  await killWhile(
    t,
    daemon,
    mounted.succeed('sqlite3', ['-bail', 'db'], { ...WHILE_KILLED, input: statements.join('\n') }),
  );
  t.equal(
    (
      await mounted.succeed('sqlite3', ['db', 'select count(*), sum(n) from t; pragma integrity_check'])
    ).trim(),
    `${rows}|${(rows * (rows + 1)) / 2}\nok`,
  );
  await mounted.unmount();
  await isRight(t, daemon);
});

t.test('under renames that replace', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
  const mounted = await mountHome(t, daemon, 'alice');
  const rounds = workFor(300, 40);
  const changes = `for i in $(seq ${rounds}); do echo $i > new; mv new file$((i % 7)); echo line $i >> log; mkdir d$i; rmdir d$i; done; cat file*`;
  const work = mounted.succeed('sh', ['-ec', changes], WHILE_KILLED);
  const wanted = Array.from({ length: 7 }, (_, i) => rounds - i).toSorted((a, b) => (a % 7) - (b % 7));
  t.equal(await killWhile(t, daemon, work), `${wanted.join('\n')}\n`);
  const lines = (await mounted.succeed('cat', ['log'])).trimEnd().split('\n');
  t.same(
    lines,
    Array.from({ length: rounds }, (_, i) => `line ${i + 1}`),
  );
  await mounted.unmount();
  t.same(
    readdirSync(daemon.home('alice')).filter((name) => /^d\d/.test(name)),
    [],
  );
  await isRight(t, daemon);
});

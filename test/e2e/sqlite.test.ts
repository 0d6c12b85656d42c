/*
 * Two mounts write one SQLite database, with a rollback journal: nothing is lost, and nobody sees another error than that it is
 * busy.
 */
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';

/** Of each of four programs. */
const INSERTS = 50;
/** Milliseconds that a program waits by itself before it is told that the database is busy. */
const BUSY_MS = 60_000;

/** Inserts one row after the other, each in a transaction of its own, by a program that stays open. */
function inserts(mount: Mounted, name: string): Promise<string> {
  const lines = [`PRAGMA busy_timeout = ${BUSY_MS};`];
  for (let row = 0; row < INSERTS; row++) lines.push(`INSERT INTO t VALUES ('${name}', ${row});`);
  return mount.succeed('sqlite3', ['-bail', 'db'], { input: lines.join('\n'), timeoutMs: 4 * BUSY_MS });
}

for (const [how, args] of [
  ['with leases', []],
  ['without', ['-o', 'nolease']],
] as const) {
  t.test(how, async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
    const one = await mountHome(t, daemon, 'alice', { args });
    const two = await mountHome(t, daemon, 'alice', { args });
    await one.succeed('sqlite3', ['db', 'CREATE TABLE t (who, row);']);
    const writers = [one, two, one, two].map((mount, number) => inserts(mount, `writer ${number}`));
    for (const told of await Promise.all(writers)) t.equal(told, `${BUSY_MS}\n`);
    for (const mount of [one, two]) {
      const query = 'PRAGMA integrity_check; SELECT count(*), count(DISTINCT who || row) FROM t;';
      t.equal(await mount.succeed('sqlite3', ['db', query]), `ok\n${4 * INSERTS}|${4 * INSERTS}\n`);
    }
  });
}

/* ftpctl backup of a server at work, restored elsewhere by the steps of docs/operations.md. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { logIn } from '../lib/accounts.js';
import { Daemon, passwordOf, startDaemon } from '../lib/daemon.js';
import { PathClient } from '../lib/path-client.js';
import { succeed } from '../lib/run.js';

/** The steps of docs/operations.md, in other places. */
const RESTORE = `
cd "$STATE"
cp "$BACKUP"/state.lmdb "$BACKUP"/server.key .
for archive in "$BACKUP"/homes/*.tar; do
  home=$HOMES/$(basename "$archive" .tar)
  mkdir -p "$home"
  tar --extract --xattrs --same-permissions --no-same-owner --file "$archive" --directory "$home"
done`;

const MTIME = { sec: 1_500_000_000, nsec: 123_456_789 };

t.test('what is served from a backup is what was there', async (t) => {
  const daemon = await startDaemon(t, {
    users: { alice: { quota: '1G', posixOwners: true }, carol: { quota: '2G' } },
  });
  const login = { user: 'alice', password: passwordOf('alice') };
  const paths = new PathClient(await logIn(t, { ...login, port: daemon.port }));
  await paths.mkdir('settled', 0o750);
  await paths.mkdir('settled/empty');
  await paths.put('settled/file', 'content', 0o640);
  await paths.link('settled/file', 'settled/second');
  await paths.symlink('file', 'settled/link');
  await paths.create('settled/sparse');
  await paths.setattr('settled/sparse', { size: 2 ** 24 });
  // On the disk an attribute says so.
  await paths.create('settled/set-id', 0o104755);
  await paths.setattr('settled/file', { mtime: MTIME });

  const backup = path.join(daemon.directory, 'backup');
  const work = { files: 0, ends: false };
  const working = (async () => {
    for (; !work.ends; work.files++) {
      await paths.put('new', `${work.files} `.repeat(5000));
      await paths.rename('new', `work-${work.files % 50}`);
    }
  })();
  const made = await daemon.ftpctl(['backup', backup]);
  work.ends = true;
  await working;
  t.match(made, { code: 0, stdout: /^alice .*\n.*backed up/s }, made.stderr);
  t.ok(work.files > 0);
  t.match(await daemon.ftpctl(['backup', backup]), { code: 1, stderr: /name a new directory/ });

  const restored = new Daemon(t, {});
  const env = { ...process.env, STATE: restored.state, BACKUP: backup, HOMES: restored.homes };
  await succeed('sh', ['-ec', RESTORE], { env });
  t.equal((await restored.ftpctl(['adopt', restored.homes])).code, 0);
  await restored.start();
  const there = new PathClient(await logIn(t, { ...login, port: restored.port }));
  t.strictSame(await there.list('settled'), await paths.list('settled'));
  for (const name of ['settled', 'settled/empty', 'settled/second', 'settled/set-id']) {
    const { mode, nlink, mtime } = await paths.stat(name);
    t.match(await there.stat(name), { mode, nlink, mtime }, name);
  }
  t.equal((await there.read('settled/second')).toString(), 'content');
  t.equal((await there.readlink('settled/link')).toString(), 'file');
  t.ok(statSync(path.join(restored.home('alice'), 'settled/sparse')).blocks < 100, 'sparse');
  for (const name of (await there.list('')).filter((one) => one.startsWith('work-'))) {
    const content = (await there.read(name)).toString();
    t.equal(content, `${content.split(' ', 1)[0] ?? ''} `.repeat(5000), name);
  }
  t.match(await restored.ftpctl(['quota', 'check', 'alice']), { code: 0, stdout: /right/ });
  t.match((await restored.ftpctl(['users'])).stdout, /^carol +2\.0G/m);
  t.same(
    readFileSync(path.join(restored.state, 'server.key')),
    readFileSync(path.join(daemon.state, 'server.key')),
  );
});

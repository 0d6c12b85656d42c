/*
 * What somebody changes on the server's own disk, behind the daemon's back, shows in a mount within five seconds: also where
 * the mount has looked just before, and goes on looking. And the daemon's own work is not taken for somebody else's.
 */
import * as fs from 'node:fs/promises';
import t, { type Test } from 'tap';
import { startDaemon, type Daemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { runProgram } from '../lib/programs.js';
import { succeed } from '../lib/run.js';

/** How many groups of fanotify(7) a user may have. */
const MAX_GROUPS = '/proc/sys/user/max_fanotify_groups';
/** Which libuv has no name for. */
const ESTALE = 116;
/** Milliseconds from the change to when it has to show. */
const SHOWS_MS = 5000;

const daemon = await startDaemon(t, {
  users: homesOf('alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'ivan', 'judy'),
});
/** One that cannot watch its disk. */
const blind = await startDaemon(t, {
  within: ['unshare', '--user', '--map-root-user', 'sh', '-c', `echo 0 > ${MAX_GROUPS}; exec "$@"`, 'sh'],
  users: homesOf('grace', 'heidi', 'kim'),
});

function homesOf(...users: string[]): Record<string, { quota: string }> {
  return Object.fromEntries(users.map((user) => [user, { quota: '1G' }]));
}

/** A command on the server, in a home itself. */
function inHome(server: Daemon, user: string): (command: string) => Promise<string> {
  return (command) => succeed('sh', ['-c', command], { cwd: server.home(user) });
}

/** Whether what a look finds becomes what is expected, in time. */
async function shows(t: Test, what: string, look: () => Promise<unknown>, expected: unknown): Promise<void> {
  const changed = performance.now();
  let seen: unknown;
  do seen = await look();
  while (seen !== expected && performance.now() - changed < SHOWS_MS);
  t.equal(seen, expected, what);
}

/** Standard output of a command in the mount, whether it succeeds or not. */
function look(mount: Mounted, command: string): () => Promise<string> {
  return async () => (await mount.run('sh', ['-c', `${command} 2>&1`])).stdout;
}

/** What an operation came to: what is looked at of it, or the error. */
async function told<T, U>(operation: Promise<T>, of: (result: T) => U): Promise<U | string> {
  try {
    return of(await operation);
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException;
    return errno === -ESTALE ? 'ESTALE' : (code ?? String(error));
  }
}

// Where nothing can be watched each thing takes seconds to show: so these wait side by side.
t.jobs = 9;
const sideBySide: Promise<unknown>[] = [];
for (const [temper, server, args, user, other, third] of [
  ['under the lease', daemon, [], 'alice', 'bob', 'ivan'],
  ['without a lease', daemon, ['-o', 'nolease'], 'carol', 'dave', 'judy'],
  ['where the disk cannot be watched', blind, [], 'grace', 'heidi', 'kim'],
] as const) {
  const files = t.test(`files ${temper}`, { buffered: true }, async (t) => {
    const onServer = inHome(server, user);
    const mount = await mountHome(t, server, user, { args });
    await mount.succeed('sh', ['-c', 'mkdir work; echo first > work/file; chmod 644 work/file; sync work']);
    const text = look(mount, 'cat work/file');
    const listing = look(mount, 'ls work');
    const size = look(mount, 'stat -c "%s %a" work/file');
    t.equal(await text(), 'first\n');
    t.equal(await listing(), 'file\n');
    t.equal(await size(), '6 644\n');
    const open = await fs.open(mount.path('work', 'file'));
    t.teardown(() => open.close().catch(() => undefined));
    const read = async (): Promise<string> => {
      const { buffer, bytesRead } = await open.read(Buffer.alloc(100), 0, 100, 0);
      return buffer.toString('utf8', 0, bytesRead);
    };
    t.equal(await read(), 'first\n');

    await onServer('echo more >> work/file');
    await shows(t, 'appended: cat', text, 'first\nmore\n');
    await shows(t, 'appended: stat', size, '11 644\n');
    await shows(t, 'appended: an open descriptor', read, 'first\nmore\n');

    await onServer(
      "printf FIRST | dd of=work/file conv=notrunc status=none; touch -d '2001-02-03 04:05:06' work/file",
    );
    await shows(t, 'overwritten: an open descriptor', read, 'FIRST\nmore\n');
    await shows(t, 'overwritten: cat', text, 'FIRST\nmore\n');
    await shows(t, 'times set', look(mount, 'stat -c %y work/file | cut -c1-19'), '2001-02-03 04:05:06\n');

    await onServer('chmod 600 work/file');
    await shows(t, 'chmod', size, '11 600\n');

    await onServer('echo another > work/new; mv work/new work/file');
    await shows(t, 'replaced: cat', text, 'another\n');
    t.equal(await read(), 'FIRST\nmore\n', 'who had it open goes on reading what it was');

    await onServer('echo x > work/made');
    await shows(t, 'created, in a listing', listing, 'file\nmade\n');
    await shows(t, 'created, by its name', look(mount, 'cat work/made'), 'x\n');

    await onServer('rm work/file');
    await shows(t, 'removed, in a listing', listing, 'made\n');
    await shows(t, 'removed, by its name', look(mount, 'test -e work/file || echo gone'), 'gone\n');
    await open.close();
    await mount.unmount();
  });

  const removed = t.test(`open files that are removed ${temper}`, { buffered: true }, async (t) => {
    const onServer = inHome(server, third);
    const mount = await mountHome(t, server, third, { args });
    const names = Array.from({ length: 150 }, (_, i) => `f${i}`);
    await mount.succeed('sh', ['-c', `for f in ${names.join(' ')}; do echo $f > $f; done; sync .`]);
    const open = await Promise.all(names.map((name) => fs.open(mount.path(name))));
    t.teardown(() => Promise.all(open.map((file) => file.close().catch(() => undefined))));
    const listing = look(mount, 'ls | wc -l');
    await onServer('rm f*');
    await shows(t, 'removed, in a listing', listing, '0\n');
    let readable = 0;
    for (const [i, file] of open.entries()) {
      const text = await told(file.read(Buffer.alloc(100), 0, 100, 0), ({ buffer, bytesRead }) =>
        buffer.toString('utf8', 0, bytesRead),
      );
      const size = await told(file.stat(), (stats) => stats.size);
      if (text === `f${i}\n`) readable += 1;
      else t.equal(text, 'ESTALE', `data of f${i}`);
      if (size !== text.length) t.equal(size, 'ESTALE', `size of f${i}`);
    }
    t.ok(readable > 0, `${readable} files are still there for who has them open`);
    await Promise.all(open.map((file) => file.close()));
    await mount.unmount();
  });

  const directories = t.test(`directories and links ${temper}`, { buffered: true }, async (t) => {
    const onServer = inHome(server, other);
    const mount = await mountHome(t, server, other, { args });
    await mount.succeed('sh', [
      '-c',
      'mkdir -p top/sub; echo x > top/sub/f; ln top/sub/f top/other; sync top',
    ]);
    const tree = look(mount, 'find top | sort');
    const all = ['top', 'top/other', 'top/sub', 'top/sub/f'];
    t.equal(await tree(), `${all.join('\n')}\n`);
    const mode = look(mount, 'stat -c %a top/sub');

    await onServer('mkdir top/made; echo y > top/made/g');
    await shows(t, 'a directory made', tree, 'top\ntop/made\ntop/made/g\ntop/other\ntop/sub\ntop/sub/f\n');
    await onServer('chmod 711 top/sub');
    await shows(t, 'a directory changed', mode, '711\n');
    await onServer('mv top/made top/sub/moved');
    await shows(t, 'renamed', tree, 'top\ntop/other\ntop/sub\ntop/sub/f\ntop/sub/moved\ntop/sub/moved/g\n');
    await shows(t, 'and what is in it', look(mount, 'cat top/sub/moved/g'), 'y\n');
    await onServer('rm -r top/sub/moved');
    await shows(t, 'removed', tree, `${all.join('\n')}\n`);

    const names = look(mount, 'stat -c "%h %s" top/other');
    t.equal(await names(), '2 2\n');
    await onServer('echo through another name >> top/sub/f');
    await shows(t, 'written through another name', look(mount, 'cat top/other'), 'x\nthrough another name\n');
    await onServer('rm top/sub/f');
    await shows(t, 'another name removed', names, '1 23\n');
    await onServer('ln top/other top/sub/again');
    await shows(t, 'another name made', names, '2 23\n');

    await onServer('rm -r top');
    await shows(t, 'all removed', look(mount, 'ls'), '');
    await mount.unmount();
  });
  sideBySide.push(files, removed, directories);
}
await Promise.all(sideBySide);
t.jobs = 1;

await t.test('what is changed while the daemon does not run', async (t) => {
  const onServer = inHome(daemon, 'erin');
  const mount = await mountHome(t, daemon, 'erin');
  await mount.succeed('sh', ['-c', 'mkdir kept; echo before > kept/file; sync kept']);
  const text = look(mount, 'cat kept/file; ls kept');
  t.equal(await text(), 'before\nfile\n');
  await daemon.kill();
  await onServer('echo after > kept/file; touch kept/new');
  await daemon.start();
  await shows(t, 'shows when it is back', text, 'after\nfile\nnew\n');
  await mount.succeed('rm', ['-r', 'kept']);
  await mount.unmount();
});

await t.test('own work is nobody else’s: what the mount knows of it stays known', async (t) => {
  const mount = await mountHome(t, daemon, 'frank');
  const make =
    'mkdir elsewhere tree; for d in $(seq 20); do mkdir tree/$d; for f in $(seq 50); do echo $f > tree/$d/$f; done; done';
  await mount.succeed('sh', ['-c', `${make}; chmod -R go-r tree; mv tree/1 tree/moved; sync tree; find .`]);
  const status = await runProgram('ftpmount', ['status', mount.mountpoint, '--json'], { env: daemon.env });
  const { lease, losses } = JSON.parse(status.stdout) as { lease: string; losses: number };
  t.equal(lease, 'home');
  t.equal(losses, 0);
  // Somebody's change, elsewhere: it is told behind what was told before.
  await inHome(daemon, 'frank')('ln -s nowhere elsewhere/last');
  await shows(t, 'the change of another', look(mount, 'ls elsewhere'), 'last\n');
  // What is known is shown while nobody answers.
  daemon.service.signal('SIGSTOP');
  try {
    t.equal((await mount.succeed('find', ['tree'], { timeoutMs: 4000 })).split('\n').length, 1022);
  } finally {
    daemon.service.signal('SIGCONT');
  }
  await mount.unmount();
});

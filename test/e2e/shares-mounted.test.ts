/*
 * Shares in mounts: what members see of each other, what is not possible between homes, whose room df tells, what becomes of
 * unsent data, of a server that restarts, and of who loses the share while a file is open.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import type { ShareStatus } from '../../mount/control.js';
import { ERRNO } from '../../protocol/errno.js';
import { startDaemon } from '../lib/daemon.js';
import { mountHome, type Mounted } from '../lib/mounted.js';
import { runProgram } from '../lib/programs.js';

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1G' }, bob: { quota: '1G' }, reader: { quota: '1G' } },
  // A restarted server waits so long for a client that had leases, and cannot come back as it is a member no more.
  args: ['--lease-term', '10'],
});

async function ftpctl(...args: string[]): Promise<void> {
  const { code, stderr } = await daemon.ftpctl(args);
  if (code !== 0) throw new Error(`ftpctl ${args.join(' ')}: ${stderr}`);
}

await ftpctl('groupadd', 'staff', 'alice', 'bob');
await ftpctl('groupadd', 'guests', 'reader');
await ftpctl('shareadd', 'team', '--group', 'staff', '--rw', '--quota', '64M');
await ftpctl('sharemod', 'team', '--group', 'guests', '--ro');

const alice = await mountHome(t, daemon, 'alice');
const bob = await mountHome(t, daemon, 'bob');
const reader = await mountHome(t, daemon, 'reader');

/** Where a file of the share is on the server. */
function onServer(...names: string[]): string {
  return path.join(daemon.homes, '+team', ...names);
}

/** What could not be written of the share, in the client's state. */
const lostData = path.join(daemon.clientState, 'ftpmount', 'lost', 'bob@*Shared_team*', '*');

/** What `ftpmount status --json` says. */
async function statusOf({ mountpoint }: Mounted): Promise<Record<string, unknown>> {
  const { stdout } = await runProgram('ftpmount', ['status', '--json', mountpoint], { env: daemon.env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Whether the log of a share in a mount has something. */
async function hasUndurable(mounted: Mounted, share: string): Promise<boolean> {
  const shares = (await statusOf(mounted))['shares'] as ShareStatus[];
  return shares.some(({ name, undurable }) => name === share && undurable.operations > 0);
}

/** Waits until a command succeeds in a mount: what the daemon tells its clients arrives by itself. */
async function until(mounted: Mounted, command: string): Promise<void> {
  while ((await mounted.run('sh', ['-c', command])).code !== 0);
}

t.test('members see what each other do at once, and it is in nobody’s home', async (t) => {
  t.equal(await alice.succeed('ls', ['Shared']), 'team\n');
  for (const [here, there] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const sees = (command: string): Promise<string> => there.succeed('sh', ['-c', command]);
    t.not((await there.run('cat', ['Shared/team/file'])).code, 0);
    await here.succeed('sh', ['-c', 'mkdir -p Shared/team/d; echo first > Shared/team/file']);
    t.equal(await sees('cat Shared/team/file; ls Shared/team'), 'first\nd\nfile\n');
    await here.succeed('sh', ['-c', 'echo second > Shared/team/file; mv Shared/team/file Shared/team/d']);
    t.equal(await sees('cat Shared/team/d/file; ls Shared/team'), 'second\nd\n');
    await here.succeed('rm', ['-r', 'Shared/team/d']);
    t.equal(await sees('ls Shared/team'), '');
  }
  await alice.succeed('sh', ['-c', 'echo kept > Shared/team/kept; sync Shared/team']);
  t.equal(readFileSync(onServer('kept'), 'utf8'), 'kept\n');
  t.strictSame(await readdir(daemon.home('alice')).then((names) => names.filter(isVisible)), ['Shared']);
});

function isVisible(name: string): boolean {
  return !name.startsWith('.');
}

t.test('who has a file where a share would be renames it, and has the share', async (t) => {
  await daemon.addUser('carol', { quota: '1G' });
  const carol = await mountHome(t, daemon, 'carol');
  await carol.succeed('sh', ['-ec', 'mkdir Shared; echo own > Shared/team; sync .']);
  await carol.unmount();
  await ftpctl('groupmod', 'staff', '--add', 'carol');
  const again = await mountHome(t, daemon, 'carol');
  t.equal(await again.succeed('cat', ['Shared/team']), 'own\n');
  await again.succeed('mv', ['Shared/team', 'Shared/mine']);
  t.equal(await again.succeed('sh', ['-c', 'cat Shared/mine; cat Shared/team/kept']), 'own\nkept\n');
  await again.unmount();
});

t.test('a lock in a share keeps the other member out', async (t) => {
  const locked = 'exec 9>Shared/team/lock; flock -n 9';
  const [held, ended] = [alice.path('Shared', 'team', 'held'), alice.path('Shared', 'team', 'end')];
  const holder = alice.succeed('sh', [
    '-c',
    `${locked}; touch ${held}; while [ ! -e ${ended} ]; do sleep 0.1; done`,
  ]);
  await until(bob, '[ -e Shared/team/held ]');
  t.equal((await bob.run('sh', ['-c', locked])).code, 1);
  await bob.succeed('touch', ['Shared/team/end']);
  await holder;
  await bob.succeed('sh', ['-c', locked]);
  await bob.succeed('sh', ['-c', 'rm Shared/team/lock Shared/team/held Shared/team/end']);
});

t.test('between homes nothing is moved or linked, and mv copies', async (t) => {
  await alice.succeed('sh', ['-c', 'mkdir own; echo mine > own/file']);
  const [own, shared] = [alice.path('own'), alice.path('Shared', 'team', 'own')];
  await t.rejects(rename(own, shared), { code: 'EXDEV' });
  t.match((await alice.run('ln', ['own/file', 'Shared/team/link'])).stderr, /Invalid cross-device link/);
  await alice.succeed('mv', ['own', 'Shared/team/own']);
  t.equal(await bob.succeed('cat', ['Shared/team/own/file']), 'mine\n');
  await bob.succeed('mv', ['Shared/team/own', 'own']);
  t.equal(await bob.succeed('cat', ['own/file']), 'mine\n');
  t.equal(await alice.succeed('ls', ['Shared/team']), 'kept\n');
});

t.test('the places of shares stay where they are', async (t) => {
  const [shared, team] = [alice.path('Shared'), alice.path('Shared', 'team')];
  for (const command of ['rmdir Shared/team', 'mv Shared/team Shared/x', 'mv Shared x', 'rmdir Shared']) {
    t.match((await alice.run('sh', ['-c', command])).stderr, /busy/i, command);
  }
  await mkdir(alice.path('empty'));
  await t.rejects(rename(alice.path('empty'), shared), { code: 'EBUSY' });
  await t.rejects(rename(alice.path('empty'), team), { code: 'EBUSY' });
  t.equal(await alice.succeed('sh', ['-c', 'cd Shared/team; cd ..; ls; cd ..; ls']), 'team\nShared\nempty\n');
});

t.test('find, df and inode numbers go over both', async (t) => {
  t.equal(
    await alice.succeed('sh', ['-c', 'find . -type f; find Shared -type d | sort']),
    './Shared/team/kept\nShared\nShared/team\n',
  );
  const size = 'df --output=size -B1M . Shared/team | tail -n +2 | tr -d " "';
  t.equal(await alice.succeed('sh', ['-c', size]), '1024\n64\n');
  t.equal(await alice.succeed('sh', ['-c', 'find . -printf "%i\\n" | sort | uniq -d']), '');
  const numbers = 'stat -c "%i %n" . Shared Shared/team Shared/team/kept';
  t.equal(
    await (await mountHome(t, daemon, 'alice')).succeed('sh', ['-c', numbers]),
    await alice.succeed('sh', ['-c', numbers]),
  );
});

t.test('who may only read is told so by the mount, and reads', async (t) => {
  t.equal(await reader.succeed('cat', ['Shared/team/kept']), 'kept\n');
  for (const command of [
    'echo x > Shared/team/kept',
    'touch Shared/team/new',
    'touch Shared/team/kept',
    'mkdir Shared/team/new',
    'rm Shared/team/kept',
    'mv Shared/team/kept Shared/team/moved',
    'chmod 600 Shared/team/kept',
    'setfattr -n user.a -v b Shared/team/kept',
  ]) {
    t.match((await reader.run('sh', ['-c', command])).stderr, /Read-only file system/, command);
  }
  t.equal(await reader.succeed('cat', ['Shared/team/kept']), 'kept\n');
  await bob.succeed('sh', ['-c', 'echo changed > Shared/team/kept']);
  t.equal(
    await reader.succeed('cat', ['Shared/team/kept']),
    'changed\n',
    'and what others do is seen at once',
  );
});

t.test('an unmount with unsent data waits for that of shares', async (t) => {
  const mounted = await mountHome(t, daemon, 'alice');
  await mounted.succeed('sh', ['-c', 'head -c 20000000 /dev/zero | tee Shared/team/zeros > zeros']);
  t.match(await mounted.unmount(), { code: 0 });
  t.equal((await stat(onServer('zeros'))).size, 20_000_000);
  t.equal((await stat(path.join(daemon.home('alice'), 'zeros'))).size, 20_000_000);
  await alice.succeed('rm', ['zeros', 'Shared/team/zeros']);
});

t.test('a server that is killed and comes again is a pause', async (t) => {
  await alice.succeed('mkdir', ['Shared/team/many']);
  const work = alice.succeed('sh', [
    '-c',
    'for i in $(seq 200); do echo $i > Shared/team/many/$i; done; sync .',
  ]);
  await until(bob, '[ -e Shared/team/many/50 ]');
  await daemon.kill();
  await daemon.start();
  await work;
  t.equal(
    await bob.succeed('sh', ['-c', 'cat Shared/team/many/* | sort -n | md5sum']),
    await alice.succeed('sh', ['-c', 'seq 200 | md5sum']),
  );
  t.match(await statusOf(alice), {
    losses: 0,
    shares: [{ name: 'team', losses: 0, connection: { state: 'connected' } }],
  });
  await bob.succeed('rm', ['-r', 'Shared/team/many']);
});

t.test('a share that comes, and one that is lost while a file is open', async (t) => {
  t.not((await bob.run('ls', ['Shared/late'])).code, 0);
  await ftpctl('shareadd', 'late', '--group', 'staff', '--rw', '--quota', '0');
  await until(bob, 'ls Shared/late');
  await bob.succeed('sh', ['-c', 'echo text > Shared/late/file']);
  const file = await open(bob.path('Shared', 'late', 'file'), 'r+');
  await ftpctl('sharemod', 'late', '--group', 'staff', '--none');
  await until(bob, '! ls Shared/late');
  const refused = await file.write('more').catch((error: unknown) => error as NodeJS.ErrnoException);
  t.match(refused, { errno: -ERRNO.ESTALE });
  await file.close().catch(() => undefined);
  t.equal(await bob.succeed('ls', ['Shared']), 'team\n');
  t.equal(await bob.succeed('cat', ['Shared/team/kept']), 'changed\n', 'the others are there');
  await ftpctl('sharemod', 'late', '--group', 'staff', '--ro');
  await until(bob, 'ls Shared/late');
  t.equal(await bob.succeed('cat', ['Shared/late/file']), 'text\n');
  t.match((await bob.run('touch', ['Shared/late/new'])).stderr, /Read-only/);
  await ftpctl('sharemod', 'late', '--group', 'staff', '--rw');
  await until(bob, 'touch Shared/late/new');
  await ftpctl('sharemod', 'late', '--group', 'staff', '--ro');
  await until(bob, '! touch Shared/late/newer');
  t.notOk(existsSync(path.join(daemon.homes, '+late', 'newer')));
});

t.test('what is unsent of a share that was lost meanwhile is lost, told and kept', async (t) => {
  await bob.succeed('sync', ['Shared/team']);
  // Until a change there is answered before the server has it: then it also is while there is no server.
  do await bob.succeed('sh', ['-c', 'echo before > Shared/team/mine']);
  while (!(await hasUndurable(bob, 'team')));
  await bob.succeed('sync', ['Shared/team']);
  await daemon.kill();
  await bob.succeed('sh', ['-c', 'echo unsent > Shared/team/mine']);
  await ftpctl('groupmod', 'staff', '--remove', 'bob');
  await daemon.start();
  await until(bob, '! ls Shared/team');
  await bob.service.says(/"share":"team".*the server could not make a change that was answered/);
  t.not((await statusOf(bob))['losses'], 0);
  await until(bob, `ls ${lostData}`);
  t.equal(await bob.succeed('sh', ['-c', `cat ${lostData}`]), 'unsent\n');
  t.equal(readFileSync(onServer('mine'), 'utf8'), 'before\n');
  await ftpctl('groupmod', 'staff', '--add', 'bob');
  await until(bob, 'ls Shared/team/mine');
});

t.test('a share alone, and a directory of it', async (t) => {
  const whole = await mountHome(t, daemon, 'bob', { remotePath: 'Shared/team' });
  t.equal(await whole.succeed('cat', ['kept']), 'changed\n');
  await whole.succeed('sh', ['-c', 'mkdir d; echo below > d/file']);
  t.equal(await alice.succeed('cat', ['Shared/team/d/file']), 'below\n');
  const part = await mountHome(t, daemon, 'alice', { remotePath: 'Shared/team/d' });
  t.equal(await part.succeed('cat', ['file']), 'below\n');
  const readOnly = await mountHome(t, daemon, 'reader', { remotePath: 'Shared/team' });
  t.equal(await readOnly.succeed('cat', ['d/file']), 'below\n');
  t.match((await readOnly.run('touch', ['new'])).stderr, /Read-only/);
  const directory = await mountHome(t, daemon, 'alice', { remotePath: 'Shared' });
  t.equal(await directory.succeed('cat', ['team/d/file']), 'below\n');
  t.match(await statusOf(directory), { shares: [{ name: 'team', connection: { state: 'connected' } }] });
});

/* Shared/NAME in paths of ftpctl: every command goes to the home of the share, and nothing is moved from one into another. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { Prompt } from '../lib/prompt.js';
import type { RunResult } from '../lib/run.js';

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' }, lily: { quota: '1G' } } });
const share = path.join(daemon.homes, '+team');
const here = temporaryDirectory(t);
const at = (text: string): string => daemon.at('alice', text);

for (const command of [
  ['groupadd', 'staff', 'alice'],
  ['groupadd', 'guests', 'lily'],
  ['shareadd', 'team', '--group', 'staff', '--rw', '--quota', '64M'],
  ['sharemod', 'team', '--group', 'guests', '--ro'],
]) {
  const { code, stderr } = await daemon.ftpctl(command);
  if (code !== 0) throw new Error(stderr);
}

/** A command of ftpctl as alice. */
function ftpctl(command: string, ...args: string[]): Promise<RunResult> {
  const flag = command === 'mkdir' ? ['--port', ...daemon.login('alice').slice(1)] : daemon.login('alice');
  return daemon.ftpctl([command, ...flag, ...args]);
}

async function said(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await ftpctl(command, ...args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

t.test('files go to the share and come from it', async (t) => {
  const file = path.join(here, 'report');
  writeFileSync(file, 'text\n');
  await said('put', '-q', file, at('Shared/team'));
  t.equal(readFileSync(path.join(share, 'report'), 'utf8'), 'text\n');
  t.notOk(existsSync(path.join(daemon.home('alice'), 'Shared', 'team', 'report')));
  t.equal(await said('cat', at('/Shared/team/report')), 'text\n');
  t.equal(await said('ls', at('Shared/team/')), 'report\n');
  t.match(await said('md5', at('Shared/team/rep*')), /^MD5 \(Shared\/team\/report\) = /);
  t.match(JSON.parse(await said('stat', '--json', at('Shared/team/report'))), { path: 'Shared/team/report' });
  t.match(await said('df', '-h', at('Shared/team')), /127\.0\.0\.1:\d+\/Shared\/team +64M/);
  await said('mkdir', at('Shared/team/sub'));
  const there = new RegExp("^ftpctl: '.*' matches nothing in the home: a share is a home of its own");
  for (const pattern of ['Sh?red/t*/report', '*/*/report', 'S*/team/report'])
    t.match(await ftpctl('cat', at(pattern)), { code: 1, stderr: there }, pattern);
  const matched =
    /^ftpctl: '.*' matches Shared\/team: a share is a home of its own, .* name it, as in Shared\/NAME\n$/;
  for (const words of ['ls', 'rm -r', 'rmdir', 'stat', 'get -r']) {
    const places = [at('Shared/*'), ...(words.startsWith('get') ? [here] : [])];
    const [command = '', ...flags] = words.split(' ');
    t.match(await ftpctl(command, ...flags, ...places), { code: 1, stdout: '', stderr: matched }, words);
  }
  t.match(await daemon.ftpctl(['shell', ...daemon.login('alice'), at('')], { input: 'ls Shared/*\n' }), {
    code: 1,
    stderr: /^ftpctl: 'Shared\/\*' matches Shared\/team: a share is a home of its own/,
  });
  t.match(await ftpctl('cat', at('x*/*/report')), { code: 1, stderr: /no such file/ });
  await said('mv', at('Shared/team/report'), at('Shared/team/sub'));
  await said('get', '-q', '-r', at('Shared/team'), here);
  t.equal(
    readFileSync(path.join(here, 'team', 'sub', 'report'), 'utf8'),
    'text\n',
    'as a directory of its name',
  );
  mkdirSync(path.join(here, 'tree'));
  writeFileSync(path.join(here, 'tree', 'one'), '1');
  await said('sync', path.join(here, 'tree'), at('Shared/team/tree'), '-q');
  t.equal(readFileSync(path.join(share, 'tree', 'one'), 'utf8'), '1');
  t.equal(await said('complete-path', at('Shared/team/s')), 'Shared/team/sub/\n');
  t.equal(await said('complete-path', at('Shared/t')), 'Shared/team/\n');
  await said('rm', '-r', at('Shared/team/tree'));
  t.same(await said('ls', at('Shared/team')), 'sub\n');
});

t.test('a master keeps a session for each home', async (t) => {
  const env = { ...daemon.env, XDG_RUNTIME_DIR: temporaryDirectory(t) };
  const ls = (place: string) => daemon.ftpctl(['ls', ...daemon.login('alice'), at(place)], { env });
  const seen = [];
  for (const place of ['Shared/team', '', 'Shared/team', '']) seen.push((await ls(place)).stdout);
  t.same(seen, ['sub\n', 'Shared\n', 'sub\n', 'Shared\n']);
  const { stdout } = await daemon.ftpctl(['master', 'list'], { env });
  t.match(stdout, /^alice@127\.0\.0\.1:\d+ [^]*^alice@127\.0\.0\.1:\d+\/Shared\/team /m);
  await daemon.ftpctl(['master', 'exit'], { env });
});

t.test('nothing is moved from one home into another, and a command is about one', async (t) => {
  writeFileSync(path.join(daemon.home('alice'), 'own'), 'x');
  const moved = await ftpctl('mv', at('own'), at('Shared/team/own'));
  t.match(moved, { code: 1, stderr: /nothing is moved from one into another: get it, put it, and rm it/ });
  t.match(await ftpctl('cat', at('own'), at('Shared/team/sub/report')), {
    code: 1,
    stderr: /Shared\/team is a home of its own/,
  });
  for (const command of ['cat', 'get']) {
    const args = [at('Shared/*/sub/report'), ...(command === 'get' ? [here] : [])];
    t.match(await ftpctl(command, ...args), {
      code: 1,
      stderr: /^ftpctl: 'Shared\/\*\/sub\/report' matches nothing in the home: a share is a home of its own/,
    });
  }
  t.match(await ftpctl('rm', '-r', at('Shared/team')), {
    code: 1,
    stderr: /it cannot be removed, only what is in it/,
  });
});

t.test('what removes all of a home leaves the places of shares', async (t) => {
  const shown = path.join(daemon.home('alice'), 'Shared', 'team');
  mkdirSync(path.join(daemon.home('alice'), 'Shared', 'own', 'deep'), { recursive: true });
  t.equal(await said('ls', at('Shared/o*')), 'deep\n', 'an own directory beside them is none');
  t.match(await ftpctl('rm', '-r', at('Shared')), {
    code: 1,
    stderr: /Shared\/team: a share is here: it cannot be removed or renamed\n.*Shared: the shares are here/,
  });
  t.ok(existsSync(shown));
  t.notOk(existsSync(path.join(daemon.home('alice'), 'Shared', 'own')));
  const backup = path.join(here, 'backup');
  mkdirSync(backup);
  writeFileSync(path.join(backup, 'kept'), 'x');
  writeFileSync(path.join(daemon.home('alice'), 'gone'), 'x');
  const surveyed = await ftpctl('sync', '--delete', '--dry-run', backup, at('/'));
  t.match(surveyed, { code: 0, stdout: /^delete gone$/m, stderr: /Shared\/team stays: a share is here/ });
  t.notMatch(surveyed.stdout, /Shared/);
  const synced = await ftpctl('sync', '--delete', backup, at('/'));
  t.match(synced, { code: 0, stderr: /Shared\/team stays: a share is here/ });
  t.notMatch(synced.stdout + synced.stderr, /deleted.*Shared/);
  t.ok(existsSync(shown));
  t.notOk(existsSync(path.join(daemon.home('alice'), 'gone')));
  t.match(await ftpctl('mv', at('Shared'), at('other')), { code: 1, stderr: /the shares are here/ });
  writeFileSync(path.join(daemon.home('alice'), 'own'), 'x');
});

t.test('a tree of the home ends where a share is', async (t) => {
  const copy = path.join(temporaryDirectory(t), 'copy');
  mkdirSync(path.join(copy, 'Shared', 'team'), { recursive: true });
  writeFileSync(path.join(copy, 'Shared', 'team', 'mine'), 'a copy of another day');
  const synced = await ftpctl('sync', '--delete', '--allow-empty', at(''), copy);
  t.match(synced, { code: 0, stderr: /Shared\/team is a share, a home of its own: get it by itself/ });
  t.ok(existsSync(path.join(copy, 'Shared', 'team', 'mine')), 'what is there is not deleted');
  const put = await ftpctl('put', '-r', '-q', `${copy}/`, at(''));
  t.match(put, { code: 1, stderr: /Shared\/team\/mine: a share is here, a home of its own/ });
  t.notOk(existsSync(path.join(daemon.home('alice'), 'Shared', 'team', 'mine')));
});

t.test('who may only read is told so', async (t) => {
  const read = await daemon.ftpctl([
    'cat',
    ...daemon.login('lily'),
    daemon.at('lily', 'Shared/team/sub/report'),
  ]);
  t.match(read, { code: 0, stdout: 'text\n' });
  const removed = await daemon.ftpctl([
    'rm',
    ...daemon.login('lily'),
    daemon.at('lily', 'Shared/team/sub/report'),
  ]);
  t.match(removed, { code: 1, stderr: /you may only read here/ });
});

t.test('a directory of that name that is no share is one of the home', async (t) => {
  mkdirSync(path.join(daemon.home('alice'), 'Shared', 'own'), { recursive: true });
  writeFileSync(path.join(daemon.home('alice'), 'Shared', 'own', 'file'), 'mine\n');
  t.equal(await said('cat', at('Shared/own/file')), 'mine\n');
  const stranger = { ...daemon.env, XDG_CONFIG_HOME: temporaryDirectory(t) };
  const byPassword = ['-p', String(daemon.port), '--accept-new', '--password-file', '-'];
  t.match(
    await daemon.ftpctl(['cat', ...byPassword, at('Shared/own/file')], {
      env: stranger,
      input: `${passwordOf('alice')}\n`,
    }),
    { code: 0, stdout: 'mine\n' },
    'a password is read once',
  );
  t.match(await ftpctl('cat', at('Shared/nothing/file')), { code: 1, stderr: /no such file/ });
  t.notMatch(readFileSync(path.join(daemon.state, 'user.log'), 'utf8'), /login refused/);
});

t.test('the prompt goes there and back', async (t) => {
  const script = [
    'cd Shared/team',
    'pwd',
    'ls',
    'cd sub',
    'cat report',
    'cat ../../own/file',
    'mkdir /Shared/team/made',
    'cd',
    'ls Shared/team',
    '-mv own Shared/team/own',
    'ln -s report Shared/team/sub/link',
    'cat Shared/team/sub/link',
    'rm Shared/team/sub/link',
    '-trash list Shared/team/none',
    '-uploads rm Shared/team/none',
    'cd -',
    'pwd',
  ].join('\n');
  const { stdout, stderr } = await daemon.ftpctl(['shell', ...daemon.login('alice'), daemon.at('alice')], {
    input: `${script}\n`,
  });
  t.equal(
    stdout,
    ['/Shared/team', 'sub', 'text', 'mine', 'made', 'sub', 'text', '/Shared/team/sub', ''].join('\n'),
  );
  t.match(
    stderr,
    /^ftpctl: a share is a home of its own.*\n.*nothing of it is in the trash\n.*no partial upload of it/,
  );
});

t.test('a prompt that is open goes to a share that comes, and not to one that is gone', async (t) => {
  const file = path.join(here, 'later');
  writeFileSync(file, 'text\n');
  const prompt = new Prompt(t, daemon, 'alice');
  t.equal(await prompt.run('ls'), undefined);
  const added = await daemon.ftpctl(['shareadd', 'late', '--group', 'staff', '--rw', '--quota', '1M']);
  t.equal(added.stderr, '');
  const [arrived, hidden] = [
    path.join(daemon.homes, '+late'),
    path.join(daemon.home('alice'), 'Shared', 'late'),
  ];
  while (!existsSync(hidden)) await prompt.run('ls');
  // It is told of it now.
  while (!existsSync(arrived)) await prompt.run('ls Shared/late');
  t.equal(await prompt.run(`put ${file} Shared/late/later`), undefined);
  t.equal(readFileSync(path.join(arrived, 'later'), 'utf8'), 'text\n');
  t.notOk(existsSync(path.join(hidden, 'later')));
  const removed = await daemon.ftpctl(['sharedel', 'late', '--remove']);
  t.equal(removed.stderr, '');
  while (!/no such file/.test((await prompt.run('cat Shared/late/later')) ?? ''));
});

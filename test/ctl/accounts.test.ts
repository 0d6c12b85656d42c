/* Administration, with the daemon stopped and running. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon, type Daemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs, runProgram } from '../lib/programs.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(150_000);

const ls = (daemon: Daemon, user: string) => daemon.ftpctl(['ls', ...daemon.login(user), daemon.at(user)]);

interface UserRow {
  readonly name: string;
  readonly quotaBytes: number;
  readonly maxFiles: number;
  readonly softBytes: number;
  readonly trashMs: number;
  readonly usedBytes: number | null;
  readonly usedFiles: number | null;
  readonly lastLogin: string | null;
  readonly disabled: boolean;
  readonly posixOwners: boolean;
}

async function usersOf(daemon: Daemon): Promise<UserRow[]> {
  const { stdout } = await daemon.ftpctl(['users', '--json']);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as UserRow);
}

const daemon = await startDaemon(t, { users: { early: { quota: '5G', maxFiles: 10 } }, byPassword: true });

t.test('a user made before and one made while the daemon runs', async (t) => {
  const add = await daemon.ftpctl(['useradd', 'late', '--quota', '1.5M', '--password-file', '-'], {
    input: `${passwordOf('late')}\n`,
  });
  t.equal(add.code, 0, add.stderr);
  t.match(await ls(daemon, 'early'), { code: 0 });
  t.match(await ls(daemon, 'late'), { code: 0 }, 'at once');
  t.match(await usersOf(daemon), [
    { name: 'early', quotaBytes: 5 * 1024 ** 3, maxFiles: 10, disabled: false },
    { name: 'late', quotaBytes: 1.5 * 1024 ** 2, maxFiles: 0 },
  ]);
  const table = (await daemon.ftpctl(['users'])).stdout;
  t.match(table, /^User +Quota +Used .*\nearly +5\.0G /);
  t.ok(Math.max(...table.split('\n').map(({ length }) => length)) <= 80, 'in a terminal of 80 columns');
});

t.test('mistakes', async (t) => {
  const fails = async (code: number, stderr: RegExp, ...args: string[]) => {
    const result = await daemon.ftpctl(args, { input: 'pw\n' });
    t.match(result, { code, stderr }, args.join(' '));
    t.equal(result.stderr.split('\n').length, 2, 'one line');
  };
  const password = ['--password-file', '-'];
  await fails(1, /^ftpctl: there is a user late already/, 'useradd', 'late', '--quota', '1G', ...password);
  await fails(2, /^ftpctl: .*--quota/, 'useradd', 'x', ...password);
  const missing = join(temporaryDirectory(t), 'missing');
  for (const file of [missing, temporaryDirectory(t)])
    await fails(
      2,
      /^ftpctl: .*(no such file|is a directory)/,
      'useradd',
      'x',
      '--quota',
      '1G',
      '--password-file',
      file,
    );
  await fails(2, /^ftpctl: group name '__proto__' is not valid/, 'groupadd', '__proto__');
  await fails(2, /^ftpctl: '5X' is not a size/, 'useradd', 'x', '--quota', '5X', ...password);
  await fails(
    2,
    /^ftpctl: user name 'Bad\/Name' is not valid/,
    'useradd',
    'Bad/Name',
    '--quota',
    '1G',
    ...password,
  );
  await fails(1, /^ftpctl: there is no user nobody/, 'usermod', 'nobody', '--quota', '1G');
  await fails(2, /^ftpctl: say what to change/, 'usermod', 'late');
  await fails(2, /^ftpctl: '7' is not a span of time/, 'usermod', 'late', '--grace', '7');
  await fails(1, /^ftpctl: there is no user nobody/, 'passwd', 'nobody', ...password);
  await fails(1, /^ftpctl: there is no user nobody/, 'userdel', 'nobody');
  await fails(1, /^ftpctl: there is no user nobody/, 'key', 'list', 'nobody');
  await fails(2, /^ftpctl: unknown command 'bogus'/, 'bogus');
  const nowhere = join(temporaryDirectory(t), 'none');
  await fails(
    1,
    /^ftpctl: .*none holds no state: name the server's state directory by --state/,
    'users',
    '--state',
    nowhere,
  );
  await fails(1, /holds no state/, 'usermod', 'late', '--quota', '1G', '--state', nowhere);
  await fails(2, /the quota is missing/, 'useradd', 'x', ...password, '--state', nowhere);
  const refused = { code: 1, stderr: /nothing is changed/ };
  const file = 'name,quota\nx,1G\nx,1G\n';
  for (const words of ['useradd --batch -', 'import ftpmount -', 'import sftpgo -']) {
    const input = words.startsWith('import sftpgo') ? '{"users":[{"username":"Bad/Name"}]}' : file;
    const add = await daemon.ftpctl([...words.split(' '), '--state', nowhere], { input });
    t.match(add, refused, words);
  }
  t.notOk(fs.existsSync(nowhere), 'a mistyped directory is not made');
});

t.test('limits take effect at once', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  fs.writeFileSync(file, Buffer.alloc(1024 * 1024));
  const put = (name: string) =>
    daemon.ftpctl(['put', ...daemon.login('late'), file, daemon.at('late', name)]);
  t.equal((await put('one')).code, 0);
  t.equal((await put('two')).code, 7, 'past 1.5M');
  t.equal((await daemon.ftpctl(['usermod', 'late', '--quota', '3M'])).code, 0);
  t.equal((await put('two')).code, 0);
  t.equal((await daemon.ftpctl(['usermod', 'late', '--quota', '1K'])).code, 0);
  t.equal((await put('three')).code, 7);
  const soft = await daemon.ftpctl(['usermod', 'late', '--quota', '3M', '--soft', '1M', '--grace', '2d']);
  t.match(soft, { code: 0, stdout: /quota 3\.0M \(soft 1\.0M, grace 2d\)/ });
  const minutes = await daemon.ftpctl(['usermod', 'late', '--grace', '90m']);
  t.match(minutes.stdout, /grace 90m\)/, 'as it was said');
  t.equal((await daemon.ftpctl(['usermod', 'late', '--grace', '2d'])).code, 0);
  t.match(
    (await daemon.ftpctl(['df', ...daemon.login('late'), daemon.at('late')])).stdout,
    /^1\.0M over the soft quota of 1\.0M: remove that within 2 days, or nothing more is taken$/m,
  );
  t.equal((await daemon.ftpctl(['usermod', 'late', '--soft', '0'])).code, 0);
  t.equal(
    fs.readdirSync(daemon.home('late')).filter((name) => name !== '.ftpmount').length,
    2,
    'nothing is lost',
  );
});

t.test('owners are kept for who is to have them', async (t) => {
  const owned = async (name: string) => (await usersOf(daemon)).find((row) => row.name === name)?.posixOwners;
  t.equal(await owned('late'), false);
  t.match(await daemon.ftpctl(['usermod', 'late', '--posix-owners']), {
    code: 0,
    stdout: /files have owners/,
  });
  t.equal(await owned('late'), true);
  t.match(await daemon.ftpctl(['usermod', 'late', '--quota', '2K']), {
    code: 0,
    stdout: /files have owners/,
  });
  const stat = () => daemon.ftpctl(['stat', ...daemon.login('late'), daemon.at('late', 'one')]);
  t.match(await stat(), { code: 0, stdout: /Owner: 0:0/ });
  t.equal((await daemon.ftpctl(['usermod', 'late', '--no-posix-owners'])).code, 0);
  t.equal(await owned('late'), false);
  t.notMatch((await stat()).stdout, /Owner/);
  await daemon.addUser('owner', { quota: '1G', posixOwners: true });
  t.equal(await owned('owner'), true);
  t.equal((await daemon.ftpctl(['userdel', 'owner'])).code, 0);
});

t.test('an account that has expired, and that does not', async (t) => {
  const expires = (text: string) => daemon.ftpctl(['usermod', 'early', '--expires', text]);
  t.match(await expires('2026-02-31'), { code: 2, stderr: /^ftpctl: '2026-02-31' is no date: write one / });
  t.match(await expires('2020-01-31'), { code: 0, stdout: /, expired 2020-01-31 00:00/ });
  t.match((await daemon.ftpctl(['users'])).stdout, /^early .* 2020-01-31 +expired$/m);
  t.match(await ls(daemon, 'early'), {
    code: 5,
    stderr: /login of early@.* failed: the account has expired: ask who administers the server/,
  });
  t.equal((await expires('never')).code, 0);
  t.equal((await ls(daemon, 'early')).code, 0);
});

t.test('disabled and enabled', async (t) => {
  t.equal((await daemon.ftpctl(['usermod', 'early', '--disable'])).code, 0);
  t.equal((await ls(daemon, 'early')).code, 5);
  t.equal((await daemon.ftpctl(['usermod', 'early', '--enable'])).code, 0);
  t.equal((await ls(daemon, 'early')).code, 0);
});

t.test('a new password', async (t) => {
  t.equal(
    (await daemon.ftpctl(['passwd', 'early', '--password-file', '-'], { input: 'another one\n' })).code,
    0,
  );
  t.equal((await ls(daemon, 'early')).code, 5, 'the old one');
  const login = ['-p', String(daemon.port), '--accept-new', '--password-file', '-'];
  t.equal((await daemon.ftpctl(['ls', ...login, daemon.at('early')], { input: 'another one\n' })).code, 0);
});

t.test('quota check, and top', async (t) => {
  const right = /^late: charged \d+ bytes, 2 files: right$/m;
  t.match(await daemon.ftpctl(['quota', 'check', 'late']), { code: 0, stdout: right });
  t.match((await daemon.ftpctl(['status'])).stdout, /^ftpmountd .* process \d+, on 127\.0\.0\.1:\d+/);
  t.match(JSON.parse((await daemon.ftpctl(['status', '--json'])).stdout), { pid: daemon.service.pid });
  const [once, json] = await Promise.all([daemon.ftpctl(['top']), daemon.ftpctl(['top', '--json'])]);
  t.match(once.stdout, /^ftpmountd .*\nsessions +0 of 256; [^]*\nnobody is connected\n$/);
  t.match(JSON.parse(json.stdout), { pid: daemon.service.pid, sessions: [], rates: { calls: 0 } });
  const screen = new Terminal(t, [process.execPath, programs.ftpctl, 'top'], daemon.env);
  await screen.says(/\[\?1049h[^]*nobody is connected/);
  screen.type('q');
  t.equal((await screen.exited).code, 0);
  t.match(screen.output, /\[\?1049l$/, 'the terminal is as it was');
  await daemon.stop();
  const [{ lastLogin } = { lastLogin: null }] = await usersOf(daemon);
  t.ok(
    Date.parse(lastLogin ?? '') >= Date.now() - performance.now(),
    'the last login, also without the daemon',
  );
  t.match(await daemon.ftpctl(['status']), { code: 1, stderr: /^ftpctl: no daemon runs on / });
  t.match(await daemon.ftpctl(['quota', 'check']), {
    code: 1,
    stderr: /^ftpctl: no daemon runs on .*start ftpmountd/,
  });
  await daemon.start();
  const planted = join(daemon.home('late'), 'planted');
  fs.mkdirSync(planted);
  fs.writeFileSync(join(planted, 'a'), '12345');
  fs.linkSync(join(planted, 'a'), join(planted, 'b'));
  fs.symlinkSync('/', join(planted, 'root'));
  t.match(await daemon.ftpctl(['quota', 'check']), {
    code: 1,
    stdout: /^late: .* but the home holds \d+ bytes, 5 files: repair it with --repair$/m,
  });
  t.match(await daemon.ftpctl(['quota', 'check', '--repair']), { code: 0, stdout: /^late: .*repaired$/m });
  t.match(await daemon.ftpctl(['quota', 'check', 'late']), { code: 0, stdout: /, 5 files: right$/m });
});

t.test('a user is removed, with the home', async (t) => {
  fs.writeFileSync(join(daemon.directory, 'outside'), 'stays');
  fs.symlinkSync(daemon.directory, join(daemon.home('late'), 'up'));
  t.equal((await daemon.ftpctl(['userdel', 'early'])).code, 0);
  t.ok(fs.existsSync(daemon.home('early')), 'the home stays');
  t.equal((await daemon.ftpctl(['userdel', 'late', '--remove'])).code, 0);
  t.notOk(fs.existsSync(daemon.home('late')));
  t.ok(fs.existsSync(join(daemon.directory, 'outside')), 'symlinks in it are not followed');
  t.equal((await ls(daemon, 'late')).code, 5);
  t.strictSame(await usersOf(daemon), []);
});

t.test('a home that is a link: the link goes, and what it leads to is said to stay', async (t) => {
  const elsewhere = temporaryDirectory(t);
  fs.writeFileSync(join(elsewhere, 'file'), 'stays');
  await daemon.addUser('linked', { quota: '1G' });
  fs.symlinkSync(elsewhere, daemon.home('linked'));
  t.match(await ls(daemon, 'linked'), { code: 0, stdout: 'file\n' });
  const removed = await daemon.ftpctl(['userdel', 'linked', '--remove']);
  t.match(removed, { code: 0, stdout: `user linked removed: the home was a link, which is removed` });
  t.match(removed.stdout, `is left in ${elsewhere}\n`);
  t.notOk(fs.lstatSync(daemon.home('linked'), { throwIfNoEntry: false }));
  t.ok(fs.existsSync(join(elsewhere, 'file')));
});

t.test(
  'what an earlier user left is not handed to the next of that name, unless that is asked for',
  async (t) => {
    const add = (...more: string[]) =>
      daemon.ftpctl(['useradd', 'early', '--quota', '1G', '--no-password', ...more]);
    fs.writeFileSync(join(daemon.home('early'), 'secret'), 'of the first');
    t.match(await add(), { code: 1, stderr: /holds files of an earlier early: remove it, or hand it over/ });
    t.strictSame(await usersOf(daemon), []);
    t.equal((await add('--adopt')).code, 0);
    t.match(await usersOf(daemon), [{ name: 'early', lastLogin: null }], 'nor is his last login');
    t.equal((await daemon.ftpctl(['userdel', 'early', '--remove'])).code, 0);
    t.equal((await add()).code, 0, 'nothing is left');
    t.equal((await daemon.ftpctl(['userdel', 'early'])).code, 0);
  },
);

t.test('while the disk of the homes is away nobody gets a name that may have files on it', async (t) => {
  const add = () => daemon.ftpctl(['useradd', 'away', '--quota', '1G', '--no-password']);
  const away = `${daemon.homes}-away`;
  fs.mkdirSync(daemon.home('away'));
  fs.writeFileSync(join(daemon.home('away'), 'secret'), 'of the first');
  fs.renameSync(daemon.homes, away);
  fs.mkdirSync(daemon.homes);
  const added = await add();
  await daemon.ftpctl(['useradd', 'away', '--quota', '1G', '--no-password', '--adopt']);
  const removed = await daemon.ftpctl(['userdel', 'away', '--remove']);
  fs.rmdirSync(daemon.homes);
  fs.renameSync(away, daemon.homes);
  t.match(added, { code: 1, stderr: /is its disk mounted\?/ });
  t.match(removed, { code: 1, stderr: /is its disk mounted\?/ });
  t.match(await usersOf(daemon), [{ name: 'away' }]);
  t.equal((await daemon.ftpctl(['userdel', 'away', '--remove'])).code, 0);
  t.notOk(fs.existsSync(daemon.home('away')));
});

t.test('the users of a file, all or none, and the same again by export', async (t) => {
  const batch = (text: string, ...more: string[]) =>
    daemon.ftpctl(['useradd', '--batch', '-', ...more], { input: text });
  const csv = `name,maxFiles,soft,grace,trash,password\ncarol,7,5M,12h,12h,${passwordOf('carol')}\ndora,,,,,${passwordOf('dora')}\n`;
  t.match(await batch(`${csv}away,,,,,\ncarol,,,,,\nX,,,,,\n`), {
    code: 1,
    stderr:
      /^ftpctl: -:2: the quota is missing[^]*-:5: carol is there twice[^]*-:6: user name 'X' is not[^]*ftpctl: mistakes in -: \d; nothing is changed\n$/,
  });
  t.strictSame(await usersOf(daemon), []);
  t.match(await batch(csv, '--quota', '1G'), { code: 0, stdout: 'users added: 2\n' });
  t.equal((await ls(daemon, 'dora')).code, 0);
  const plain = await daemon.ftpctl(['export']);
  t.notMatch(plain.stdout, /argon2/);
  const { stdout } = await daemon.ftpctl(['export', '--password-hashes']);
  const before = await usersOf(daemon);
  for (const name of ['carol', 'dora']) t.equal((await daemon.ftpctl(['userdel', name, '--remove'])).code, 0);
  t.equal((await batch(stdout)).code, 0);
  const kept = ({ name, quotaBytes, maxFiles, softBytes, trashMs }: UserRow) => ({
    ...{ name, quotaBytes, maxFiles, softBytes, trashMs },
  });
  t.strictSame(before.map(({ trashMs }) => trashMs).toSorted(), [0, 12 * 3_600_000], 'what a file says');
  t.strictSame((await usersOf(daemon)).map(kept), before.map(kept));
  t.equal((await ls(daemon, 'carol')).code, 0, 'with the password');
});

t.test('users of another program bring along what they can', async (t) => {
  const hash = (await daemon.ftpctl(['export', '--password-hashes'])).stdout.match(/\$argon2id[^"]+/)?.[0];
  t.equal((await daemon.ftpctl(['userdel', 'carol', '--remove'])).code, 0);
  const users = [
    { username: 'carol', password: hash, quota_size: 1024 ** 3, status: 1 },
    { username: 'frank', password: '$2a$10$x', quota_size: 0, status: 1 },
  ];
  const add = (...args: string[]) =>
    daemon.ftpctl(['import', ...args, '-'], { input: JSON.stringify({ users }) });
  t.match(await add('sftpgo'), {
    code: 0,
    stdout: 'users added: 2\nwithout a password: 1 (ftpctl passwd, or ftpctl key add)\n',
  });
  t.equal((await ls(daemon, 'carol')).code, 0, 'with the password of there');
  t.match(await add('sftpgo'), { code: 1, stderr: /carol already[^]*frank already[^]*nothing is changed/ });
  t.match(await add('proftpd'), {
    code: 2,
    stderr: /'proftpd' is invalid for argument 'format'. Allowed choices are ftpmount, passwd, sftpgo/,
  });
});

t.test('the audit trail tells who, what and when, and no secret', async (t) => {
  const text = fs.readFileSync(join(daemon.state, 'manager.log'), 'utf8');
  const actions = text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  t.strictSame([...new Set(actions)].toSorted(), ['passwd', 'useradd', 'userdel', 'usermod']);
  for (const secret of ['another one', passwordOf('late'), passwordOf('carol'), 'argon2'])
    t.notMatch(text, secret);
});

t.test('help', async (t) => {
  const help = await runProgram('ftpctl', ['--help']);
  t.match(help, { code: 0, stdout: /Exit codes:\n {2}0 / });
  for (const command of [
    'put',
    'get',
    'ls',
    'mkdir',
    'rm',
    'rmdir',
    'mv',
    'cat',
    'stat',
    'df',
    'keygen',
    'useradd',
    'usermod',
    'userdel',
    'passwd',
    'users',
    'key',
    'quota',
    'unlock',
    'status',
    'top',
  ]) {
    t.match(help.stdout, new RegExp(`^  ${command} `, 'm'));
  }
  t.match(await runProgram('ftpctl', ['put', '--help']), {
    code: 0,
    stdout: /SRC\.\.\. \[USER@\]HOST:DIR[^]*--no-resume/,
  });
  t.match(await runProgram('ftpctl', ['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  t.match(await runProgram('ftpctl', []), { code: 2, stderr: /no command.*see ftpctl --help\n$/ });
});

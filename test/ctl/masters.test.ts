/* One login for many commands: who types a password is not asked again while a master keeps the session. */
import * as fs from 'node:fs';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import t from 'tap';
import { logIn } from '../lib/accounts.js';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run, type RunResult } from '../lib/run.js';
import { spawnPlain } from '../lib/spawn.js';
import { Terminal } from '../lib/terminal.js';
import { until } from '../mount/remote/processes.js';

t.setTimeout(150_000);

const daemon = await startDaemon(t, { byPassword: true, users: { alice: { quota: '64M' } } });
const runtime = temporaryDirectory(t);
const env: NodeJS.ProcessEnv = { ...daemon.env, XDG_RUNTIME_DIR: runtime };
const masters = join(runtime, 'ftpmount/masters');
const home = daemon.home('alice');
const port = ['--port', String(daemon.port), '--accept-new'];
const byFile = ['--password-file', daemon.passwordFile('alice')];
const at = (path = ''): string => daemon.at('alice', path);
const NEEDS_PASSWORD = { code: 5, stderr: /needs a password/ };

/** A command that can ask nobody: there is no terminal. */
const ctl = (...args: string[]): Promise<RunResult> =>
  run('setsid', ['-w', process.execPath, programs.ftpctl, ...args], { env });
const ls = (...args: string[]): Promise<RunResult> => ctl('ls', ...port, ...args, at());

/** The sockets: their inodes, as a name is that of another one later. */
const sockets = (): number[] =>
  fs.existsSync(masters)
    ? fs.readdirSync(masters).flatMap((name) => {
        const status = fs.lstatSync(join(masters, name), { throwIfNoEntry: false });
        return name.includes('.') || status === undefined ? [] : [status.ino];
      })
    : [];

/** Runs a command that logs in, and waits until its session is with a master. Returns that one's pid. */
async function leavingMaster(login: () => Promise<{ readonly code: number | null }>): Promise<number> {
  const before = sockets();
  t.equal((await login()).code, 0);
  await until(() => sockets().some((ino) => !before.includes(ino)));
  const { stdout } = await ctl('master', 'list');
  return Number(new RegExp(`^alice@127\\.0\\.0\\.1:${daemon.port} +(\\d+) `, 'm').exec(stdout)?.[1]);
}

const gone = (pid: number): Promise<void> => until(() => !fs.existsSync(`/proc/${pid}`));

/** Types the password. */
async function typing() {
  const terminal = new Terminal(t, [process.execPath, programs.ftpctl, 'ls', ...port, at()], env);
  await terminal.says(/Password of /);
  terminal.type(`${passwordOf('alice')}\r`);
  return terminal.exited;
}

t.test('a password is typed once, and not kept', async (t) => {
  const pid = await leavingMaster(typing);
  fs.writeFileSync(join(home, 'file'), 'content');
  t.match(await ls(), { code: 0, stdout: 'file\n' });
  t.match(await ctl('cat', ...port, at('none'), at('file')), {
    code: 1,
    stdout: 'content',
    stderr: /^ftpctl: none: /,
  });
  for (const file of ['cmdline', 'environ']) {
    t.notMatch(fs.readFileSync(`/proc/${pid}/${file}`, 'latin1'), passwordOf('alice'));
  }
  t.equal(fs.readlinkSync(`/proc/${pid}/cwd`), '/', 'no directory is kept busy');
  t.match(await ls('--no-master'), NEEDS_PASSWORD);
  const wrong = ['--password-file', daemon.passwordFile('lily')];
  t.match(await ls(...wrong), { code: 5, stderr: /login of alice.* failed/ }, 'who gives one is held to it');
  fs.chmodSync(masters, 0o710);
  t.match(await ls(), NEEDS_PASSWORD, 'others could have put another one there');
  fs.chmodSync(masters, 0o700);
});

t.test('Tab completes paths of the home, over the session that is there', async (t) => {
  const bin = temporaryDirectory(t);
  fs.symlinkSync(programs.ftpctl, join(bin, 'ftpctl'));
  const path = [bin, dirname(process.execPath), process.env['PATH']].join(delimiter);
  for (const name of ['my films', 'my films/part 1', 'my music']) fs.mkdirSync(join(home, name));
  const body =
    '. <(ftpctl completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ftpctl; printf "%s\\n" "${COMPREPLY[@]}"';
  const complete = async (...typed: string[]): Promise<string[]> => {
    const words = ['ftpctl', 'ls', '--port', String(daemon.port), ...typed];
    const { stdout } = await run('setsid', ['-w', 'bash', '-c', body, 'bash', ...words], {
      env: { ...env, PATH: path },
    });
    return stdout.trimEnd().split('\n');
  };
  t.strictSame(await complete('alice', '@', '127.0.0.1', ':', 'my'), ['my\\ films/', 'my\\ music/']);
  t.strictSame(await complete('alice', '@', '127.0.0.1', ':', 'my\\ films/'), ['my\\ films/part\\ 1/']);
  const asking = ['complete-path', ...port, daemon.at('lily', 'x')];
  const terminal = new Terminal(t, [process.execPath, programs.ftpctl, ...asking], env);
  t.equal((await terminal.exited).code, 5, 'nobody is asked at Tab');
  t.notMatch(terminal.output, 'Password of');
});

t.test('commands at the same time do not meet', async (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const made = await Promise.all(
    names.map((name) => ctl('mkdir', ...port, '-p', at(`all/${name}/${name}`), at(name))),
  );
  for (const { code, stderr } of made) t.equal(code, 0, stderr);
  t.strictSame(fs.readdirSync(join(home, 'all')), names);
  for (const name of names)
    t.ok(fs.existsSync(join(home, name)) && fs.existsSync(join(home, 'all', name, name)));
});

t.test('what a command that is killed had open is freed', async (t) => {
  const big = join(temporaryDirectory(t), 'big');
  fs.writeFileSync(big, Buffer.alloc(24 * 1024 * 1024));
  t.equal((await ctl('put', ...port, ...byFile, big, at())).code, 0);
  const command = ['-w', process.execPath, programs.ftpctl, 'cat', ...port, at('big')];
  const cat = spawnPlain('setsid', command, { env, detached: true });
  // Nobody reads on: it holds the file.
  await once(cat.stdout, 'readable');
  t.match((await ctl('master', 'list')).stdout, /in use: 1/);
  const exited = once(cat, 'exit');
  process.kill(-(cat.pid ?? 0), 'SIGKILL');
  await exited;
  t.equal((await ctl('rm', ...port, at('big'))).code, 0);
  const used = async (): Promise<number> => {
    const [, line = ''] = (await ctl('df', ...port, at())).stdout.split('\n');
    return Number(line.split(/ +/)[2]);
  };
  // The server learns a little later that the command is gone.
  while ((await used()) >= 1024);
  t.pass('its space is free');
});

t.test('it ends when it is told to, and nobody waits for it', async (t) => {
  t.match(await ctl('master', 'exit', 'lily@127.0.0.1'), { code: 1, stderr: /no session of lily@/ });
  t.match(await ctl('master', 'exit', ...port.slice(0, 2), at()), { code: 0 });
  t.match(await ls(), NEEDS_PASSWORD);
  // Would the master have a pipe of the command, the run would not end before it.
  const command = [
    '-c',
    '"$@" 9>&1',
    'bash',
    process.execPath,
    programs.ftpctl,
    'ls',
    ...port,
    ...byFile,
    at(),
  ];
  const pid = await leavingMaster(() => run('bash', command, { env }));
  t.match(await ls(), NEEDS_PASSWORD, 'a file with a password is another way to log in');
  process.kill(pid, 'SIGKILL');
  await gone(pid);
  t.not(await leavingMaster(() => ls(...byFile)), pid, 'one that was killed is replaced');
});

t.test('it ends with what made the login possible', async (t) => {
  t.equal((await daemon.ftpctl(['usermod', 'alice', '--disable'])).code, 0);
  await until(() => sockets().length === 0);
  t.match(await ls(...byFile), { code: 5, stderr: /login of alice.* failed/ });
  t.equal((await daemon.ftpctl(['usermod', 'alice', '--enable'])).code, 0);
  await leavingMaster(() => ls(...byFile));
  await daemon.stop();
  await until(() => sockets().length === 0);
  t.match(await ls(...byFile), { code: 3, stderr: /refused/ });
  await daemon.start();
  const config = join(daemon.clientConfig, 'ftpmount/config.toml');
  fs.writeFileSync(config, 'master-idle = 0\n');
  t.match(await ls(...byFile), { code: 0 });
  fs.writeFileSync(config, 'master-idle = 1\n');
  const pid = await leavingMaster(() => ls(...byFile));
  await gone(pid);
  t.strictSame(sockets(), [], 'it was idle');
});

t.test('little is moved over it, much is not, and leaves its session, too', async (t) => {
  const directory = temporaryDirectory(t);
  const [little, much] = [join(directory, 'little'), join(directory, 'much')];
  fs.writeFileSync(little, 'little');
  fs.writeFileSync(much, Buffer.alloc(2 * 1024 * 1024));
  fs.writeFileSync(join(daemon.clientConfig, 'ftpmount/config.toml'), '');
  await leavingMaster(typing);
  t.match(await ctl('put', ...port, little, at('moved')), { code: 0 });
  t.match(await ctl('get', ...port, at('mov*'), directory), { code: 0 });
  t.equal(fs.readFileSync(join(directory, 'moved'), 'utf8'), 'little');
  t.match(await ctl('put', ...port, much, at()), NEEDS_PASSWORD);
  await leavingMaster(() => ctl('put', ...port, ...byFile, much, at()));
  t.match(await ctl('get', ...port, at('much'), directory), NEEDS_PASSWORD);
});

t.test('one that is idle gives way to who finds no place', async (t) => {
  const narrow = await startDaemon(t, {
    byPassword: true,
    users: { alice: { quota: '64M' } },
    args: ['--max-sessions-per-user', '1'],
  });
  const login = [...narrow.login('alice'), narrow.at('alice')];
  const before = sockets();
  t.match(await ctl('ls', ...login), { code: 0 });
  await until(() => sockets().some((ino) => !before.includes(ino)));
  t.match((await ctl('master', 'list')).stdout, /^alice@/m);
  t.match(await ctl('ls', '--no-master', ...login), { code: 0 });
  t.strictSame(sockets(), before);
});

t.test('where one user has all that one user may have only those of that user give way', async (t) => {
  const narrow = await startDaemon(t, {
    byPassword: true,
    users: { alice: { quota: '64M' }, bob: { quota: '64M' } },
    args: ['--max-sessions-per-user', '1'],
  });
  const ls = (user: string, host: string, ...args: string[]) =>
    ctl('ls', ...narrow.login(user), ...args, `${user}@${host}:`);
  const before = sockets();
  const added = (): number[] => sockets().filter((ino) => !before.includes(ino));
  t.match(await ls('bob', '127.0.0.1'), { code: 0 });
  await until(() => added().length === 1);
  const ofBob = added();
  t.match(await ls('alice', 'localhost'), { code: 0 });
  await until(() => added().length === 2);
  t.match(await ls('alice', '127.0.0.1', '--no-master'), { code: 0 }, 'also by another name of the server');
  t.strictSame(added(), ofBob);
  await logIn(t, { port: narrow.port, user: 'alice', password: passwordOf('alice') });
  t.match(await ls('alice', '127.0.0.1', '--no-master'), { code: 6, stderr: /alice has too many sessions/ });
  t.strictSame(added(), ofBob);
});

t.test('one that is idle gives way to who waits for a place', async (t) => {
  const full = await startDaemon(t, {
    byPassword: true,
    users: { alice: { quota: '64M' } },
    args: ['--max-sessions', '1'],
  });
  const login = [...full.login('alice'), full.at('alice')];
  const before = sockets();
  t.match(await ctl('ls', ...login), { code: 0 });
  await until(() => sockets().some((ino) => !before.includes(ino)));
  t.match(await ctl('ls', '--no-master', ...login), { code: 0, stderr: /1st in the queue/ });
  t.strictSame(sockets(), before);
});

t.test('so do those of other accounts, and of the server by another name', async (t) => {
  const full = await startDaemon(t, {
    byPassword: true,
    users: { alice: { quota: '64M' }, bob: { quota: '64M' } },
    args: ['--max-sessions', '2'],
  });
  const ls = (user: string, host: string, ...args: string[]) =>
    ctl('ls', ...full.login(user), ...args, `${user}@${host}:`);
  const before = sockets().length;
  const isKept = async (count: number): Promise<void> => until(() => sockets().length === before + count);
  t.match(await ls('alice', '127.0.0.1'), { code: 0 });
  await isKept(1);
  t.match(await ls('alice', 'localhost'), { code: 0 });
  await isKept(2);
  t.match(await ls('bob', '127.0.0.1', '--no-master'), { code: 0, stderr: /1st in the queue/ });
  t.equal(sockets().length, before);
});

/* The table of commands: each says in one line where to look when it is called wrongly. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { appendHost } from '../../client/known-hosts.js';
import { temporaryDirectory } from '../lib/directory.js';
import { runProgram } from '../lib/programs.js';
import { problemOf } from '../lib/said.js';

const COMMANDS = [
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
  'uploads rm',
  'trash restore',
  'trash empty',
  'shell',
  'keygen',
  'completion',
  'known-hosts forget',
  'master exit',
  'useradd',
  'usermod',
  'userdel',
  'passwd',
  'users',
  'key add',
  'key list',
  'key remove',
  'quota check',
  'adopt',
  'backup',
  'status',
  'top',
];

t.test('every command refuses what it does not know, and names its own help', async (t) => {
  for (const command of COMMANDS) {
    // A required option that is missing is told first.
    const required = command === 'useradd' ? ['--quota', '1G'] : [];
    const result = await runProgram('ftpctl', [...command.split(' '), ...required, '--colour']);
    t.equal(result.code, 2, command);
    t.equal(problemOf(result, 'ftpctl'), `unknown option '--colour': see ftpctl ${command} --help`);
  }
});

t.test('arguments that are missing or too many', async (t) => {
  for (const [args, says] of [
    [['ls'], /^missing required argument 'place': see ftpctl ls --help$/],
    [['key', 'add', 'alice'], /^missing required argument 'key': see ftpctl key add --help$/],
    [['users', 'alice'], /^too many arguments .* got 1: see ftpctl users --help$/],
  ] as const) {
    const result = await runProgram('ftpctl', args);
    t.equal(result.code, 2, args.join(' '));
    t.match(problemOf(result, 'ftpctl'), says);
  }
});

t.test('help, as it may be asked for', async (t) => {
  const whole = await runProgram('ftpctl', ['--help']);
  t.match(whole, { code: 0, stdout: /^Usage: ftpctl / });
  for (const args of [['-h'], ['help']]) {
    t.same((await runProgram('ftpctl', args)).stdout, whole.stdout, args.join(' '));
  }
  t.match(await runProgram('ftpctl', ['help', 'put']), { code: 0, stdout: /^Usage: ftpctl put / });
  const unknown = await runProgram('ftpctl', ['help', 'fetch']);
  t.equal(unknown.code, 2);
  t.equal(problemOf(unknown, 'ftpctl'), "there is no command 'fetch': see ftpctl --help");
});

t.test('completion has the commands, their options and the known hosts', async (t) => {
  const config = temporaryDirectory(t);
  mkdirSync(join(config, 'ftpmount'));
  writeFileSync(join(config, 'ftpmount/known_hosts'), '# c\nfiles.example.org:8083 ftpmount-x25519 AAAA\n');
  writeFileSync(join(config, 'ftpmount/config.toml'), '[hosts.film]\nhost = "x"\n');
  const written = (shell: string, text: string): string => {
    writeFileSync(join(config, shell), text);
    return join(config, shell);
  };
  const script = written('bash', (await runProgram('ftpctl', ['completion', 'bash'])).stdout);
  const complete = (...words: readonly string[]): string[] => {
    const body =
      'script=$1; shift; . "$script"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ftpctl; echo ${COMPREPLY[*]}';
    const args = ['-c', body, 'bash', script, 'ftpctl', ...words];
    const env = { ...process.env, XDG_CONFIG_HOME: config };
    return execFileSync('bash', args, { env, encoding: 'utf8', stdio: 'pipe' }).trim().split(' ');
  };
  const commands = complete('');
  for (const command of COMMANDS) t.ok(commands.includes(command.split(' ')[0] ?? ''), command);
  t.strictSame(complete('key', 're'), ['remove']);
  t.strictSame(complete('put', '--re'), ['--recursive', '--retry']);
  t.strictSame(complete('ls', 'fi'), ['files.example.org:', 'film:']);
  t.strictSame(complete('get', '-r', 'alice', '@', 'file'), ['files.example.org:'], 'behind the user');
  t.strictSame(
    complete('get', 'alice', '@', 'film', ':', 'fi'),
    [''],
    'a path of the server is none of these',
  );
  t.strictSame(complete('useradd', 'fi'), [''], 'what has nothing to do with another host');
  t.strictSame(complete('import', ''), ['ftpmount', 'passwd', 'sftpgo']);
  t.strictSame(complete('import', 'ftpmount', ''), [''], 'a file');
  for (const shell of ['zsh', 'fish']) {
    const { stdout } = await runProgram('ftpctl', ['completion', shell]);
    t.match(stdout, 'web-password');
    // fish reads no script from a socket, as an input would be.
    const isThere = spawnSync(shell, ['-n', written(shell, stdout)]);
    t.ok(isThere.error !== undefined || isThere.status === 0, `${shell} can read it, where there is one`);
  }
  t.match(await runProgram('ftpctl', ['completion', 'csh']), {
    code: 2,
    stderr: /'csh' .*Allowed choices are bash, zsh, fish: see ftpctl completion --help$/m,
  });
});

t.test('known hosts are listed and forgotten', async (t) => {
  const config = temporaryDirectory(t);
  const env = { ...process.env, XDG_CONFIG_HOME: config };
  const path = join(config, 'ftpmount/known_hosts');
  for (const [host, port] of [
    ['files.example.org', 8083],
    ['files.example.org', 8084],
    ['::1', 1],
    ['other.example.org', 9],
  ] as const)
    appendHost(path, host, port, Buffer.alloc(32, 1));
  writeFileSync(join(config, 'ftpmount/config.toml'), '[hosts.work]\nhost = "other.example.org"\nport = 9\n');
  const knownHosts = (...args: string[]) => runProgram('ftpctl', ['known-hosts', ...args], { env });
  t.match(
    (await knownHosts()).stdout,
    /^files\.example\.org:8083  SHA256:\S+\nfiles[^]*\n\[::1\]:1 .*\nother.*\n$/,
  );
  t.match(await knownHosts('forget', 'work'), {
    code: 0,
    stdout: /^forgot the key of other\.example\.org:9, /,
  });
  t.match(await knownHosts('forget', 'work'), { code: 1, stderr: /^ftpctl: no key of 'work' is known$/m });
  t.match(await knownHosts('forget', '::1'), { code: 0 });
  t.match(await knownHosts('forget', 'Files.example.org'), { code: 0, stdout: /8083[^]*8084/ });
  t.equal(readFileSync(path, 'utf8'), '');
});

t.test('a group without its command', async (t) => {
  for (const group of ['key', 'quota']) {
    const result = await runProgram('ftpctl', [group]);
    t.equal(result.code, 2);
    t.equal(problemOf(result, 'ftpctl'), `no command is given: see ftpctl ${group} --help`);
  }
});

t.test('a destination that is missing or not where it has to be', async (t) => {
  for (const [args, says] of [
    [['put', 'file'], /what to copy, and where to/],
    [['put', 'file', 'directory'], /'directory' is not on a server: write \[USER@\]HOST:PATH/],
    [['get', 'file', '.'], /'file' is not on a server/],
    [['mv', 'alice@host:a', 'lily@host:b'], /same server and of the same user/],
    [['trash', 'all', 'alice@host'], /same user: 'all' is no command here, and so the name of a server$/],
    [['uploads', 'remove', 'alice@host:x'], /same user: 'remove' is no command here/],
    [['ls', 'alice@'], /does not name a server/],
    [['ls', 'alice@host:', '-p', '99999'], /'99999' is not a port/],
  ] as const) {
    const result = await runProgram('ftpctl', args);
    t.equal(result.code, 2, args.join(' '));
    t.match(problemOf(result, 'ftpctl'), says);
  }
});

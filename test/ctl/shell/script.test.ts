/* Scripts of the prompt's commands, by the real programs: what they do, and how they end. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../../lib/daemon.js';
import { temporaryDirectory } from '../../lib/directory.js';
import type { RunResult } from '../../lib/run.js';

t.setTimeout(90_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '64M' } } });
const home = daemon.home('alice');
const local = temporaryDirectory(t);

/** Runs lines as the standard input of the shell, in `local`. */
const shell = (
  lines: readonly string[],
  place = daemon.at('alice'),
  args: string[] = [],
): Promise<RunResult> =>
  daemon.ftpctl(['shell', ...daemon.login('alice'), ...args, place], {
    cwd: local,
    env: { ...daemon.env, HOME: local },
    input: `${lines.join('\n')}\n`,
  });

t.test('files of the home', async (t) => {
  const result = await shell([
    'mkdir -p docs/deep',
    'cd docs',
    'pwd',
    '  # a comment',
    'mkdir "two words"',
    'ls',
    'cd deep',
    'cd ..',
    'cd "two words"',
    'pwd',
    'cd -',
    'pwd',
    'mv "two words" words',
    'cd',
    'ls docs /docs/deep',
    'cd ~/docs',
    'rmdir words',
    'ln -s deep link',
    'ls -l link',
    'rm deep link',
    'ls',
  ]);
  t.equal(result.code, 0, result.stderr);
  t.match(
    result.stdout,
    /^\/docs\ndeep\ntwo words\n\/docs\/two words\n\/docs\ndocs:\ndeep\nwords\n\n\/docs\/deep:\nlrwx.* link -> deep\n$/,
  );
  t.strictSame(fs.readdirSync(join(home, 'docs')), []);
});

t.test('copies, with patterns on either side', async (t) => {
  fs.mkdirSync(join(local, 'from/tree'), { recursive: true });
  for (const name of ['a.txt', 'b c.txt', '*.txt', 'd.bin', 'tree/leaf']) {
    fs.writeFileSync(join(local, 'from', name), `content of ${name}`);
  }
  const result = await shell([
    'mkdir copies more',
    'lcd from',
    'cd copies',
    'put *.txt',
    'put d.bin ../more/renamed',
    'put -r tree ../more',
    "put -r --include tree --exclude '*' --limit=50M . picked",
    'ls picked',
    'rm -r picked',
    'mput -q d.bin "b c.txt"',
    String.raw`ls \**`,
    'ls ../m*/re[a-n]amed',
    'lcd ..',
    '!mkdir to',
    'get "b c.txt" to/other',
    'lcd to',
    'get -r /more/tree .',
    'mget /copies/[ad]*',
    'get ../copies/a.txt ../more.txt',
    'lpwd',
    'lls',
    'cat a.txt d.bin',
    'md5 a.txt',
    'chmod 600 *.txt',
    'rm *.txt',
    'ls',
  ]);
  t.equal(result.code, 0, result.stderr);
  t.match(result.stdout, `${local}/to\na.txt\nd.bin\nother\ntree\n`);
  t.match(result.stdout, '*.txt\n../more/renamed\n');
  t.match(result.stdout, /^tree\n/m, 'what is included');
  t.match(result.stdout, 'content of a.txtcontent of d.binMD5 (a.txt) = ');
  t.match(result.stdout, /\nd\.bin\n$/);
  t.strictSame(fs.readdirSync(join(home, 'copies')), ['d.bin']);
  t.strictSame(fs.readdirSync(join(home, 'more')), ['renamed', 'tree']);
  t.equal(fs.readFileSync(join(local, 'to/other'), 'utf8'), 'content of b c.txt');
  t.equal(fs.readFileSync(join(local, 'to/tree/leaf'), 'utf8'), 'content of tree/leaf');
  t.ok(fs.existsSync(join(local, 'more.txt')));
});

t.test('a script ends with the first error, and its exit code', async (t) => {
  fs.mkdirSync(join(home, 'full/sub'), { recursive: true });
  for (const [line, code, says] of [
    ['rm none', 1, /^ftpctl: none: no such file or directory\n/],
    ['rm none*', 1, /^ftpctl: nothing matches none\*\n/],
    ['rm full', 1, /^ftpctl: full: a directory that is not empty: use -r/],
    ['cd none', 1, /^ftpctl: none: there is no such directory\n/],
    ['lcd none', 1, /^ftpctl: none: there is no such directory here\n/],
    ['frobnicate', 2, /^ftpctl: there is no command 'frobnicate': help lists them\n/],
    ['ls -x', 2, /^ftpctl: unknown option '-x': usage: ls \[-lah\] \[PATH\.\.\.\] \(help ls tells more\)\n/],
    ['mv full', 2, /^ftpctl: something is missing: usage: mv /],
    ['cd a b', 2, /^ftpctl: that is too much: usage: cd \[DIR\]/],
    ['cat "full', 2, /^ftpctl: a " is not closed\n/],
    ['help frobnicate', 2, /there is no command/],
    ['cd -', 2, /no directory to go back to/],
    ['chmod u+x full', 2, /'u\+x' is not a mode/],
    ['get none', 1, /none: no such file/],
    ['put none', 1, /none: no such file/],
    ['!exit 9', 9, /^ftpctl: stopped/],
  ] as const) {
    const result = await shell(['pwd', line, 'mkdir never']);
    t.match(result, { code, stdout: '/\n', stderr: says }, line);
    t.ok(result.stderr.endsWith(`ftpctl: stopped at line 2 of standard input: ${line}\n`), result.stderr);
  }
  t.notOk(fs.existsSync(join(home, 'never')));
});

t.test('a dash before a command lets it fail', async (t) => {
  const result = await shell(['-rm none', '- rm none', '-frobnicate', '-!false', 'pwd']);
  t.match(result, { code: 0, stdout: '/\n' });
  t.equal(result.stderr.match(/^ftpctl: none: no such file/gm)?.length, 2, 'which is told');
});

t.test('exit, by all its names', async (t) => {
  for (const name of ['exit', 'quit', 'bye']) {
    t.match(await shell([name, 'frobnicate']), { code: 0, stderr: '' });
  }
});

t.test('a program that is run does not read the script', async (t) => {
  t.match(await shell(['!cat', 'pwd']), { code: 0, stdout: '/\n' });
});

t.test('a file of commands, and where it begins', async (t) => {
  const script = join(local, 'script');
  fs.mkdirSync(join(home, 'begins here'));
  fs.writeFileSync(script, 'pwd\r\nrm none');
  const result = await shell(['frobnicate'], daemon.at('alice', 'begins here'), ['-b', script]);
  t.match(result, { code: 1, stdout: '/begins here\n' });
  t.match(result.stderr, `ftpctl: stopped at line 2 of ${script}: rm none\n`);
  t.match(await shell(['pwd'], daemon.at('alice'), ['-b', '-']), { code: 0, stdout: '/\n' });
  t.match(await shell([], daemon.at('alice'), ['-b', join(local, 'nothing')]), {
    code: 1,
    stderr: /^ftpctl: .*nothing: no such file or directory\n$/,
  });
  t.match(await shell(['pwd'], daemon.at('alice', 'none')), {
    code: 1,
    stdout: '',
    stderr: /none: there is no/,
  });
});

t.test('as the classic client is started', async (t) => {
  const server = ['-s', 'alice@127.0.0.1', ...daemon.login('alice')];
  t.match(await daemon.ftpctl(server, { input: 'pwd\n' }), { code: 0, stdout: '/\n' });
  t.match(await daemon.ftpctl([...daemon.login('alice'), '--server=alice@127.0.0.1'], { input: 'pwd\n' }), {
    code: 0,
    stdout: '/\n',
  });
  t.match(await daemon.ftpctl(['shell', ...server, 'alice@127.0.0.1']), {
    code: 2,
    stderr: /say one server/,
  });
  t.match(await daemon.ftpctl(['shell']), { code: 2, stderr: /say one server/ });
});

t.test('the password cannot come from where the script does', async (t) => {
  const args = ['shell', '-p', String(daemon.port), '--password-file', '-', daemon.at('alice')];
  t.match(await daemon.ftpctl(args, { input: 'x\n' }), { code: 2, stderr: /use -b FILE/ });
});

t.test('help', async (t) => {
  const { stdout } = await shell(['help', 'help rm', 'help quit']);
  for (const name of 'ls cd pwd lcd lls lpwd get put mget mput mkdir rmdir rm mv cat less df stat help exit'.split(
    ' ',
  )) {
    t.match(stdout, new RegExp(String.raw`^${name}\b`, 'm'));
  }
  t.match(stdout, /^rm \[-rf\] PATH\.\.\.\n {2}remove files.* \(also: delete\)\n {2}-r, --recursive {2}/m);
  for (const line of stdout.split('\n')) t.ok(line.length < 80, line);
});

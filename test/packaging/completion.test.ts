/* What the package has for completion, in the shells of this machine, at the first Tab. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { Shell } from '../../ctl/completed-shells.js';
import { MOUNT_OPTIONS } from '../../mount/options.js';
import { helpOf } from '../../packaging/man-pages.js';
import { mountCompletion } from '../../packaging/mount-completion.js';
import { temporaryDirectory } from '../lib/directory.js';
import { runProgram } from '../lib/programs.js';
import { succeed } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

const mountHelp = helpOf('ftpmount', []);
const isThere = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const skipped = (shell: string) => (isThere(shell) ? {} : { skip: `there is no ${shell}` });

/** A client's configuration, in which a host is known, and a directory to mount on. */
function client(t: Test): { readonly env: NodeJS.ProcessEnv; readonly directory: string } {
  const directory = temporaryDirectory(t);
  mkdirSync(path.join(directory, 'ftpmount'));
  mkdirSync(path.join(directory, 'folder'));
  writeFileSync(
    path.join(directory, 'ftpmount/known_hosts'),
    'files.example.org:8083 ftpmount-x25519 AAAA\n',
  );
  return { env: { ...process.env, XDG_CONFIG_HOME: directory, HOME: directory }, directory };
}

/** The script of each program. */
async function scripts(shell: Shell): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await runProgram('ftpctl', ['completion', shell]);
  return { ftpctl: stdout, ftpmount: mountCompletion(shell, mountHelp) };
}

t.test('bash', skipped('bash'), async (t) => {
  const { env, directory } = client(t);
  const script = path.join(directory, 'script');
  writeFileSync(script, (await scripts('bash'))['ftpmount'] ?? '');
  const body =
    'script=$1; shift; . "$script"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ftpmount 2>/dev/null; echo ${COMPREPLY[*]}';
  const complete = async (...words: string[]): Promise<string> =>
    (await succeed('bash', ['-c', body, 'bash', script, 'ftpmount', ...words], { env })).trim();
  t.equal(await complete('--unm'), '--unmount');
  t.equal(await complete('-o', 'allow_o'), 'allow_other');
  t.equal(await complete('-o', 'ro,ke'), 'ro,keepalive=');
  t.equal(await complete('fi'), 'files.example.org:');
  t.equal(await complete('alice', '@', 'fi'), 'files.example.org:');
  t.equal(await complete('st'), 'status');
});

t.test('zsh', skipped('zsh'), async (t) => {
  const { env, directory } = client(t);
  for (const [program, script] of Object.entries(await scripts('zsh')))
    writeFileSync(path.join(directory, `_${program}`), script);
  const setup = `PS1='> '; fpath=(${directory} $fpath); autoload -Uz compinit; compinit -u -D; cd ${directory}; echo re''ady\r`;
  const atFirstTab = async (typed: string, completed: RegExp): Promise<void> => {
    // Each time a shell that has not loaded them.
    const terminal = new Terminal(t, ['zsh', '-f', '-i'], env);
    terminal.type(setup);
    await terminal.says(/^ready\r$/m);
    terminal.type(`: ; ${typed}\t`);
    await terminal.says(completed);
    t.pass(typed);
  };
  await atFirstTab('ftpctl tra', /ftpctl trash/);
  await atFirstTab('ftpctl import sf', /import sftpgo/);
  await atFirstTab('ftpctl ls alice@fi', /ls alice@files\.example\.org:/);
  await atFirstTab('ftpmount --unm', /--unmount/);
  await atFirstTab('ftpmount -o ro,ke', /ro,keepalive=/);
  await atFirstTab('ftpmount alice@fi', /alice@files\.example\.org:/);
  await atFirstTab('ftpmount files.example.org: fo', /: fo.*lder/);
});

t.test('fish', skipped('fish'), async (t) => {
  const { env, directory } = client(t);
  const all = Object.values(await scripts('fish'));
  const script = path.join(directory, 'script.fish');
  writeFileSync(script, all.join('\n'));
  const complete = async (line: string): Promise<string[]> => {
    const body = `source ${script}; cd ${directory}; complete -C '${line}'`;
    const lines = (await succeed('fish', ['--no-config', '-c', body], { env })).split('\n');
    return lines.map((one) => one.split('\t', 1)[0] ?? '').filter((one) => one !== '');
  };
  t.strictSame(await complete('ftpctl tra'), ['trash']);
  t.strictSame(await complete('ftpctl import sf'), ['sftpgo']);
  t.strictSame(await complete('ftpmount --unm'), ['--unmount']);
  t.strictSame(await complete('ftpmount -o ro,ke'), ['ro,keepalive=']);
  t.strictSame(await complete('ftpmount alice@'), ['alice@files.example.org:']);
  t.strictSame(await complete('ftpmount x: fo'), ['folder/']);
});

t.test('it has all options that the help has, and all mount options that there are', async (t) => {
  const { stdout } = await runProgram('ftpmount', ['--help']);
  const long = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag ?? '');
  const script = mountCompletion('bash', mountHelp);
  t.ok(long.length > 10);
  for (const flag of long) t.match(script, ` ${flag}`);
  const completed = /-P "\$given" -W '(.*?)'/.exec(script)?.[1]?.split(' ');
  t.strictSame(completed?.toSorted(), MOUNT_OPTIONS.toSorted());
});

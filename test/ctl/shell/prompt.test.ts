/* The prompt as a person at a terminal has it. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startProxy } from '../../../bench/proxy.js';
import { passwordOf, startDaemon } from '../../lib/daemon.js';
import { temporaryDirectory } from '../../lib/directory.js';
import { programs } from '../../lib/programs.js';
import { Terminal } from '../../lib/terminal.js';

t.setTimeout(90_000);

const MiB = 1024 * 1024;
/** As in resume.test.ts: slow enough to be interrupted. */
const SLOW_RTT_MS = 200;

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });
const home = daemon.home('alice');
const local = temporaryDirectory(t);
// The first login makes the home.
await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]);

type Scope = Parameters<typeof temporaryDirectory>[0];

/** A terminal whose shell is in `local`. */
function open(scope: Scope, args: readonly string[], env: NodeJS.ProcessEnv = daemon.env): Terminal {
  const words = ['sh', '-c', 'cd "$0" && exec "$@"', local, process.execPath, programs.ftpctl, ...args];
  return new Terminal(scope, words, { ...env, SHELL: '/bin/sh' });
}

const openShell = (scope: Scope, place = daemon.at('alice')): Terminal =>
  open(scope, ['shell', ...daemon.login('alice'), place]);

t.test('commands, Tab, and the end by Ctrl-D', async (t) => {
  fs.mkdirSync(join(home, 'docs'));
  fs.writeFileSync(join(home, 'docs/with space.txt'), 'the content\n');
  const terminal = openShell(t);
  await terminal.says(/alice@127\.0\.0\.1:\d+:\/> /);
  terminal.type('cd do\t');
  await terminal.says(/docs\//);
  terminal.type('\r');
  await terminal.says(/:\/docs> /);
  terminal.type('cat wi\t');
  await terminal.says(/with\\ space\.txt /);
  terminal.type('\r');
  await terminal.says(/^the content\r$/m);
  await terminal.says(/:\/docs> /);
  terminal.type('frobnicate\r');
  await terminal.says(/there is no command 'frobnicate'/);
  await terminal.says(/:\/docs> /);
  terminal.type('half a line\x03');
  await terminal.says(/\^C/);
  await terminal.says(/:\/docs> /);
  terminal.type('\x04');
  t.equal((await terminal.exited).code, 0, 'what failed was told');
  const history = join(daemon.clientState, 'ftpmount/shell-history');
  t.equal(
    fs.readFileSync(history, 'utf8'),
    String.raw`cd docs/
cat with\ space.txt 
frobnicate
`,
  );
  t.equal(fs.statSync(history).mode & 0o777, 0o600);
  const next = openShell(t);
  await next.says(/> /);
  next.type('\x1b[A');
  await next.says(/frobnicate/);
  next.type('\x03');
  await next.says(/:\/> /);
  next.type('exit\r');
  t.equal((await next.exited).code, 0);
});

t.test('lines that are pasted are carried out one after the other', async (t) => {
  const terminal = openShell(t);
  await terminal.says(/> /);
  terminal.type('mkdir pasted\rcd pasted\rpw');
  await terminal.says(/:\/pasted> .*pw/);
  terminal.type('d\r');
  await terminal.says(/^\/pasted\r$/m);
  terminal.type('bye\r');
  t.equal((await terminal.exited).code, 0);
});

t.test('Ctrl-C interrupts a put and not the prompt; the same put goes on', async (t) => {
  const proxy = await startProxy(t, daemon.port);
  const content = randomBytes(48 * MiB);
  fs.writeFileSync(join(local, 'large'), content);
  const terminal = open(t, [
    'shell',
    '-p',
    String(proxy.port),
    ...daemon.login('alice').slice(2),
    daemon.at('alice'),
  ]);
  await terminal.says(/> /);
  await proxy.delay(SLOW_RTT_MS);
  terminal.type('put large\r');
  await terminal.says(/large .*\d+%/);
  const partial = (): number =>
    Math.max(
      0,
      ...fs
        .readdirSync(join(home, '.ftpmount'))
        .map((name) => fs.statSync(join(home, '.ftpmount', name)).size),
    );
  while (partial() <= 16 * MiB) await new Promise((resolve) => setTimeout(resolve, 1));
  terminal.type('\x03');
  await proxy.delay(0);
  await terminal.says(/interrupted: run the same command again to resume/);
  await terminal.says(/:\/> /);
  terminal.type('put large\r');
  await terminal.says(/resuming at [1-9]\d?%/);
  await terminal.says(/MD5 \(large\)/);
  await terminal.says(/:\/> /);
  t.ok(fs.readFileSync(join(home, 'large')).equals(content));
  // What it says shows that it runs, not what was typed. A builtin waits: dash loses a Ctrl-C between fork and exec.
  terminal.type('!echo runs-$((6 * 7)); read line\r');
  await terminal.says(/runs-42/);
  terminal.type('\x03');
  await terminal.says(/:\/> /);
  terminal.type('!stty -a\r');
  await terminal.says(/ icanon /);
  await terminal.says(/:\/> /);
  terminal.type('exit\r');
  t.equal((await terminal.exited).code, 0);
});

t.test('it connects again after a break, in the same directory', async (t) => {
  fs.mkdirSync(join(home, 'stays'));
  fs.writeFileSync(join(home, 'stays/file'), 'kept');
  const terminal = openShell(t, daemon.at('alice', 'stays'));
  await terminal.says(/:\/stays> /);
  await daemon.kill();
  await daemon.start();
  terminal.type('ls\r');
  await terminal.says(/ftpctl: .*: connecting again/);
  await terminal.says(/^file\r$/m);
  await terminal.says(/:\/stays> /);
  await daemon.stop();
  terminal.type('mkdir sub\r');
  await terminal.says(/connecting again/);
  terminal.type('\x03');
  await terminal.says(/ftpctl: interrupted/);
  await terminal.says(/:\/stays> /);
  await daemon.start();
  terminal.type('mkdir sub\r');
  await terminal.says(/connecting again/);
  await terminal.says(/:\/stays> /);
  t.ok(fs.existsSync(join(home, 'stays/sub')));
  terminal.type('exit\r');
  t.equal((await terminal.exited).code, 0);
});

t.test('as the classic client is started: name and password, and three tries', async (t) => {
  const env = { ...daemon.env, XDG_CONFIG_HOME: temporaryDirectory(t) };
  const start = ['-s', '127.0.0.1', '-p', String(daemon.port), '--accept-new'];
  const terminal = open(t, start, env);
  await terminal.says(/Name \(127\.0\.0\.1:\w+\): /);
  terminal.type('No Name\r');
  await terminal.says(/'No Name' is not valid/);
  await terminal.says(/Name \(/);
  terminal.type('alice\r');
  await terminal.says(/Password of alice@127\.0\.0\.1: /);
  terminal.type('wrong\r');
  await terminal.says(/Wrong user or password/);
  await terminal.says(/Password of alice/);
  terminal.type(`${passwordOf('alice')}\r`);
  await terminal.says(/alice@127\.0\.0\.1:\d+:\/> /);
  terminal.type('quit\r');
  t.equal((await terminal.exited).code, 0);

  const other = open(t, start, env);
  await other.says(/Name \(/);
  other.type('alice\r');
  for (let tries = 0; tries < 3; tries++) {
    await other.says(/Password of alice/);
    other.type('wrong\r');
  }
  t.equal((await other.exited).code, 5);
});

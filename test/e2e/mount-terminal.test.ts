/* Mounting as a person does at a terminal: asked there, mounted in the background, and there after the terminal is gone. */
import path from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { forceUnmount, mountAt } from '../lib/mounts.js';
import { programs, runProgram } from '../lib/programs.js';
import { succeed } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(60_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '1G' } } });

function atTerminal(scope: Parameters<typeof temporaryDirectory>[0], mountpoint: string): Terminal {
  const env = { ...daemon.env, XDG_CONFIG_HOME: temporaryDirectory(scope) };
  const command = [programs.ftpmount, '-p', String(daemon.port), daemon.at('alice'), mountpoint];
  return new Terminal(scope, [process.execPath, ...command], env);
}

t.test('the key, a mistyped password, the right one; the mount outlives the terminal', async (t) => {
  const mountpoint = path.join(temporaryDirectory(t), 'mnt');
  await succeed('mkdir', [mountpoint]);
  t.teardown(() => forceUnmount(mountpoint));
  const terminal = atTerminal(t, mountpoint);
  await terminal.says(/SHA256:\S+/);
  await terminal.says(/\(yes\/no\)\? /);
  terminal.type('yes\r');
  await terminal.says(/Password of alice@127\.0\.0\.1: /);
  t.equal(mountAt(mountpoint), undefined, 'nothing is mounted before the login');
  terminal.type('mistyped\r');
  await terminal.says(/Password of alice/);
  terminal.type(`${passwordOf('alice')}\r`);
  t.strictSame(await terminal.exited, { code: 0, signal: null });
  t.notMatch(terminal.output, passwordOf('alice'));
  await succeed('sh', ['-c', 'echo text > "$1/file" && cat "$1/file"', 'sh', mountpoint]);
  t.match(await runProgram('ftpmount', ['-u', mountpoint]), { code: 0 });
  t.equal(await succeed('cat', [path.join(daemon.home('alice'), 'file')]), 'text\n');
});

t.test('Ctrl-C at the question mounts nothing', async (t) => {
  const mountpoint = temporaryDirectory(t);
  const terminal = atTerminal(t, mountpoint);
  await terminal.says(/\(yes\/no\)\? /);
  terminal.type('\x03');
  t.equal((await terminal.exited).code, 130);
  t.equal(mountAt(mountpoint), undefined);
});

// Last: the server answers ever later after failures.
t.test('three wrong passwords, then a code of its own', async (t) => {
  const mountpoint = temporaryDirectory(t);
  const terminal = atTerminal(t, mountpoint);
  await terminal.says(/\(yes\/no\)\? /);
  terminal.type('yes\r');
  for (let tries = 0; tries < 3; tries++) {
    await terminal.says(/Password of alice/);
    terminal.type('wrong\r');
  }
  await terminal.says(/ftpmount: login of alice@127\.0\.0\.1 failed: /);
  t.equal((await terminal.exited).code, 5);
  t.equal(mountAt(mountpoint), undefined);
});

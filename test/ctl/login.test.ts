/* Logging in as a person and as a script does: host keys, passwords, keys, and what is said when it fails. */
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { nodeAead } from '../../protocol/transport/aead.js';
import { clientFiles } from '../../client/files.js';
import { openSession } from '../../client/open-session.js';
import { parseTarget, resolveEndpoint } from '../../client/target.js';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(60_000);

const daemon = await startDaemon(t, {
  users: { alice: { quota: '1M' }, lily: { quota: '1M' } },
  byPassword: true,
});
const port = ['-p', String(daemon.port)];
// The first login makes the home.
await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]);
fs.writeFileSync(join(daemon.home('alice'), '.keep'), '');

type Scope = Parameters<typeof temporaryDirectory>[0];

/** An environment whose client knows no server and has no key. */
function freshClient(scope: Scope): NodeJS.ProcessEnv {
  return { ...daemon.env, XDG_CONFIG_HOME: temporaryDirectory(scope) };
}

/** setsid: no terminal, whatever the tests themselves run on. */
const withoutTerminal = (args: readonly string[], env: NodeJS.ProcessEnv) =>
  run('setsid', ['-w', process.execPath, programs.ftpctl, ...args], { env });

t.test('a person compares the key, mistypes the password, and is in', async (t) => {
  const env = freshClient(t);
  const terminal = new Terminal(
    t,
    [process.execPath, programs.ftpctl, 'ls', '-a', ...port, daemon.at('alice')],
    env,
  );
  await terminal.says(/SHA256:\S+/);
  await terminal.says(/\(yes\/no\)\? /);
  terminal.type('maybe\r');
  await terminal.says(/type 'yes' or 'no'/);
  terminal.type('yes\r');
  await terminal.says(/Password of alice@127\.0\.0\.1: /);
  terminal.type('mistyped-secret\r');
  await terminal.says(/Wrong user or password/);
  await terminal.says(/Password of alice/);
  terminal.type(`${passwordOf('alice')}\r`);
  await terminal.says(/\.keep/);
  t.strictSame(await terminal.exited, { code: 0, signal: null });
  t.notMatch(terminal.output, 'mistyped-secret', 'nothing of a password is shown');
  t.notMatch(terminal.output, passwordOf('alice'));
  const knownHosts = join(env['XDG_CONFIG_HOME'] ?? '', 'ftpmount/known_hosts');
  t.match(fs.readFileSync(knownHosts, 'utf8'), `127.0.0.1:${daemon.port} ftpmount-x25519 `);

  const second = new Terminal(t, [process.execPath, programs.ftpctl, 'ls', ...port, daemon.at('alice')], env);
  await second.says(/Password of alice/);
  t.notMatch(second.output, /yes\/no/, 'the server is known now');
  second.type('\x03');
  t.equal((await second.exited).code, 130, 'Ctrl-C');
});

t.test('the terminal echoes again, however the question ended', async (t) => {
  const env = freshClient(t);
  const command = `"$0" "$1" ls --accept-new ${port.join(' ')} ${daemon.at('alice')}; stty -a`;
  const terminal = new Terminal(t, ['sh', '-c', command, process.execPath, programs.ftpctl], env);
  await terminal.says(/Password of alice/);
  terminal.type('half\x03');
  await terminal.says(/ftpctl: interrupted/);
  await terminal.says(/ icanon /);
  await terminal.says(/ echo /);
  await terminal.exited;
});

t.test('who can ask nobody says what to do', async (t) => {
  const env = freshClient(t);
  t.match(await withoutTerminal(['ls', ...port, daemon.at('alice')], env), {
    code: 4,
    stderr: /^ftpctl: the key of 127\.0\.0\.1:\d+ is not known \(SHA256:.*\).*--accept-new\n$/,
  });
  t.match(await withoutTerminal(['ls', '--accept-new', ...port, daemon.at('alice')], env), {
    code: 5,
    stderr: /^ftpctl: alice@127\.0\.0\.1 needs a password.*--password-file\n$/,
  });
});

t.test('the password can come from standard input', async (t) => {
  const result = await daemon.ftpctl(
    ['ls', '--accept-new', ...port, '--password-file', '-', daemon.at('alice')],
    {
      input: `${passwordOf('alice')}\n`,
    },
  );
  t.equal(result.code, 0, result.stderr);
});

t.test('with a key that the server knows no password is asked', async (t) => {
  const env = freshClient(t);
  const made = await daemon.ftpctl(['keygen', '--comment', "alice's laptop"], { env });
  t.equal(made.code, 0, made.stderr);
  t.match(made.stdout, /^ftpmount-x25519 \S+ alice's laptop\n$/);
  const path = join(env['XDG_CONFIG_HOME'] ?? '', 'ftpmount/key');
  t.equal(fs.statSync(path).mode & 0o7777, 0o600);
  t.match(await daemon.ftpctl(['keygen'], { env }), { code: 1, stderr: /there is a key in .* already/ });
  t.equal((await daemon.ftpctl(['keygen', '--show'], { env })).stdout, made.stdout);

  const ls = () => withoutTerminal(['ls', '--accept-new', ...port, daemon.at('alice')], env);
  t.match(await ls(), { code: 5 }, 'not known yet');
  t.equal((await daemon.ftpctl(['key', 'add', 'alice', made.stdout.trim()])).code, 0);
  t.match(await ls(), { code: 0 });
  t.match(await withoutTerminal(['ls', ...port, daemon.at('lily')], env), { code: 5 }, 'only for that user');
  t.match(
    (await daemon.ftpctl(['key', 'list', 'alice'])).stdout,
    /^SHA256:\S+ ftpmount-x25519 \S+ alice's laptop\n$/,
  );
  t.match(await daemon.ftpctl(['key', 'add', 'alice', made.stdout.trim()]), {
    code: 1,
    stderr: /has that key already/,
  });
  t.equal((await daemon.ftpctl(['key', 'remove', 'alice', "alice's laptop"])).code, 0);
  t.match(await ls(), { code: 5 }, 'taken away');
  t.match(await daemon.ftpctl(['key', 'remove', 'alice', 'x']), { code: 1, stderr: /no key 'x'/ });
  t.match(await daemon.ftpctl(['key', 'add', 'alice', 'ftpmount-x25519 AAAA']), { code: 2 });

  fs.chmodSync(path, 0o640);
  t.match(
    await ls(),
    { code: 1, stderr: /has mode 0640: a private key must be 0600/ },
    'a key that others can read',
  );
});

t.test('a changed host key is refused', async (t) => {
  const env = freshClient(t);
  const directory = join(env['XDG_CONFIG_HOME'] ?? '', 'ftpmount');
  fs.mkdirSync(directory);
  const other = Buffer.alloc(32, 7).toString('base64');
  fs.writeFileSync(join(directory, 'known_hosts'), `127.0.0.1:${daemon.port} ftpmount-x25519 ${other}\n`, {
    mode: 0o600,
  });
  const result = await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')], { env });
  t.match(result, {
    code: 4,
    stderr: /^ftpctl: THE KEY OF 127\.0\.0\.1:\d+ HAS CHANGED.*known_hosts line 1.*\n$/,
  });
});

t.test('nobody there, something else there, no such host', async (t) => {
  const login = (target: string, toPort: number) =>
    daemon.ftpctl([
      'ls',
      '-p',
      String(toPort),
      '--password-file',
      daemon.passwordFile('alice'),
      '--accept-new',
      target,
    ]);
  const other = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  );
  t.teardown(() => other.close());
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const { port: otherPort } = other.address() as AddressInfo;
  t.match(await login('alice@127.0.0.1', otherPort), {
    code: 3,
    stderr: /^ftpctl: 127\.0\.0\.1:\d+ is not an ftpmount server.*\n$/,
  });
  other.close();
  await once(other, 'close');
  t.match(await login('alice@127.0.0.1', otherPort), {
    code: 3,
    stderr: /^ftpctl: .*refused the connection.*\n$/,
  });
  await t.rejects(
    openSession({
      program: 'test',
      endpoint: {
        ...resolveEndpoint(parseTarget('alice@127.0.0.1:8099'), new Map(), undefined),
        port: otherPort,
      },
      files: clientFiles(daemon.env),
      aead: nodeAead,
    }),
    { kind: 'ECONNREFUSED', message: /If 8099 is its port: -p 8099/ },
  );
  t.match(await login('alice@host.invalid', 1), {
    code: 3,
    stderr: /^ftpctl: cannot find the host host\.invalid.*\n$/,
  });
});

t.test('aliases of the config file', async (t) => {
  const env = freshClient(t);
  const directory = join(env['XDG_CONFIG_HOME'] ?? '', 'ftpmount');
  fs.mkdirSync(directory);
  const config = join(directory, 'config.toml');
  const ls = () =>
    daemon.ftpctl(['ls', '-a', '--accept-new', '--password-file', daemon.passwordFile('alice'), 'home:'], {
      env,
    });
  fs.writeFileSync(
    config,
    `[hosts.home]\nhost = "127.0.0.1"\nport = ${daemon.port}\nuser = "alice"\nsuite = "ChaChaPoly"\n`,
  );
  t.match(await ls(), { code: 0, stdout: /\.keep/ });
  fs.writeFileSync(config, '[hosts.home]\nport = "x"\n');
  t.match(await ls(), {
    code: 2,
    stderr: /^ftpctl: .*config\.toml: 'hosts\.home\.port' must be a whole number.*\n$/,
  });
});

// Last, as the server answers ever later after failures.
t.test('wrong password and unknown user fail alike', async (t) => {
  const file = join(temporaryDirectory(t), 'password');
  fs.writeFileSync(file, 'wrong\n', { mode: 0o600 });
  const ls = (user: string) =>
    daemon.ftpctl(['ls', '--accept-new', ...port, '--password-file', file, daemon.at(user)]);
  const [known, unknown] = [await ls('lily'), await ls('nobody')];
  t.match(known, { code: 5, stderr: 'ftpctl: login of lily@127.0.0.1 failed: wrong user or password\n' });
  t.equal(unknown.code, 5);
  t.equal(unknown.stderr, known.stderr.replace('lily', 'nobody'));
  fs.chmodSync(file, 0o644);
  t.match(await ls('lily'), { code: 1, stderr: /can be read by everybody: chmod 600 it\n$/ });
});

t.test('three wrong passwords, then a code of its own', async (t) => {
  const terminal = new Terminal(
    t,
    [process.execPath, programs.ftpctl, 'ls', '--accept-new', ...port, daemon.at('lily')],
    freshClient(t),
  );
  for (let tries = 0; tries < 3; tries++) {
    await terminal.says(/Password of lily/);
    terminal.type('wrong\r');
  }
  await terminal.says(/ftpctl: login of lily@127\.0\.0\.1 failed: /);
  t.strictSame(await terminal.exited, { code: 5, signal: null });
});

/* ftpmountd's command line: what stops it from starting is one line that says what to do, and an exit code. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Daemon, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs, runProgram } from '../lib/programs.js';
import type { RunOptions } from '../lib/run.js';
import { Service } from '../lib/service.js';

/** Runs ftpmountd, which must refuse to start; returns its line. */
async function refused(
  t: Test,
  args: readonly string[],
  code: number,
  options: RunOptions = {},
): Promise<string> {
  const result = await runProgram('ftpmountd', ['--listen', '127.0.0.1:0', ...args], options);
  t.equal(result.code, code, `exit code of ${args.join(' ')}`);
  t.equal(result.stdout, '');
  t.match(result.stderr, /^ftpmountd: .+\n$/, 'one line');
  return result.stderr;
}

t.test('--help and --version', async (t) => {
  const help = await runProgram('ftpmountd', ['--help']);
  t.equal(help.code, 0);
  for (const word of ['--config', '--listen', '--max-queue', 'Exit codes:', 'SIGHUP', 'FTPMOUNT_STATE']) {
    t.ok(help.stdout.includes(word), word);
  }
  const version = await runProgram('ftpmountd', ['--version']);
  t.equal(version.code, 0);
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

t.test('a wrong command line', async (t) => {
  t.match(await refused(t, ['--frobnicate'], 2), /--frobnicate.*--help/);
  t.match(await refused(t, ['--workers', 'many'], 2), /--workers must be a whole number from 1 to 64/);
  t.match(await refused(t, ['--listen'], 2), /argument missing/);
});

t.test('a wrong configuration', async (t) => {
  const file = join(temporaryDirectory(t), 'daemon.toml');
  writeFileSync(file, 'max-sesions = 3\n');
  t.match(
    await refused(t, ['--config', file], 2),
    new RegExp(`${file}: 'max-sesions' is not known: allowed are `),
  );
  t.match(await refused(t, ['--config', `${file}.none`], 2), /daemon\.toml\.none cannot be read/);
});

t.test('a second daemon on the same state, or the same homes', async (t) => {
  const daemon = await startDaemon(t);
  const elsewhere = temporaryDirectory(t);
  const sameState = await refused(t, ['--state', daemon.state, '--home', elsewhere], 1);
  t.match(
    sameState,
    new RegExp(`another daemon \\(process ${daemon.service.pid}\\) runs on ${daemon.state}: `),
  );
  t.match(
    await refused(t, ['--state', elsewhere, '--home', daemon.homes], 1),
    /another daemon serves the homes/,
  );
});

t.test(
  'a home that is gone is not begun anew as if nothing were, and one that is made again is closed to others',
  async (t) => {
    const daemon = await startDaemon(t, { users: { alice: { quota: '1M' } } });
    const [, port = '', ...login] = daemon.login('alice');
    const made = await daemon.ftpctl(['mkdir', '--port', port, ...login, daemon.at('alice', 'd')]);
    t.equal(made.code, 0, made.stderr);
    await daemon.stop();
    rmSync(daemon.home('alice'), { recursive: true });
    await daemon.start();
    const gone = await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')]);
    t.match(gone, { code: 1, stderr: /the home is gone from the server/ });
    mkdirSync(daemon.home('alice'));
    chmodSync(daemon.home('alice'), 0o2755);
    t.equal((await daemon.ftpctl(['ls', ...daemon.login('alice'), daemon.at('alice')])).code, 0);
    t.equal(statSync(daemon.home('alice')).mode & 0o7777, 0o700);
    t.match(daemon.service.output, /the home was open to others/);
  },
);

t.test('homes that are not where they were', async (t) => {
  const daemon = await startDaemon(t);
  await daemon.stop();
  const elsewhere = temporaryDirectory(t);
  const args = ['--state', daemon.state, '--home', elsewhere];
  t.match(await refused(t, args, 1), /does not hold the homes of this state.*ftpctl adopt/);
  t.equal((await daemon.ftpctl(['adopt', elsewhere])).code, 0);
  t.match(
    await refused(t, ['--state', temporaryDirectory(t), '--home', elsewhere], 1),
    /holds the homes of another state/,
  );
});

t.test('a port in use', async (t) => {
  const daemon = await startDaemon(t);
  const line = await refused(
    t,
    ['--state', temporaryDirectory(t), '--listen', `127.0.0.1:${daemon.port}`],
    1,
  );
  t.match(line, /port \d+ is in use: .*--listen/);
});

t.test('directories that cannot be written', async (t) => {
  // root may write everywhere: be somebody else.
  const nobody = 65534;
  const asRoot = process.geteuid?.() === 0;
  const parent = temporaryDirectory(t, asRoot ? { uid: nobody, gid: nobody } : undefined);
  const readOnly = join(parent, 'read-only');
  const fine = join(parent, 'fine');
  mkdirSync(readOnly);
  mkdirSync(fine);
  chmodSync(readOnly, 0o555);
  chmodSync(fine, 0o777);
  const as: RunOptions = asRoot ? { uid: nobody, gid: nobody, env: { ...process.env, HOME: parent } } : {};
  t.match(
    await refused(t, ['--state', readOnly], 1, as),
    new RegExp(`state directory ${readOnly} cannot be used`),
  );
  const below = join(readOnly, 'state');
  t.match(await refused(t, ['--state', below], 1, as), new RegExp(`state directory ${below} cannot be used`));
  const homes = await refused(t, ['--state', join(fine, 'state'), '--home', readOnly], 1, as);
  t.match(homes, new RegExp(`home directory ${readOnly} cannot be used`));
  t.match(await refused(t, ['--state', '/proc/ftpmount/state'], 1), /cannot be used \(no such file/);
  writeFileSync(join(parent, 'file'), '');
  t.match(await refused(t, ['--state', join(parent, 'file')], 1), /is not a directory/);
});

t.test('--user', async (t) => {
  if (process.geteuid?.() !== 0)
    return void t.match(await refused(t, ['--user', 'root'], 2), /only root can/);
  const nobody = 65534;
  const base = temporaryDirectory(t, { uid: 0, gid: 0 });
  chmodSync(base, 0o755);
  const [state, homes] = [join(base, 'new', 'state'), join(base, 'new', 'state', 'homes')];
  t.match(await refused(t, ['--user', 'no-such-user'], 2), /--user no-such-user: there is no such user/);
  const rootHomes = join(base, 'homes');
  mkdirSync(rootHomes);
  t.match(
    await refused(t, ['--user', 'nobody', '--state', state, '--home', rootHomes], 1),
    new RegExp(`${rootHomes} belongs to uid 0.*chown -R nobody: ${rootHomes}, or say --user root`),
  );
  const args = ['--user', 'nobody', '--listen', '127.0.0.1:0', '--state', state];
  const theirs = join(base, 'theirs');
  mkdirSync(theirs);
  symlinkSync(base, join(theirs, 'link'));
  chownSync(theirs, nobody, nobody);
  const line = await refused(t, [...args, '--home', join(theirs, 'link', 'planted')], 1);
  t.match(line, /home directory .*planted cannot be used/, 'root makes nothing where they could have led it');
  t.notOk(existsSync(join(base, 'planted')));
  const service = new Service(t, process.execPath, [programs.ftpmountd, ...args]);
  await service.says(/^listening on/m);
  const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
  t.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
  t.match(status, /^Gid:\t(\d+)\t\1\t\1\t\1$/m);
  t.match(status, /^CapEff:\t0+$/m, 'nothing of root is left');
  t.not(/^Gid:\t(\d+)/m.exec(status)?.[1], '0');
  t.same(
    [state, homes, join(state, 'server.key')].map((path) => statSync(path).uid),
    [nobody, nobody, nobody],
  );
  service.signal('SIGTERM');
  await service.exited;
  chownSync(join(state, 'state.lmdb'), 0, 0);
  t.match(
    await refused(t, args, 1),
    new RegExp(`${state}/state.lmdb belongs to uid 0.*chown -R nobody: ${state}, or say`),
  );
});

t.test('a state that is open to others', async (t) => {
  const daemon = await startDaemon(t, { users: { alice: { quota: '1M' } } });
  await daemon.stop();
  const database = join(daemon.state, 'state.lmdb');
  const former = join(daemon.state, 'user.log.1');
  writeFileSync(former, '');
  for (const file of [database, former]) chmodSync(file, 0o644);
  chmodSync(daemon.state, 0o775);
  await daemon.start();
  t.same(
    [database, former, daemon.state].map((path) => statSync(path).mode & 0o7777),
    [0o600, 0o600, 0o700],
    'is closed',
  );
  await daemon.stop();
  writeFileSync(join(daemon.state, 'something else'), '');
  chmodSync(daemon.state, 0o755);
  await daemon.start();
  t.equal(statSync(daemon.state).mode & 0o7777, 0o755, 'a directory that holds more is left as it is');
  await daemon.stop();
  chmodSync(daemon.state, 0o775);
  const line = await refused(t, ['--state', daemon.state, '--home', daemon.homes], 1);
  t.match(line, /is writable by others \(mode 775\): chmod go-w/);
});

t.test('parts of the state that are damaged, or not private', async (t) => {
  const daemon = await startDaemon(t);
  await daemon.stop();
  const key = join(daemon.state, 'server.key');
  t.equal(statSync(key).mode & 0o777, 0o600);
  chmodSync(key, 0o644);
  t.match(await refused(t, ['--state', daemon.state, '--home', daemon.homes], 1), /server\.key.*0600/);
  chmodSync(key, 0o600);
  writeFileSync(key, 'no key\n');
  t.match(await refused(t, ['--state', daemon.state, '--home', daemon.homes], 2), /server\.key.*not a key/);
  rmSync(key);

  const control = join(daemon.state, 'control.sock');
  mkdirSync(control);
  t.match(
    await refused(t, ['--state', daemon.state, '--home', daemon.homes], 1),
    /control\.sock is in the way.*remove it/,
  );
  rmdirSync(control);

  const throttle = join(daemon.state, 'throttle.json');
  writeFileSync(throttle, '{');
  await daemon.start();
  t.match(daemon.service.output, /throttle\.json is damaged.*failed logins is lost/);
  await daemon.stop();

  truncateSync(join(daemon.state, 'state.lmdb'), 8192);
  t.match(
    await refused(t, ['--state', daemon.state, '--home', daemon.homes], 1),
    /state\.lmdb is damaged .*restore/,
  );
});

t.test(
  'one line on standard output; the key stays over a restart; a kill leaves nothing in the way',
  async (t) => {
    const daemon = new Daemon(t, {});
    await daemon.start();
    const key = readFileSync(join(daemon.state, 'server.key'), 'utf8');
    await daemon.kill();
    await daemon.start();
    t.equal(readFileSync(join(daemon.state, 'server.key'), 'utf8'), key);
    t.same(await daemon.stop(), { code: 0, signal: null });
    const spoken = daemon.service.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    t.same(spoken, [`listening on 127.0.0.1:${daemon.port}`]);
  },
);

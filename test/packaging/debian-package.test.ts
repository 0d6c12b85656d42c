/*
 * The Debian package and the tarball for npm, made of this build: what is in them, and the programs as they are installed,
 * below a directory that plays the root of a machine.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { SETTING_NAMES } from '../../daemon/config.js';
import { CHECKOUT, readManifest } from '../../packaging/checkout.js';
import { FROM_NODE_MODULES } from '../../packaging/node-modules.js';
import { temporaryDirectory } from '../lib/directory.js';
import { run, succeed } from '../lib/run.js';
import { Service } from '../lib/service.js';

const MAX_BYTES = 10 * 1024 * 1024;
const PACKAGING = fileURLToPath(new URL('../../packaging/main.js', import.meta.url));
const PASSWORD = "alice's password";

if (process.geteuid?.() !== 0) t.plan(0, 'only root installs packages');
else if (!existsSync('/usr/bin/dpkg')) t.plan(0, 'there is no dpkg');
else await test();

async function test(): Promise<void> {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  const made = await succeed(process.execPath, [PACKAGING, directory], { timeoutMs: 120_000 });
  const [deb = '', tarball = ''] = made.trim().split('\n');
  const root = path.join(directory, 'root');
  // Where node is in front, as a user's PATH has it.
  const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}` };
  const at = (place: string): string => path.join(root, place);
  await installPackage(deb, root, env);

  t.test('the package is small, and says what it needs', async (t) => {
    t.ok(statSync(deb).size < MAX_BYTES, `${statSync(deb).size} bytes`);
    t.match(await succeed('dpkg-deb', ['--field', deb, 'Depends']), /nodejs \(>= 20\.19\), fuse3/);
    const contents = await succeed('dpkg-deb', ['--contents', deb]);
    const useless = /musl.*\.node$|node_modules\/fuse-native|ftpmount\/dist\/test|\.map$/;
    t.strictSame(
      contents.split('\n').filter((line) => useless.test(line)),
      [],
    );
  });

  t.test('of libraries that are inside the programs there are the licences', async (t) => {
    const filesOf = (library: string): string[] =>
      readdirSync(at(`usr/lib/ftpmount/node_modules/${library}`)).filter((name) => name !== 'node_modules');
    const libraries = Object.keys(readManifest(CHECKOUT).dependencies ?? {});
    t.ok(libraries.length > 0);
    for (const library of libraries) t.match(filesOf(library).join(' '), /licen[cs]e/i, library);
    for (const library of libraries.filter((one) => FROM_NODE_MODULES.includes(one)))
      t.ok(filesOf(library).includes('package.json'), library);
    // No library that is there to be loaded asks for these.
    for (const library of ['cli-progress', 'commander', 'smol-toml'])
      t.match(filesOf(library).join(' '), /^licen[cs]e(?:\.md)?$/i, library);
  });

  t.test('the programs say their version', async (t) => {
    const { version } = JSON.parse(readFileSync(at('usr/lib/ftpmount/package.json'), 'utf8')) as {
      version: string;
    };
    for (const program of ['ftpmount', 'ftpmountd', 'ftpctl'])
      t.equal(await succeed(at(`usr/bin/${program}`), ['--version'], { env }), `${version}\n`, program);
    t.match(await run(at('usr/sbin/mount.ftpmount'), ['here:', '/', '-f', '-n'], { env }), {
      code: 0,
      stderr: '',
    });
  });

  t.test('each shell finds what completes the commands', async (t) => {
    for (const [shell, place] of [
      ['bash', 'bash-completion/completions/ftpctl'],
      ['zsh', 'zsh/vendor-completions/_ftpctl'],
      ['fish', 'fish/vendor_completions.d/ftpctl.fish'],
    ] as const) {
      const script = await succeed(at('usr/bin/ftpctl'), ['completion', shell], { env });
      t.equal(readFileSync(at(`usr/share/${place}`), 'utf8'), script, shell);
      const ofMount = at(`usr/share/${place.replace('ftpctl', 'ftpmount')}`);
      t.match(readFileSync(ofMount, 'utf8'), /unmount/, shell);
    }
  });

  t.test('man pages tell every option, command and setting', async (t) => {
    const page = (place: string): string =>
      gunzipSync(readFileSync(at(`usr/share/man/${place}.gz`)))
        .toString()
        .replaceAll('\\-', '-');
    t.match(page('man1/ftpmount.1'), /^\.B -p, --port <port>\nport of the server/m);
    t.match(page('man1/ftpmount.1'), /~\/\.local\/state/, 'of whoever reads it');
    t.match(page('man1/ftpctl.1'), /^\.SH FTPCTL PUT\n(?:.*\n)*\.B -r, --recursive\n/m);
    t.match(page('man1/ftpctl.1'), /^\.SH FTPCTL KEY ADD\n/m);
    t.match(page('man8/ftpmountd.8'), /^\.SH EXIT CODES\n\.TP\n\.B 0\n/m);
    const keys = [...page('man5/ftpmountd.toml.5').matchAll(/^\.B (\S+) = /gm)].map(([, key]) => key);
    t.strictSame(keys, SETTING_NAMES);
    t.match(page('man8/mount.ftpmount.8'), /^\.B soft=SECONDS\n/m);
    for (const key of ['master-idle', 'host', 'port', 'user', 'suite', 'source', 'options'])
      t.match(page('man5/ftpmount-config.5'), new RegExp(`^\\\\fB${key}\\b`, 'm'), key);
    t.match(page('man7/ftpmount-protocol.7'), /^\.SH HANDSHAKE\n/m);
  });

  t.test('a user is made by root, the daemon that serves it is not root', async (t) => {
    const state = at('var/lib/ftpmount');
    const { uid, gid } = statSync(state);
    t.not(uid, 0);
    const daemonEnv = { ...env, HOME: state, FTPMOUNT_STATE: state };
    const clientEnv = {
      ...daemonEnv,
      XDG_CONFIG_HOME: directory,
      XDG_STATE_HOME: directory,
      XDG_RUNTIME_DIR: '/dev/null',
    };
    const passwordFile = path.join(directory, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
    const ftpctl = (...args: string[]): Promise<string> =>
      succeed(at('usr/bin/ftpctl'), args, { env: clientEnv });
    const login = ['--password-file', passwordFile];
    await ftpctl('useradd', 'alice', '--quota', '1G', ...login);
    const daemon = new Service(
      t,
      at('usr/bin/ftpmountd'),
      [
        '--config',
        at('etc/ftpmount/ftpmountd.toml'),
        '--listen',
        '127.0.0.1:0',
        '--web-listen',
        '127.0.0.1:0',
      ],
      { env: daemonEnv, uid, gid },
    );
    const [, web = ''] = await daemon.says(/^web page on (http.*)$/m);
    const [, port = ''] = await daemon.says(/^listening on .*:(\d+)$/m);
    await ftpctl('put', '--accept-new', '-p', port, ...login, passwordFile, 'alice@127.0.0.1:file');
    t.equal(await ftpctl('get', '-p', port, ...login, 'alice@127.0.0.1:file', '-'), `${PASSWORD}\n`);
    t.equal((await fetch(new URL('healthz', web))).status, 200);
    await ftpctl('usermod', 'alice', '--quota', '2G');
    t.match(await daemon.stop(), { code: 0 });
    t.equal(await succeed('find', [state, '!', '-uid', String(uid)]), '', 'all of the state is its own');
  });

  const skip = existsSync('/usr/bin/systemd-analyze') ? false : 'there is no systemd';
  t.test('the units are such that systemd takes', { skip }, async (t) => {
    const units = ['system/ftpmountd.service', 'system/ftpmountd.socket', 'user/ftpmount.service'].map(
      (name) => {
        const unit = path.join(directory, path.basename(name));
        const text = readFileSync(at(`usr/lib/systemd/${name}`), 'utf8');
        writeFileSync(unit, text.replaceAll('=/usr/bin/', `=${at('usr/bin/')}`));
        return unit;
      },
    );
    t.match(await run('systemd-analyze', ['verify', '--man=no', ...units]), { code: 0, stderr: '' });
  });

  t.test('without the package the configuration and the homes stay', async (t) => {
    await dpkg(root, env, '--remove', 'ftpmount');
    t.notOk(existsSync(at('usr/lib/ftpmount')));
    t.ok(existsSync(at('etc/ftpmount/ftpmountd.toml')));
    t.ok(existsSync(at('var/lib/ftpmount/homes/alice/file')));
  });

  t.test('the tarball for npm pins what it depends on', async (t) => {
    const files = await succeed('tar', ['-tzf', tarball]);
    t.match(files, /^package\/dist\/programs\/ftpmountd\.cjs$/m);
    t.notMatch(files, /dist\/(?:test|packaging)\/|\.map$/m);
    const shrinkwrap = await succeed('tar', ['-xzOf', tarball, 'package/npm-shrinkwrap.json']);
    t.match(shrinkwrap, /"node_modules\/lmdb"/);
    t.notMatch(shrinkwrap, /typescript|"dev": true/);
  });
}

/** Installs it below `root`, which then has the dpkg database, and the users that the package asks for. */
async function installPackage(deb: string, root: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (const place of ['var/lib/dpkg/updates', 'var/lib/dpkg/info', 'etc', 'tmp'])
    mkdirSync(path.join(root, place), { recursive: true });
  for (const file of ['status', 'available']) writeFileSync(path.join(root, 'var/lib/dpkg', file), '');
  await dpkg(root, env, '--install', deb);
}

/** What it depends on is of the machine, not of the root. */
function dpkg(root: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const forced = ['--force-depends', '--force-script-chrootless', '--force-unsafe-io', '--force-confold'];
  return succeed('dpkg', [`--root=${root}`, ...forced, '--log=/dev/null', ...args], { env });
}

/* Paths through the symbolic links of a home: every command goes where a link leads, and none removes or replaces it by that. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { mountHome } from '../lib/mounted.js';
import type { RunResult } from '../lib/run.js';

t.setTimeout(120_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '64M' } } });
const home = daemon.home('alice');
const local = temporaryDirectory(t);
const ctl = (command: string, ...args: string[]): Promise<RunResult> =>
  daemon.ftpctl([command, ...daemon.login('alice').toSpliced(0, 2, '--port', String(daemon.port)), ...args]);
const at = (path: string): string => daemon.at('alice', path);
t.equal((await ctl('mkdir', at('real'), at('other'))).code, 0);
fs.writeFileSync(join(home, 'real/file'), 'in the home\n');
fs.symlinkSync('real', join(home, 'link'));
fs.symlinkSync('../real/file', join(home, 'other/to-file'));
fs.symlinkSync('/etc', join(home, 'absolute'));
fs.symlinkSync('../..', join(home, 'out'));
fs.writeFileSync(join(local, 'new'), 'from here\n');
const read = (...path: string[]): string => fs.readFileSync(join(...path), 'utf8');

const isLink = (path: string): boolean => fs.lstatSync(join(home, path)).isSymbolicLink();

t.test('reading', async (t) => {
  t.match(await ctl('cat', at('link/file'), at('other/to-file')), {
    code: 0,
    stdout: 'in the home\nin the home\n',
    stderr: '',
  });
  t.match(await ctl('ls', at('link')), { code: 0, stdout: 'file\n' });
  t.match((await ctl('ls', '-l', at('link'))).stdout, / link -> real$/m);
  t.match((await ctl('ls', '-l', at('link/'))).stdout, / file$/m);
  t.match((await ctl('stat', at('link/file'))).stdout, /Size: 12 /);
  t.match((await ctl('md5', at('link/file'))).stdout, /^MD5 \(link\/file\) = [0-9a-f]{32}$/m);
  t.equal((await ctl('get', at('other/to-file'), at('link/file'), local)).code, 0);
  t.equal(read(local, 'to-file'), 'in the home\n', 'a copy, by the name that was asked for');
  t.equal((await ctl('get', '-r', at('link/'), join(local, 'tree'))).code, 0);
  t.equal(read(local, 'tree/file'), 'in the home\n');
  t.equal((await ctl('get', '-r', at('link'), local)).code, 0);
  t.equal(fs.readlinkSync(join(local, 'link')), 'real');
  t.equal((await ctl('get', at('link/file'), '-')).stdout, 'in the home\n');
});

t.test('writing', async (t) => {
  const source = join(local, 'new');
  t.equal((await ctl('put', source, at('link'))).code, 0);
  t.equal(read(home, 'real/new'), 'from here\n', 'into the directory that it leads to');
  t.equal((await ctl('put', source, at('link/named'))).code, 0);
  t.equal((await ctl('put', source, at('other/to-file'))).code, 0);
  t.equal(read(home, 'real/file'), 'from here\n');
  t.equal((await ctl('mkdir', at('link/d'))).code, 0);
  t.equal((await ctl('mkdir', '-p', at('link/e/f'))).code, 0);
  t.ok(fs.statSync(join(home, 'real/e/f')).isDirectory());
  t.equal((await ctl('mv', at('link/named'), at('link/e'))).code, 0);
  t.equal((await ctl('mv', at('link/e/named'), at('link'))).code, 0);
  t.ok(fs.existsSync(join(home, 'real/named')));
  t.equal((await ctl('rmdir', at('link/d'))).code, 0);
  t.equal((await ctl('rm', at('link/new'), at('link/named'))).code, 0);
  t.strictSame(fs.readdirSync(join(home, 'real')).toSorted(), ['e', 'file']);
  t.ok(isLink('link') && isLink('other/to-file'));
});

t.test('mv replaces a link that leads nowhere', async (t) => {
  for (const [name, target] of [
    ['through-a-file', 'real/file/x'],
    ['in-a-circle', 'in-a-circle'],
  ] as const) {
    fs.symlinkSync(target, join(home, name));
    fs.writeFileSync(join(home, 'moved'), name);
    t.match(await ctl('mv', at('moved'), at(name)), { code: 0, stderr: '' }, name);
    t.equal(read(home, name), name);
  }
});

t.test('a link that leads out of the home is refused, and can be removed', async (t) => {
  for (const path of ['absolute/passwd', 'out/x'])
    t.match(await ctl('cat', at(path)), { code: 1, stderr: /symbolic link .* leads out of the home/ });
  t.match(await ctl('put', join(local, 'new'), at('absolute')), { code: 1, stderr: /leads out of the home/ });
  t.equal((await ctl('rm', '-r', at('absolute'), at('out'), at('link'))).code, 0);
  t.ok(fs.existsSync(join(home, 'real/file')), 'and nothing of what it led to');
  fs.symlinkSync('real', join(home, 'link'));
});

t.test('the prompt goes into it, and a mount is of what it leads to', async (t) => {
  const script = join(local, 'script');
  fs.writeFileSync(script, 'cd link\npwd\nls\nls *\n');
  t.match(await ctl('shell', '-b', script, at('')), { code: 0, stdout: '/real\ne\nfile\n' });
  const mounted = await mountHome(t, daemon, 'alice', { remotePath: 'link' });
  t.equal(await mounted.succeed('cat', ['file']), 'from here\n');
});

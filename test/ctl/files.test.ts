/* The commands on files of a home, by the real programs. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { passwordOf, startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import type { RunResult } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(90_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '64M', maxFiles: 3000 } } });
const home = daemon.home('alice');
const ctl = (command: string, ...args: string[]): Promise<RunResult> =>
  daemon.ftpctl([command, ...daemon.login('alice').toSpliced(0, 2, '--port', String(daemon.port)), ...args]);
const at = (path: string): string => daemon.at('alice', path);
// The first login makes the home.
t.equal((await ctl('ls', at(''))).code, 0);

t.test('mkdir, rmdir', async (t) => {
  t.equal((await ctl('mkdir', at('one'), at('/two'))).code, 0);
  t.match(await ctl('mkdir', at('one')), { code: 1, stderr: /^ftpctl: one: / });
  t.match(await ctl('mkdir', at('deep/er')), { code: 1, stderr: /^ftpctl: deep\/er: / });
  t.equal((await ctl('mkdir', '-p', at('deep/er/est'), at('one'))).code, 0);
  t.ok(fs.statSync(join(home, 'deep/er/est')).isDirectory());
  fs.writeFileSync(join(home, 'file'), '');
  t.match(await ctl('mkdir', '-p', at('file/x')), { code: 1 });
  t.match(await ctl('rmdir', at('deep'), at('two')), { code: 1, stderr: /^ftpctl: deep: .*not empty/ });
  t.notOk(fs.existsSync(join(home, 'two')), 'the others are still tried');
  fs.rmSync(join(home, 'file'));
});

t.test('ls', async (t) => {
  const directory = join(home, 'listed');
  fs.mkdirSync(directory);
  fs.writeFileSync(join(directory, 'b file'), 'x'.repeat(1500), { mode: 0o640 });
  fs.utimesSync(join(directory, 'b file'), 1e9, 1e9);
  fs.symlinkSync('b file', join(directory, 'a'));
  fs.writeFileSync(join(directory, '.hidden'), '');
  const raw = Buffer.from([0x63, 0x0a, 0xff]);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), raw]), '');
  t.same(
    (await ctl('ls', at('listed'))).bytes,
    Buffer.concat([Buffer.from('a\nb file\n'), raw, Buffer.from('\n')]),
  );
  t.match((await ctl('ls', '-a', at('listed'))).stdout, /^\.hidden\na\n/);
  const long = (await ctl('ls', '-l', at('listed'))).stdout;
  t.match(long, /^lrwxrwxrwx {2}1 +6 {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}a -> b file$/m);
  t.match(long, /^-rw-r----- {2}1 {2}1500 {2}2001-09-\d\d \d\d:\d\d {2}b file$/m);
  t.match((await ctl('ls', '-lh', at('listed'))).stdout, / 1\.5K /);
  t.match(await ctl('ls', at('listed'), at('none'), at('listed/a')), {
    code: 1,
    stdout: /^listed:\na\nb file\n/,
    stderr: /^ftpctl: none: /,
  });
  const terminal = new Terminal(
    t,
    [process.execPath, programs.ftpctl, 'ls', ...daemon.login('alice'), at('listed')],
    daemon.env,
  );
  await terminal.says(/c\\x0a\\xff/);
  await terminal.exited;
});

t.test('a directory of many pages', async (t) => {
  const directory = join(home, 'many');
  fs.mkdirSync(directory);
  const names = Array.from({ length: 2500 }, (_, n) => `file-${String(n).padStart(4, '0')}`);
  for (const name of names) fs.writeFileSync(join(directory, name), '');
  t.equal((await ctl('ls', at('many'))).stdout, `${names.join('\n')}\n`);
  t.equal((await ctl('rm', '-r', at('many'))).code, 0);
  t.notOk(fs.existsSync(directory));
});

t.test('rm', async (t) => {
  fs.mkdirSync(join(home, 'tree/sub'), { recursive: true });
  fs.writeFileSync(join(home, 'kept'), 'kept');
  fs.symlinkSync('../../kept', join(home, 'tree/sub/link'));
  fs.writeFileSync(join(home, 'tree/file'), '');
  t.match(await ctl('rm', at('tree')), { code: 1, stderr: /^ftpctl: tree: a directory: use -r/ });
  t.match(await ctl('rm', at('none'), at('tree/file')), { code: 1, stderr: /^ftpctl: none: / });
  t.notOk(fs.existsSync(join(home, 'tree/file')));
  t.match(await ctl('rm', '-f', at('none')), { code: 0, stderr: '' });
  t.equal((await ctl('rm', '-r', at('tree'))).code, 0);
  t.notOk(fs.existsSync(join(home, 'tree')));
  t.ok(fs.existsSync(join(home, 'kept')), 'a symlink is not followed');
  t.match(await ctl('rm', '-rf', at('')), { code: 1, stderr: /^ftpctl: the home: it cannot be removed/ });
  t.match(await ctl('rm', '-rf', at('../..')), { code: 1, stderr: /the home/ }, 'never above the home');
});

t.test('patterns', async (t) => {
  const photos = join(home, 'photos');
  const local = temporaryDirectory(t);
  fs.mkdirSync(photos);
  for (const name of ['a.jpg', 'b.jpg', 'c.png', '.d.jpg', '[ab].png', 'b.png'])
    fs.writeFileSync(join(photos, name), name);
  t.equal((await ctl('ls', at('photos/*.jpg'), at('photos/none*'))).stdout, 'photos/a.jpg\nphotos/b.jpg\n');
  t.match(await ctl('get', at('*/[ab].*'), local), { code: 0 });
  t.strictSame(fs.readdirSync(local), ['a.jpg', 'b.jpg', 'b.png']);
  t.match(await ctl('get', at('photos/*.gif'), local), { code: 1, stderr: /^ftpctl: photos\/\*\.gif: / });
  t.match(await ctl('get', at('photos/c*'), '-'), { code: 0, stdout: 'c.png' });
  t.match(await ctl('rm', at('photos/[ab].png')), { code: 0 });
  t.strictSame(
    fs.readdirSync(photos).toSorted(),
    ['.d.jpg', 'a.jpg', 'b.jpg', 'b.png', 'c.png'],
    'as it is spelled',
  );
  const quoted = at(String.raw`photos/\*.jpg`);
  t.match(await ctl('rm', '-f', at('photos/*.gif'), quoted, at('photos/*g')), { code: 0, stderr: '' });
  t.strictSame(fs.readdirSync(photos), ['.d.jpg']);
});

t.test('mv', async (t) => {
  fs.mkdirSync(join(home, 'into'));
  for (const name of ['m1', 'm2', 'm3']) fs.writeFileSync(join(home, name), name);
  t.equal((await ctl('mv', at('m1'), at('renamed'))).code, 0);
  t.equal((await ctl('mv', at('renamed'), at('m2'), at('into'))).code, 0);
  t.strictSame(fs.readdirSync(join(home, 'into')), ['m2', 'renamed']);
  t.match(await ctl('mv', '-n', at('m3'), at('into/m2')), { code: 1, stderr: /^ftpctl: m3: / });
  t.equal((await ctl('mv', at('m3'), at('into/m2'))).code, 0);
  t.equal(fs.readFileSync(join(home, 'into/m2'), 'utf8'), 'm3');
  t.match(await ctl('mv', at('a'), at('b'), at('c')), { code: 1, stderr: /'c' is not a directory/ });
  t.match(await ctl('mv', at('a')), { code: 2 });
});

t.test('cat', async (t) => {
  const content = randomBytes(10 * 1024 * 1024 + 1);
  fs.writeFileSync(join(home, 'large'), content);
  fs.writeFileSync(join(home, 'empty'), '');
  const cat = await ctl('cat', at('large'), at('empty'), at('kept'));
  t.equal(cat.code, 0, cat.stderr);
  t.ok(cat.bytes.equals(Buffer.concat([content, Buffer.from('kept')])));
  t.match(await ctl('cat', at('none'), at('kept')), { code: 1, stdout: 'kept', stderr: /^ftpctl: none: / });
  t.match(await ctl('cat', at('into')), { code: 1, stderr: /^ftpctl: into: .*directory/ });
});

t.test('stat and df', async (t) => {
  fs.chmodSync(join(home, 'kept'), 0o604);
  const text = (await ctl('stat', at('kept'))).stdout;
  t.match(text, /^ {2}Size: 4 .*regular file$/m);
  t.match(text, /^ {2}Mode: 0604 \(-rw----r--\)$/m);
  const { ino, mtimeNs } = fs.statSync(join(home, 'kept'), { bigint: true });
  t.match(JSON.parse((await ctl('stat', '--json', at('kept'))).stdout), {
    path: 'kept',
    type: 'regular file',
    mode: '0604',
    size: 4,
    inode: String(ino),
    modified: `${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`,
  });
  const [, line = ''] = (await ctl('df', at(''))).stdout.split('\n');
  t.match(
    line,
    new RegExp(`^alice@127\\.0\\.0\\.1:${daemon.port} +65536 +\\d+ +\\d+ +\\d+% +3000 +\\d+ +\\d+ +\\d+%$`),
  );
  t.match((await ctl('df', '-h', 'alice@127.0.0.1')).stdout, / 64M /);
});

t.test('a user sees nothing of another', async (t) => {
  await daemon.addUser('lily', { quota: '1M' });
  const lily = (command: string, path: string) =>
    daemon.ftpctl([command, ...daemon.login('lily'), daemon.at('lily', path)]);
  t.equal((await lily('ls', '')).stdout, '');
  t.match(await lily('cat', '../alice/kept'), { code: 1 });
  t.match(await lily('ls', '/../alice'), { code: 1 });
  t.notMatch((await lily('ls', '-a')).stdout, /alice/);
});

t.test('a reader that goes away ends it quietly', async (t) => {
  const terminal = new Terminal(
    t,
    [
      'sh',
      '-c',
      '"$@" | head -c 1',
      'sh',
      process.execPath,
      programs.ftpctl,
      'cat',
      ...daemon.login('alice'),
      at('large'),
    ],
    daemon.env,
  );
  await terminal.exited;
  t.notMatch(terminal.output, /ftpctl:|EPIPE/);
  t.notMatch(terminal.output, passwordOf('alice'));
});

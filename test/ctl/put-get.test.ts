/* put and get between a real ftpctl and a real daemon: what arrives is what was sent, and what fails says so. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startProxy } from '../../bench/proxy.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { programs } from '../lib/programs.js';
import { run } from '../lib/run.js';
import { Terminal } from '../lib/terminal.js';

t.setTimeout(90_000);

const daemon = await startDaemon(t, {
  users: { alice: { quota: '100M', maxFiles: 60 }, lily: { quota: '1M' }, many: { quota: '100M' } },
});
const login = daemon.login('alice');
const home = daemon.home('alice');

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

t.test('a file and back', async (t) => {
  const local = temporaryDirectory(t);
  const content = randomBytes(3 * 1024 * 1024 + 7);
  fs.writeFileSync(join(local, 'big'), content);
  fs.chmodSync(join(local, 'big'), 0o640);
  fs.utimesSync(join(local, 'big'), 1_600_000_000, 1_600_000_000.123_456);
  fs.writeFileSync(join(local, 'empty'), '');

  const put = await daemon.ftpctl([
    'put',
    '--verbose',
    ...login,
    join(local, 'big'),
    join(local, 'empty'),
    daemon.at('alice'),
  ]);
  t.equal(put.code, 0, put.stderr);
  t.match(put.stdout, `MD5 (${local}/big) = ${md5(content)}\n`);
  t.match(put.stdout, `MD5 (${local}/empty) = d41d8cd98f00b204e9800998ecf8427e\n`);
  t.match(put.stderr, `${local}/big: ${content.length} bytes`);
  t.match(put.stderr, /^2 files, 3.0M in /m);
  t.ok(fs.readFileSync(join(home, 'big')).equals(content));
  t.equal(fs.statSync(join(home, 'big')).mode & 0o7777, 0o640);

  for (const name of ['big', 'empty']) fs.rmSync(join(local, name));
  const get = await daemon.ftpctl([
    'get',
    ...login,
    daemon.at('alice', '/big'),
    daemon.at('alice', 'empty'),
    local + '/.',
  ]);
  t.equal(get.code, 0, get.stderr);
  t.match(get.stdout, `big) = ${md5(content)}\n`);
  const [sent, received] = [join(home, 'big'), join(local, 'big')].map((path) =>
    fs.statSync(path, { bigint: true }),
  );
  t.equal(received?.mtimeNs, sent?.mtimeNs, 'mtime, to the nanosecond');
  t.equal(received?.mode, sent?.mode);
  t.strictSame(fs.readdirSync(local).toSorted(), ['big', 'empty'], 'no partial file is left');
});

t.test('what get has reported is on the disk, and so is its name', async (t) => {
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(home, 'to-keep/sub'), { recursive: true });
  for (const name of ['a', 'sub/b']) fs.writeFileSync(join(home, 'to-keep', name), name);
  const trace = join(local, 'trace');
  const calls = ['-f', '-y', '-o', trace, '-e', 'trace=/^rename,fsync,syncfs'];
  const get = [
    process.execPath,
    programs.ftpctl,
    'get',
    '-r',
    ...login,
    daemon.at('alice', 'to-keep'),
    local,
  ];
  t.equal((await run('strace', [...calls, ...get], { env: daemon.env })).code, 0);
  const lines = fs.readFileSync(trace, 'utf8').split('\n');
  const last = lines.findLastIndex((line) => /rename/.test(line));
  t.ok(last > 0);
  // Of several directories of one file system one sync.
  t.match(lines.slice(last).join('\n'), new RegExp(`(fsync|syncfs)\\(\\d+<${local}`));
});

t.test('where things go, as with cp', async (t) => {
  const local = temporaryDirectory(t);
  fs.writeFileSync(join(local, 'a'), 'a');
  fs.writeFileSync(join(local, 'b'), 'b');
  fs.mkdirSync(join(home, 'dir'));
  const put = (...paths: string[]) => daemon.ftpctl(['put', ...login, ...paths], { env: daemon.env });
  const [a, b] = [join(local, 'a'), join(local, 'b')];
  t.equal((await put(a, daemon.at('alice', 'new-name'))).code, 0);
  t.equal(fs.readFileSync(join(home, 'new-name'), 'utf8'), 'a');
  t.equal((await put(a, b, daemon.at('alice', 'dir'))).code, 0);
  t.strictSame(fs.readdirSync(join(home, 'dir')), ['a', 'b']);
  t.match(await put(a, b, daemon.at('alice', 'nowhere')), {
    code: 1,
    stderr: /^ftpctl: 'nowhere' is not a directory/,
  });
  t.match(await put(a, daemon.at('alice', 'nowhere/')), { code: 1, stderr: /not a directory/ });
  t.match(await put(local, daemon.at('alice', 'x')), { code: 1, stderr: /a directory: use -r/ });
  fs.rmSync(join(home, 'dir/b'));
  t.match(await put(join(local, 'missing'), b, daemon.at('alice', 'dir')), {
    code: 1,
    stderr: /^ftpctl: .*missing: no such file or directory$/m,
    stdout: /b\) = /,
  });
  t.match(await put(a), { code: 2, stderr: /^ftpctl: say what to copy/ });
  t.match(await put(a, b), { code: 2, stderr: /is not on a server/ });
  const get = await daemon.ftpctl([
    'get',
    ...login,
    daemon.at('alice', 'dir/a'),
    daemon.at('alice', 'none'),
    local,
  ]);
  t.match(get, { code: 1, stderr: /^ftpctl: none: / });
  t.match(
    await daemon.ftpctl(['get', ...login, daemon.at('alice', 'dir/a'), daemon.at('lily', 'b'), local]),
    {
      code: 2,
      stderr: /the same server/,
    },
  );
});

t.test('small files that find no room here leave nothing', async (t) => {
  if (process.geteuid?.() !== 0) return t.plan(0, 'only root can mount a full disk');
  const local = temporaryDirectory(t);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'none', local]);
  t.teardown(() => execFileSync('umount', ['-l', local]));
  fs.writeFileSync(join(home, 'wide'), randomBytes(40_000));
  t.equal((await daemon.ftpctl(['get', ...login, daemon.at('alice', 'wide'), local])).code, 7);
  t.strictSame(fs.readdirSync(local), []);
  fs.rmSync(join(home, 'wide'));
});

t.test('a tree and back', async (t) => {
  const local = temporaryDirectory(t);
  const tree = join(local, 'tree');
  fs.mkdirSync(join(tree, 'sub/empty'), { recursive: true });
  const strange = Buffer.concat([Buffer.from(`${tree}/sub/new\nline `), Buffer.from([0xff, 0xfe])]);
  fs.writeFileSync(strange, 'strange');
  for (let n = 0; n < 20; n++) fs.writeFileSync(join(tree, `file ${n}`), `content ${n}`);
  fs.symlinkSync('../tree/file 1', join(tree, 'sub/link'));
  fs.symlinkSync('/nonexistent', join(tree, 'dangling'));
  fs.chmodSync(join(tree, 'sub/empty'), 0o500);
  fs.utimesSync(join(tree, 'sub'), 1e9, 1e9);

  const put = await daemon.ftpctl(['put', '-r', ...login, tree, daemon.at('alice')]);
  t.equal(put.code, 0, put.stderr);
  t.match(put.stderr, /^21 files, /m);
  t.equal((await run('diff', ['-r', '--no-dereference', tree, join(home, 'tree')])).stdout, '');

  const get = await daemon.ftpctl(['get', '-r', ...login, daemon.at('alice', 'tree'), join(local, 'copy')]);
  t.equal(get.code, 0, get.stderr);
  t.equal((await run('diff', ['-r', '--no-dereference', tree, join(local, 'copy/tree')])).stdout, '');
  t.equal(fs.statSync(join(local, 'copy/tree/sub')).mtimeMs, 1e12);
  t.equal(fs.statSync(join(local, 'copy/tree/sub/empty')).mode & 0o777, 0o500);

  const again = await daemon.ftpctl([
    'put',
    '-r',
    '--quiet',
    ...login,
    `${tree}/.`,
    daemon.at('alice', 'tree'),
  ]);
  t.match(again, { code: 0, stdout: '', stderr: '' }, 'over what is there, saying nothing');
  t.notOk(fs.existsSync(join(home, 'tree/tree')));
});

t.test('where trees go, as with rsync, and the same the second time', async (t) => {
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(local, 'photos'));
  for (const name of ['a', 'b']) fs.writeFileSync(join(local, 'photos', name), name);
  const put = (source: string, to: string) =>
    daemon.ftpctl(['put', '-r', ...login, source, daemon.at('alice', to)]);
  const get = (from: string, target: string) =>
    daemon.ftpctl(['get', '-r', ...login, daemon.at('alice', from), target]);
  const found = async (directory: string): Promise<string[]> =>
    (await run('find', ['.', '-type', 'f'], { cwd: directory })).stdout
      .split('\n')
      .filter(Boolean)
      .toSorted();
  for (const told of [/^2 files, /m, /^2 files are there already/m]) {
    t.match(await put(join(local, 'photos'), 'archive'), { code: 0, stderr: told });
    t.same(await found(join(home, 'archive')), ['./photos/a', './photos/b']);
    t.match(await put(`${local}/photos/`, 'contents'), { code: 0, stderr: told });
    t.same(await found(join(home, 'contents')), ['./a', './b']);
    t.match(await get('archive', join(local, 'got')), { code: 0, stderr: told });
    t.same(await found(join(local, 'got')), ['./archive/photos/a', './archive/photos/b']);
    t.match(await get('archive/photos/', join(local, 'flat')), { code: 0, stderr: told });
    t.same(await found(join(local, 'flat')), ['./a', './b']);
  }
  const anew = await daemon.ftpctl([
    ...['put', '-r', '--no-resume', ...login],
    ...[join(local, 'photos'), daemon.at('alice', 'archive')],
  ]);
  t.match(anew, { code: 0, stderr: /^2 files, /m }, 'sent anew where that is asked for');
  for (const directory of ['archive', 'contents']) fs.rmSync(join(home, directory), { recursive: true });
});

t.test('what is replaced keeps its mode, what is as it was is left alone', async (t) => {
  const local = temporaryDirectory(t);
  const [file, target] = [join(local, 'secret'), join(home, 'secret')];
  const put = () => daemon.ftpctl(['put', ...login, file, daemon.at('alice')]);
  fs.writeFileSync(target, 'former text', { mode: 0o600 });
  fs.writeFileSync(file, 'latter', { mode: 0o644 });
  t.equal((await put()).code, 0);
  t.equal(fs.readFileSync(target, 'utf8'), 'latter');
  t.equal(fs.statSync(target).mode & 0o7777, 0o600);
  const { ino } = fs.statSync(target);
  t.match(await put(), { code: 0, stdout: '', stderr: /^1 file is there already/ });
  t.equal(fs.statSync(target).ino, ino);
  fs.writeFileSync(file, 'longer than before');
  fs.chmodSync(file, 0o640);
  const get = await daemon.ftpctl(['get', ...login, daemon.at('alice', 'secret'), local]);
  t.equal(get.code, 0, get.stderr);
  t.equal(fs.readFileSync(file, 'utf8'), 'latter');
  t.equal(fs.statSync(file).mode & 0o7777, 0o640);
});

t.test('a file that does not tell its size is sent as far as it can be read', async (t) => {
  const put = await daemon.ftpctl(['put', ...login, '/proc/version', daemon.at('alice')]);
  t.equal(put.code, 0, put.stderr);
  t.ok(fs.readFileSync(join(home, 'version')).equals(fs.readFileSync('/proc/version')));
});

t.test('many small files and some large ones, there and back, and no partial file is left', async (t) => {
  const local = temporaryDirectory(t);
  const tree = join(local, 'tree');
  fs.mkdirSync(join(tree, 'sub'), { recursive: true });
  for (let n = 0; n < 700; n++) {
    const bytes = n % 100 === 0 ? 70_000 + n : n % 7 === 0 ? 60_000 : n;
    fs.writeFileSync(join(tree, n % 2 === 0 ? 'sub' : '.', `f${n}`), randomBytes(bytes));
  }
  const copy = daemon.at('many', 'to');
  const put = await daemon.ftpctl(['put', '-r', '--json', ...daemon.login('many'), tree, copy]);
  t.equal(put.code, 0, put.stderr);
  const told = put.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  t.equal(told.length, 700);
  for (const { path, md5: sum } of told) t.equal(sum, md5(fs.readFileSync(path ?? '')));
  t.equal((await run('diff', ['-r', tree, join(daemon.home('many'), 'to/tree')])).stdout, '');
  const get = await daemon.ftpctl([
    'get',
    '-r',
    '-q',
    ...daemon.login('many'),
    `${copy}/tree`,
    join(local, 'got'),
  ]);
  t.match(get, { code: 0, stdout: '', stderr: '' });
  t.equal((await run('diff', ['-r', tree, join(local, 'got/tree')])).stdout, '', 'and nothing else is there');
  t.match(await daemon.ftpctl(['quota', 'check', 'many']), { code: 0, stdout: /: right$/m });
});

t.test('special files are told and skipped', async (t) => {
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(local, 'special'));
  fs.writeFileSync(join(local, 'special/file'), 'x');
  await run('mkfifo', [join(local, 'special/fifo')]);
  const put = await daemon.ftpctl(['put', '-r', ...login, join(local, 'special'), daemon.at('alice')]);
  t.match(put, { code: 1, stderr: /fifo: neither a file, a directory nor a symlink: skipped/ });
  t.strictSame(fs.readdirSync(join(home, 'special')), ['file']);
  const get = await daemon.ftpctl([
    'get',
    ...login,
    daemon.at('alice', 'special/file'),
    join(local, 'special/fifo'),
  ]);
  t.match(get, { code: 1, stderr: /fifo is a device, FIFO or socket here: remove it first/ });
  t.ok(fs.statSync(join(local, 'special/fifo')).isFIFO(), 'and are not replaced');
});

t.test('JSON, one object a file', async (t) => {
  const local = temporaryDirectory(t);
  fs.writeFileSync(join(local, 'j'), 'json');
  const put = await daemon.ftpctl(['put', '--json', ...login, join(local, 'j'), daemon.at('alice')]);
  t.equal(put.stderr, '');
  const told = JSON.parse(put.stdout) as Record<string, unknown>;
  t.strictSame(
    { ...told, seconds: 0 },
    { path: join(local, 'j'), bytes: 4, md5: md5(Buffer.from('json')), seconds: 0, resumedAt: 0 },
  );
  t.type(told['seconds'], 'number');
});

t.test('the quota is told, and what fits is kept', async (t) => {
  const local = temporaryDirectory(t);
  fs.writeFileSync(join(local, 'small'), 'x');
  fs.writeFileSync(join(local, 'too-big'), Buffer.alloc(2 * 1024 * 1024));
  const args = [join(local, 'small'), join(local, 'too-big'), daemon.at('lily')];
  const put = await daemon.ftpctl(['put', ...daemon.login('lily'), ...args]);
  t.equal(put.code, 7);
  t.match(put.stderr, /^ftpctl: .*too-big: .*quota/m);
  t.ok(fs.existsSync(join(daemon.home('lily'), 'small')));
  t.notOk(fs.existsSync(join(daemon.home('lily'), 'too-big')));
  t.match(await daemon.ftpctl(['quota', 'check', 'lily']), { code: 0, stdout: /^lily: .*: right$/m });
});

t.test('--inplace writes into the file that is there, where both have no room', async (t) => {
  const local = temporaryDirectory(t);
  const [source, target] = [join(local, 'f'), join(daemon.home('lily'), 'f')];
  const put = (...options: string[]) =>
    daemon.ftpctl(['put', ...daemon.login('lily'), ...options, source, daemon.at('lily', 'f')]);
  const content = randomBytes(900_000);
  fs.writeFileSync(target, Buffer.alloc(800_000, 'old'), { mode: 0o640 });
  fs.linkSync(target, join(daemon.home('lily'), 'other'));
  t.match(await daemon.ftpctl(['quota', 'check', '--repair', 'lily']), { code: 0 });
  for (const [options, size] of [
    [[], content.length],
    [['--inplace'], 2_000_000],
  ] as const) {
    fs.writeFileSync(source, content.subarray(0, size));
    fs.truncateSync(source, size);
    t.match(await put(...options), { code: 7, stderr: options.length === 0 ? /--inplace/ : /quota/ });
    t.ok(fs.readFileSync(target).equals(Buffer.alloc(800_000, 'old')));
  }
  fs.writeFileSync(source, content);
  t.match(await put('--inplace'), { code: 0, stdout: md5(content) });
  t.ok(fs.readFileSync(join(daemon.home('lily'), 'other')).equals(content));
  t.equal(fs.statSync(target).mode & 0o7777, 0o640);
  t.match(await put('--inplace'), { code: 0, stderr: /^1 file is there already/ });
  t.match(await daemon.ftpctl(['quota', 'check', 'lily']), { code: 0, stdout: /^lily: .*: right$/m });
});

t.test('a get does not write through symlinks of the server, nor give its files special bits', async (t) => {
  const local = temporaryDirectory(t);
  const outside = temporaryDirectory(t);
  fs.mkdirSync(join(home, 'trap/inner'), { recursive: true });
  fs.writeFileSync(join(home, 'trap/inner/file'), 'x');
  fs.chmodSync(join(home, 'trap/inner/file'), 0o4755);
  fs.mkdirSync(join(local, 'trap'));
  fs.symlinkSync(outside, join(local, 'trap/inner'));
  const get = await daemon.ftpctl(['get', '-r', ...login, daemon.at('alice', 'trap'), local]);
  t.match(get, { code: 1, stderr: /inner is not a directory here/ });
  t.strictSame(fs.readdirSync(outside), []);
  fs.rmSync(join(local, 'trap/inner'));
  t.equal((await daemon.ftpctl(['get', '-r', ...login, daemon.at('alice', 'trap'), local])).code, 0);
  t.equal(fs.statSync(join(local, 'trap/inner/file')).mode & 0o7777, 0o755);
});

t.test('bars on a terminal, one for each large file', async (t) => {
  // A line so long that the transfer takes several frames.
  const proxy = await startProxy(t, daemon.port, 150);
  const far = login.toSpliced(1, 1, String(proxy.port));
  const local = temporaryDirectory(t);
  for (const name of ['first', 'second'])
    fs.writeFileSync(join(local, name), Buffer.alloc(24 * 1024 * 1024, name));
  const terminal = new Terminal(
    t,
    [
      'sh',
      '-c',
      'cd "$1"; shift; exec "$@"',
      'sh',
      local,
      process.execPath,
      programs.ftpctl,
      'put',
      '-v',
      ...far,
      'first',
      'second',
      daemon.at('alice'),
    ],
    daemon.env,
  );
  t.equal((await terminal.exited).code, 0, terminal.output);
  for (const name of ['first', 'second']) {
    t.match(terminal.output, new RegExp(`${name} +\\[[=-]{24}\\] +\\d+% of 24M`));
    const sum = md5(Buffer.alloc(24 * 1024 * 1024, name));
    t.match(terminal.output, `/s, MD5 ${sum}\x1b[K`, 'and clears what is left of a bar');
  }
  t.match(terminal.output, /\[=+-*\] +\d+% of 24M {2}[0-9.]+M\/s {2}ETA \d+:\d\d/);
  const bars = terminal.output.split('\x1b').filter((text) => /\[[=-]+\] .*ETA/.test(text));
  t.ok(bars.length > 0 && bars.every((bar) => bar.length <= 80 + '[0G'.length), 'nothing is cut off');
  t.match(terminal.output, /2 files, 48M in /);
  t.notMatch(terminal.output, '\x1b[?7l', 'a line longer than the screen is seen whole');
});

t.test('of many files a terminal shows the sum, of a single one its MD5', async (t) => {
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(local, 'few'));
  for (let n = 0; n < 20; n++) fs.writeFileSync(join(local, 'few', `f${n}`), `${n}`);
  const put = async (...args: string[]): Promise<string> => {
    const to = [...daemon.login('many'), ...args, daemon.at('many')];
    const command = [process.execPath, programs.ftpctl, 'put', ...to];
    const terminal = new Terminal(t, command, daemon.env);
    t.equal((await terminal.exited).code, 0, terminal.output);
    return terminal.output;
  };
  const many = await put('-r', join(local, 'few'));
  t.match(many, /20 files, 30 in /);
  t.notMatch(many, /MD5|f19|%/);
  t.match(
    await put(join(local, 'few/f0')),
    /MD5 \(.*f0\) = cfcd208495d565ef66e7dff9f98764da\r\n.*f0: 1 bytes/,
  );
});

/* What put and get would copy, leave out and find the same, between a real ftpctl and a real daemon. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { run, type RunResult } from '../lib/run.js';

t.setTimeout(90_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '64M' } } });
const home = daemon.home('alice');
const login = daemon.login('alice');
const SAME_TIME = 1_000_000_000;

const ctl = (cwd: string, command: string, ...args: string[]): Promise<RunResult> =>
  daemon.ftpctl([command, ...login, ...args], { cwd });

/** Makes files, each with its content and the same time; a name that ends with a slash is a directory. */
function make(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    fs.mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) continue;
    fs.writeFileSync(path, content);
    fs.utimesSync(path, SAME_TIME, SAME_TIME);
  }
}

/** All that is below a directory, in order. */
function found(directory: string): string[] {
  return fs.readdirSync(directory, { recursive: true }).map(String).toSorted();
}

/** A directory here, and its name in the home: each of a test of its own. */
function places(t: Test, name: string): { local: string; at: string; there: string } {
  return { local: temporaryDirectory(t), at: daemon.at('alice', name), there: join(home, name) };
}

const LARGE = 'x'.repeat(70_000);

t.test('what is excluded is not copied, nor looked into, either way', async (t) => {
  const { local, at, there } = places(t, 'excluded');
  make(local, {
    ...{ 'tree/a.c': '', 'tree/a.o': '', 'tree/keep.o': '', 'tree/sub/b.o': '', 'tree/sub/c.c': '' },
    ...{ 'tree/tmp/x.c': '', 'tree/sub/tmp/y.c': '', 'tree/node_modules/deep/z.c': '' },
  });
  await run('mkfifo', [join(local, 'tree/node_modules/told-if-it-is-seen')]);
  const rules = ['--include', 'keep.o', '--exclude', '*.o', '--exclude=/tree/tmp', '--exclude=node_modules/'];
  t.match(await ctl(local, 'put', '-r', ...rules, 'tree', at), { code: 0, stderr: /^4 files/m });
  const kept = ['a.c', 'keep.o', 'sub', 'sub/c.c', 'sub/tmp', 'sub/tmp/y.c'];
  t.same(found(join(there, 'tree')), kept);
  make(there, { 'tree/b.o': '', 'tree/tmp/x.c': '' });
  const back = await ctl(local, 'get', '-r', ...rules.slice(0, 4), '--exclude=/tmp', `${at}/tree/`, 'back');
  t.equal(back.code, 0, back.stderr);
  t.same(found(join(local, 'back')), kept);
  t.match(await ctl(local, 'put', '--exclude', '/', 'tree', at), { code: 2, stderr: /'\/' is no pattern/ });
});

t.test('a dry run says what would be copied and made, and changes nothing', async (t) => {
  const { local, at, there } = places(t, 'dry');
  make(local, { 'tree/new': 'new', 'tree/old': 'old', 'tree/sub/large': LARGE });
  fs.symlinkSync('new', join(local, 'tree/link'));
  make(there, { 'tree/old': 'old', 'tree/keep': '' });
  const before = found(there);
  const put = await ctl(local, 'put', '-rnv', 'tree', at);
  t.match(put, { code: 0, stderr: /^4 to copy or make, 68K: nothing was changed\n1 file is there already/m });
  const told = put.stdout.trim().split('\n').toSorted();
  t.same(told, ['copy tree/new', 'copy tree/sub/large', 'make tree/link', 'make tree/sub', 'skip tree/old']);
  t.same(found(there), before);
  const get = await ctl(local, 'get', '-rn', `${at}/tree`, 'new-directory');
  t.same(get.stdout.trim().split('\n').toSorted(), [
    ...['copy new-directory/tree/keep', 'copy new-directory/tree/old'],
    ...['make new-directory', 'make new-directory/tree'],
  ]);
  t.same(
    found(local),
    found(local).filter((name) => name.startsWith('tree')),
  );
  const json = await ctl(local, 'put', '-n', '--json', 'tree/new', at);
  t.strictSame(JSON.parse(json.stdout), { path: 'tree/new', kind: 'file', bytes: 3, finding: 'copy' });
});

t.test('by MD5, size and time say nothing', async (t) => {
  const { local, at, there } = places(t, 'checksum');
  make(local, { 'd/same': LARGE, 'd/touched': 'text', 'd/other': 'abc' });
  make(there, { 'd/same': LARGE, 'd/touched': 'text', 'd/other': 'xyz' });
  fs.utimesSync(join(there, 'd/touched'), 1, 1);
  t.match(await ctl(local, 'put', '-rn', 'd', at), { stdout: 'copy d/touched\n' }, 'by size and time');
  t.match(await ctl(local, 'put', '-rnc', 'd', at), { stdout: 'copy d/other\n' });
  t.match(await ctl(local, 'get', '-rnc', `${at}/d/`, 'd'), { stdout: 'copy d/other\n' });
  const put = await ctl(local, 'put', '-rc', 'd', at);
  t.match(put, { code: 0, stdout: /^MD5 \(d\/other\) = \w+\n$/, stderr: /^2 files .*the same MD5$/m });
  t.equal(fs.readFileSync(join(there, 'd/other'), 'utf8'), 'abc');
  t.match(await ctl(local, 'put', '-c', '-', at), { code: 2, stderr: /nothing can be compared with '-'/ });
});

t.test('verify tells what differs or is missing, by a code of its own', async (t) => {
  const { local, at, there } = places(t, 'verify');
  const files = { 'd/same': LARGE, 'd/bits': 'abc', 'd/size': 'abc', 'd/sub/none': '' };
  make(local, files);
  make(there, { ...files, 'd/bits': 'xyz', 'd/size': 'ab', 'd/more': '' });
  for (const [side, target] of [
    [local, 'here'],
    [there, 'there'],
  ] as const) {
    fs.symlinkSync(target, join(side, 'd/link'));
    fs.symlinkSync('same', join(side, 'd/same-link'));
  }
  fs.rmSync(join(there, 'd/sub'), { recursive: true });
  const put = await ctl(local, 'put', '-r', '--verify', 'd', at);
  t.match(put, { code: 8, stderr: /^5 differ or are missing\n1 file is there already, with the same MD5/m });
  const told = put.stdout.trim().split('\n').toSorted();
  t.same(told, [
    ...['differs d/bits', 'differs d/link', 'differs d/size'],
    ...['missing d/sub', 'missing d/sub/none'],
  ]);
  const get = await ctl(local, 'get', '-r', '--verify', '--exclude=size', `${at}/d`, '.');
  t.equal(get.code, 8, get.stderr);
  t.same(get.stdout.trim().split('\n').toSorted(), [
    ...['differs ./d/bits', 'differs ./d/link', 'missing ./d/more'],
  ]);
  t.notOk(fs.existsSync(join(local, 'd/more')));
  t.match(await ctl(local, 'put', '--verify', 'd/same', `${at}/d`), { code: 0, stdout: '' });
  const shell = await daemon.ftpctl(['shell', ...login, at], { cwd: local, input: 'put -r --verify d\n' });
  t.match(shell, { code: 8, stdout: put.stdout.split('\n')[0] });
});

t.test('md5', async (t) => {
  const { local, at, there } = places(t, 'md5');
  make(there, { file: LARGE, empty: '' });
  const line = (name: string, content: string): string =>
    `MD5 (md5/${name}) = ${createHash('md5').update(content).digest('hex')}\n`;
  t.match(await ctl(local, 'md5', `${at}/file`, `${at}/none`, at, `${at}/empty`), {
    code: 1,
    stdout: line('file', LARGE) + line('empty', ''),
    stderr: /^ftpctl: md5\/none: .*\nftpctl: md5: .*directory/,
  });
});

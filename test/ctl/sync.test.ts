/* ftpctl sync in both directions: the destination becomes as the source is, and nothing else is touched. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { getXattr, listXattrs, removeXattr, setXattr } from '../../posix/xattrs.js';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import { run, type RunResult } from '../lib/run.js';

t.setTimeout(120_000);

const daemon = await startDaemon(t, {
  users: { alice: { quota: '128M' }, lily: { quota: '72000' } },
});
const login = daemon.login('alice');

const SAME_TIME = 1_000_000_000;

/** What is at a path: the content of a file, what a symlink leads to, nothing for a directory (its path ends with a slash). */
type Tree = Readonly<Record<string, string | { readonly link: string } | null>>;

/** Two directories, of which one is in the home. */
interface Sides {
  readonly source: string;
  readonly destination: string;
  /** Beside the destination: nothing may ever come of it. */
  readonly outside: string;
  sync(...options: string[]): Promise<RunResult>;
}

function make(directory: string, tree: Tree): void {
  fs.mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(tree)) {
    const path = join(directory, name);
    fs.mkdirSync(content === null ? path : dirname(path), { recursive: true });
    if (content === null) continue;
    if (typeof content === 'string') {
      fs.writeFileSync(path, content);
      fs.utimesSync(path, SAME_TIME, SAME_TIME);
    } else fs.symlinkSync(content.link, path);
  }
}

/** What `make` makes; names in Latin-1, so that each byte is compared. */
function found(directory: string): Tree {
  return Object.fromEntries(foundBelow(Buffer.from(directory), '').toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function foundBelow(directory: Buffer, prefix: string): [string, Tree[string]][] {
  return fs.readdirSync(directory, { encoding: 'buffer' }).flatMap((name) => {
    const path = Buffer.concat([directory, Buffer.from('/'), name]);
    const shown = `${prefix}${name.toString('latin1')}`;
    const status = fs.lstatSync(path);
    if (status.isDirectory()) return [[`${shown}/`, null], ...foundBelow(path, `${shown}/`)];
    return [
      [shown, status.isSymbolicLink() ? { link: fs.readlinkSync(path) } : fs.readFileSync(path, 'utf8')],
    ];
  });
}

/** Runs a test once to the home and once from it. */
function bothWays(name: string, test: (t: Test, sides: Sides) => Promise<void>): void {
  for (const direction of ['put', 'get']) {
    void t.test(`${name}: ${direction}`, async (t) => {
      const local = temporaryDirectory(t);
      const place = `${direction} ${name}`;
      const [here, there] = [join(local, 'side'), join(daemon.home('alice'), place, 'side')];
      const [source, destination] = direction === 'put' ? [here, there] : [there, here];
      const outside = join(dirname(destination), 'outside');
      make(outside, { kept: 'kept' });
      make(dirname(source), {});
      const remote = daemon.at('alice', `${place}/side`);
      const operands = direction === 'put' ? [here, remote] : [remote, here];
      const sync = (...options: string[]): Promise<RunResult> =>
        daemon.ftpctl(['sync', ...login, ...options, ...operands]);
      await test(t, { source, destination, outside, sync });
      t.same(found(outside), { kept: 'kept' });
    });
  }
}

const SAME: Tree = { a: 'aa', 'd/b': 'b', 'd/e/': null, link: { link: 'a' } };

bothWays('copies what is missing, and skips what is the same', async (t, { source, destination, sync }) => {
  make(source, { ...SAME, '-r': 'dash', ' \n"\\': 'odd', 'umläut/\u{1f600}': 'wide' });
  fs.writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0x80])]), 'no UTF-8');
  make(destination, { 'd/only-there': 'x' });
  t.match(await sync(), { code: 0, stderr: /^6 files/m });
  t.same(found(destination), { ...found(source), 'd/only-there': 'x' });
  t.match(await sync('--delete'), {
    code: 0,
    stderr: /^deleted .*side\/d\/only-there$\n^6 files are there already/m,
  });
  t.same(found(destination), found(source));
});

bothWays('deletes trees and links, and never what links lead to', async (t, sides) => {
  const { source, destination, outside, sync } = sides;
  make(source, SAME);
  make(destination, {
    'gone/deep/er/file': 'x',
    'gone/out': { link: outside },
    out: { link: outside },
    'd/no': '',
  });
  fs.writeFileSync(Buffer.concat([Buffer.from(`${destination}/gone/`), Buffer.from([0xff])]), '');
  const done = await sync('--delete', '--json');
  t.equal(done.code, 0, done.stderr);
  t.equal(done.stdout.match(/"deleted":true/g)?.length, 8);
  t.same(found(destination), found(source));
});

bothWays('keeps what is excluded', async (t, { source, destination, sync }) => {
  make(source, { ...SAME, 'new.o': 'not copied' });
  make(destination, {
    'old.o': '',
    'd/x.o': '',
    'gone/y.o': '',
    'gone/x': '',
    'gone/empty/': null,
    'tmp/z': '',
  });
  t.match(await sync('--delete', '--exclude=*.o', '--exclude=/tmp/'), { code: 0 });
  t.same(Object.keys(found(destination)), [
    ...['a', 'd/', 'd/b', 'd/e/', 'd/x.o', 'gone/', 'gone/y.o', 'link', 'old.o', 'tmp/', 'tmp/z'],
  ]);
});

bothWays('what is something else is replaced', async (t, { source, destination, outside, sync }) => {
  make(source, {
    ...{ file: 'f', 'directory/in': 'i', link: { link: 'x' }, f2: '2' },
    ...{ 'over-link/sub/in': 'i', 'over-file/in': 'i' },
  });
  make(destination, {
    ...{ 'over-link': { link: outside }, 'over-file': 'was a file', f2: { link: outside } },
    ...{ 'file/in/side': 'was a tree', 'link/in': 'was a tree' },
  });
  const before = found(destination);
  const planned = await sync('--delete', '-n');
  t.match(planned, { code: 0, stderr: /^10 to copy or make, 5, 5 to delete: nothing was changed$/m });
  t.match(planned.stdout, /^delete .*side\/file\/in\/side$/m);
  t.same(found(destination), before);
  const kept = await sync();
  t.match(kept, { code: 1, stderr: /file: .*--delete removes it/ });
  t.match(kept.stderr, /link: .*--delete removes it/);
  t.same(found(destination), {
    ...{ 'directory/': null, 'directory/in': 'i', f2: '2', 'over-file/': null, 'over-file/in': 'i' },
    ...{ 'over-link/': null, 'over-link/sub/': null, 'over-link/sub/in': 'i' },
    ...{ 'file/': null, 'file/in/': null, 'file/in/side': 'was a tree' },
    ...{ 'link/': null, 'link/in': 'was a tree' },
  });
  const blocked = await sync('--delete', '--exclude=side');
  t.match(blocked, { code: 1, stderr: /file: / });
  t.match(await sync('--delete'), { code: 0 });
  t.same(found(destination), found(source));
});

bothWays(
  'nothing is deleted where something could not be copied',
  async (t, { source, destination, sync }) => {
    make(source, SAME);
    await run('mkfifo', [join(source, 'fifo')]);
    make(destination, { only: '' });
    t.match(await sync('--delete'), { code: 1, stderr: /fifo: .*skipped\n(?:.*\n)*.*nothing was deleted/ });
    t.same(found(destination), { ...SAME, 'd/': null, only: '' });
  },
);

bothWays('an empty source empties nothing, unless it may', async (t, { source, destination, sync }) => {
  make(source, {});
  make(destination, { a: 'a', 'b/c': 'c' });
  const before = found(destination);
  t.match(await sync('--delete'), { code: 1, stderr: /source is empty.*--allow-empty/ });
  t.same(found(destination), before);
  t.match(await sync('--delete', '--allow-empty'), { code: 0 });
  t.same(found(destination), {});
});

bothWays('modes of what is there stay, unless they are preserved', async (t, sides) => {
  const { source, destination, sync } = sides;
  make(source, { same: 'same', changed: 'after', 'd/in': '' });
  fs.cpSync(source, destination, { recursive: true, preserveTimestamps: true });
  make(destination, { changed: 'before this' });
  const names = ['same', 'changed', 'd', 'd/in'];
  for (const name of names) fs.chmodSync(join(destination, name), name === 'd' ? 0o700 : 0o600);
  for (const name of names) fs.chmodSync(join(source, name), name === 'd' ? 0o755 : 0o644);
  fs.utimesSync(join(source, 'd'), 1_000_000_000, 1_000_000_000.5);
  const modes = (): number[] => names.map((name) => fs.statSync(join(destination, name)).mode & 0o7777);
  t.match(await sync(), { code: 0, stderr: /^2 files are there already/m });
  t.same(modes(), [0o600, 0o600, 0o700, 0o600]);
  make(source, { changed: 'once more' });
  t.equal((await sync('--preserve')).code, 0);
  t.same(modes(), [0o644, 0o644, 0o755, 0o644]);
  t.equal(fs.statSync(join(destination, 'd')).mtimeMs, 1_000_000_000_500);
  t.same(found(destination), found(source));
});

bothWays('hard links are kept where they are asked for', async (t, { source, destination, sync }) => {
  const names = ['a', 'd/b', 'd/c'];
  make(source, { a: 'one file', alone: 'alone', 'd/': null });
  for (const name of names.slice(1)) fs.linkSync(join(source, 'a'), join(source, name));
  fs.cpSync(source, destination, { recursive: true, preserveTimestamps: true });
  const files = (): number => new Set(names.map((name) => fs.statSync(join(destination, name)).ino)).size;
  t.equal(files(), 3);
  t.match(await sync('-H'), { code: 0, stderr: /^2 files are there already/ });
  t.equal(files(), 1);
  t.same(found(destination), found(source));
  make(source, { a: 'x'.repeat(70_000), new: '' });
  t.match(await sync('-H'), { code: 0, stderr: /^2 files, /m });
  t.equal(files(), 1);
  t.same(found(destination), found(source));
});

bothWays('holes stay holes', async (t, { source, destination, sync }) => {
  const size = 20 * 1024 * 1024;
  make(source, { sparse: 'first', hole: '' });
  const file = fs.openSync(join(source, 'sparse'), 'r+');
  fs.writeSync(file, 'in the middle', size / 2 + 7);
  fs.closeSync(file);
  for (const name of ['sparse', 'hole']) fs.truncateSync(join(source, name), size);
  t.match(await sync(), { code: 0, stderr: /^2 files, 40M/m });
  for (const name of ['sparse', 'hole']) {
    const [sent, arrived] = [source, destination].map((side) => fs.readFileSync(join(side, name)));
    t.ok(arrived?.equals(sent ?? Buffer.alloc(0)), name);
    t.ok(fs.statSync(join(destination, name)).blocks * 512 < size / 10, `${name} has few blocks`);
    fs.rmSync(join(source, name));
    fs.rmSync(join(destination, name));
  }
});

/** The extended attributes of each of these names, as text. */
function xattrsOf(directory: string, names: readonly string[]): unknown {
  return names.map((name) => {
    const place = { path: Buffer.from(join(directory, name)) };
    return Object.fromEntries(
      listXattrs(place).map((xattr) => [String(xattr), String(getXattr(place, xattr))]),
    );
  });
}

function setXattrs(directory: string, name: string, values: Readonly<Record<string, string>>): void {
  const place = { path: Buffer.from(join(directory, name)) };
  for (const xattr of listXattrs(place)) removeXattr(place, xattr);
  for (const [xattr, value] of Object.entries(values)) {
    setXattr(place, Buffer.from(xattr), Buffer.from(value), 0);
  }
}

bothWays('-X keeps extended attributes', async (t, { source, destination, sync }) => {
  const names = ['', 'small', 'large', 'd', 'd/none'];
  make(source, { small: 's', large: 'l'.repeat(70_000), 'd/none': '' });
  setXattrs(source, '', { 'user.root': 'r' });
  setXattrs(source, 'small', { 'user.a': 'one', 'user.long': 'x'.repeat(1500) });
  setXattrs(source, 'large', { 'user.a': 'two', 'user.empty': '' });
  setXattrs(source, 'd', { 'user.d': '\u{1f600}' });
  make(destination, { large: 'another' });
  setXattrs(destination, 'large', { 'user.former': 'of what is replaced' });
  t.match(await sync('-X'), { code: 0, stderr: /^3 files, /m });
  t.same(xattrsOf(destination, names), xattrsOf(source, names));

  setXattrs(source, 'small', { 'user.a': 'other', 'user.b': 'more' });
  setXattrs(source, 'd', {});
  const before = xattrsOf(destination, names);
  t.match(await sync('-X', '--verify'), { code: 8, stderr: /^2 differ/m, stdout: /differs .*small$/m });
  t.same(xattrsOf(destination, names), before);
  t.match(await sync('-X'), { code: 0, stderr: /^3 files are there already/ });
  t.same(xattrsOf(destination, names), xattrsOf(source, names));
});

t.test('attributes for which there is no room are told, and their file arrives', async (t) => {
  const local = temporaryDirectory(t);
  make(local, { large: 'l'.repeat(70_000) });
  setXattrs(local, 'large', { 'user.a': 'x'.repeat(3000) });
  const put = ['put', '-X', ...daemon.login('lily'), join(local, 'large'), daemon.at('lily')];
  t.match(await daemon.ftpctl(put), {
    code: 7,
    stderr: /large: its extended attributes were not kept: the quota/,
  });
  t.match(found(daemon.home('lily')), found(local));
});

t.test('what cannot be meant', async (t) => {
  const local = temporaryDirectory(t);
  make(local, { file: '' });
  const at = daemon.at('alice', 'none');
  const sync = (...operands: string[]): Promise<RunResult> => daemon.ftpctl(['sync', ...login, ...operands]);
  t.match(await sync(local, local), { code: 2, stderr: /one of the two is \[USER@\]HOST:PATH/ });
  t.match(await sync(at, at), { code: 2 });
  t.match(await sync('', at), { code: 1, stderr: /ENOENT|[Nn]o such/ });
  t.match(await sync(join(local, 'file'), at), { code: 1, stderr: /file is not a directory: .*ftpctl put/ });
  make(daemon.home('alice'), { 'a-file': '' });
  t.match(await sync('--delete', daemon.at('alice', 'a-file'), local), { code: 1, stderr: /ftpctl get/ });
  t.same(found(local), { file: '' });
});

t.test('at the prompt, told which way', async (t) => {
  const local = temporaryDirectory(t);
  make(local, { 'here/a': 'a' });
  make(join(daemon.home('alice'), 'prompt'), { 'there/b': 'b', 'there/c/d': 'd' });
  const input = [
    ...['-sync put --delete --verify here there', 'sync put --delete here there'],
    ...['sync get --delete there back', 'sync here there', ''],
  ];
  const options = { cwd: local, input: input.join('\n') };
  const shell = await daemon.ftpctl(['shell', ...login, daemon.at('alice', 'prompt')], options);
  t.match(shell, { code: 2, stderr: /deleted .*there\/b[^]*usage: sync/ });
  t.match(shell.stdout, /missing here\/a\nextra .*b\nextra .*d\nextra .*c\n/);
  t.match(shell.stderr, /^4 differ, are missing or extra$/m);
  t.same(found(join(local, 'back')), { a: 'a' });
});

/* `ftpctl trash`, at a command line and at the prompt, by the real programs. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { temporaryDirectory } from '../lib/directory.js';
import type { RunResult } from '../lib/run.js';

t.setTimeout(90_000);

const daemon = await startDaemon(t, { users: { alice: { quota: '64M', trash: '30d' } } });
// mkdir has a -p of its own.
const login = daemon.login('alice').toSpliced(0, 2, '--port', String(daemon.port));
const at = (path = ''): string => daemon.at('alice', path);
const ctl = (command: string, ...args: string[]): Promise<RunResult> =>
  daemon.ftpctl([...command.split(' '), ...login, ...args]);
const read = (path: string): string => fs.readFileSync(join(daemon.home('alice'), path), 'utf8');

async function put(path: string, input: string): Promise<void> {
  const { code, stderr } = await daemon.ftpctl(['put', ...login, '-', at(path)], { input });
  if (code !== 0) throw new Error(stderr);
}

interface Listed {
  readonly path: string;
  readonly pathBase64?: string;
  readonly bytes: number;
  readonly removed: string;
}

async function listed(...places: string[]): Promise<Listed[]> {
  const { stdout } = await ctl('trash', '--json', ...(places.length === 0 ? [at()] : places));
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Listed).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function pathsOf(...places: string[]): Promise<string[]> {
  return (await listed(...places)).map(({ path }) => path);
}

t.test('a slip in the verb is told, and no server is looked for', async (t) => {
  for (const [words, hint] of [
    ['trash emtpy', "there is no 'trash emtpy': 'trash empty' may be meant (a server: emtpy:)"],
    ['uploads lst', "there is no 'uploads lst': 'uploads list' may be meant (a server: lst:)"],
  ] as const) {
    t.match(await ctl(words), { code: 2, stderr: `ftpctl: ${hint}\n` });
  }
  t.match(await ctl('trash lits', at()), { code: 2, stderr: /'trash list' may be meant/ });
});

t.test('what was removed and replaced is listed', async (t) => {
  t.match(await ctl('trash', at()), { code: 0, stdout: '' });
  t.equal((await ctl('mkdir', '--parents', at('tree/sub'), at('versions'), at('prompt'))).code, 0);
  for (const name of ['tree/a.txt', 'tree/b.md', 'tree/sub/c.txt']) await put(name, name);
  await put('put', 'before');
  await put('put', 'after');
  t.equal((await ctl('rm', '-r', at('tree'))).code, 0);
  const before = Date.now() / 1000;
  const [first, ...others] = await listed();
  t.match(first, { path: 'put', bytes: 6 });
  t.ok(Math.abs(Date.parse(first?.removed ?? '') / 1000 - before) < 60);
  t.strictSame(
    others.map(({ path }) => path),
    ['tree/a.txt', 'tree/b.md', 'tree/sub/c.txt'],
  );
  t.match(
    (await ctl('trash', '-h', at())).stdout,
    /^Removed +Size +Path\n(\d{4}-\d\d-\d\d \d\d:\d\d +\d+ {2}\S+\n){4}$/,
  );
  t.match(await ctl('trash list', at('none'), at('tree/a.txt')), {
    code: 1,
    stdout: /tree\/a\.txt\n$/,
    stderr: 'ftpctl: none: nothing of it is in the trash\n',
  });
  t.strictSame(await pathsOf(at('tree/sub')), ['tree/sub/c.txt']);
  t.strictSame(await pathsOf(at('*/*.txt')), ['tree/a.txt']);
  t.strictSame(await pathsOf(at('tree/s?b'), at('put')), ['put', 'tree/sub/c.txt']);
  t.match(
    (await ctl('df', at())).stdout,
    /^besides what is in the trash \(39\), which makes room: ftpctl trash lists it$/m,
  );
});

t.test('it is restored with its directories, and replaces nothing', async (t) => {
  t.match(await ctl('trash restore', at('none')), {
    code: 1,
    stderr: /^ftpctl: none: nothing of it is in the trash/,
  });
  t.equal((await ctl('trash restore', at('tree'))).code, 0);
  for (const name of ['tree/a.txt', 'tree/b.md', 'tree/sub/c.txt']) t.equal(read(name), name);
  t.match(await ctl('trash restore', at('put')), { code: 1, stderr: /^ftpctl: put: .*--beside/ });
  t.equal((await ctl('trash restore', '--beside', at('put'))).code, 0);
  t.strictSame([read('put'), read('put.restored')], ['after', 'before']);
  t.strictSame(await pathsOf(), []);

  for (const text of ['one', 'two', 'three']) {
    await put('versions/f', text);
    t.equal((await ctl('rm', at('versions/f'))).code, 0);
  }
  t.equal((await ctl('trash restore', '--to', 'elsewhere', at('versions'))).code, 0);
  t.equal(read('elsewhere/versions/f'), 'three', 'what was removed last');
  t.equal((await ctl('trash restore', '--all', at('versions/f'))).code, 0);
  t.strictSame([read('versions/f'), read('versions/f.restored')], ['two', 'one']);
});

t.test('it is removed for good', async (t) => {
  t.equal((await ctl('rm', '-r', at('tree'), at('put'))).code, 0);
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), {
    ...{ code: 0, stdout: / \(trash: 38 bytes, \d+ files\): right$/m },
  });
  t.equal((await ctl('trash rm', at('tree/*.txt'))).code, 0);
  t.strictSame(await pathsOf(), ['put', 'tree/b.md', 'tree/sub/c.txt']);
  t.match(await ctl('trash empty', at('put')), { code: 2, stderr: /empty takes no path/ });
  for (const place of [at(), at('.'), 'alice@127.0.0.1'])
    t.match(await ctl('trash rm', at('put'), place), { code: 2, stderr: /empty removes all of it/ }, place);
  t.strictSame(await pathsOf(), ['put', 'tree/b.md', 'tree/sub/c.txt'], 'nothing is removed');
  t.equal((await ctl('trash empty', at())).code, 0);
  t.strictSame(await pathsOf(), []);
  t.match(await daemon.ftpctl(['quota', 'check', 'alice']), { code: 0 });
});

t.test('a pattern is a path where something of that very spelling is there', async (t) => {
  const names = ['a1.txt', 'a[1].txt'];
  for (const name of names) await put(name, name);
  t.equal((await ctl('rm', at('a1.txt'), at('a[1].txt'))).code, 0);
  t.strictSame(await pathsOf(at('a[1].txt')), ['a[1].txt']);
  t.equal((await ctl('trash restore', at('a[1].txt'))).code, 0);
  t.equal(read('a[1].txt'), 'a[1].txt');
  t.strictSame(await pathsOf(), ['a1.txt']);
  t.equal((await ctl('rm', at('a[1].txt'))).code, 0);
  t.equal((await ctl('trash rm', at('a[1].txt'))).code, 0);
  t.strictSame(await pathsOf(), ['a1.txt'], 'the other one is left');
  t.equal((await ctl('trash rm', at('a[1].txt'))).code, 0, 'now it is a pattern');
  t.strictSame(await pathsOf(), []);
});

t.test('for programs a path is the path, and Tab offers what is there', async (t) => {
  const names = ['tab/n\\nl', 'tab/n\nl', 'tab/sub/f'];
  const local = temporaryDirectory(t);
  fs.mkdirSync(join(local, 'tab/sub'), { recursive: true });
  for (const name of names) fs.writeFileSync(join(local, name), '');
  fs.writeFileSync(Buffer.from(`${join(local, 'tab')}/\xff`, 'latin1'), '');
  t.equal((await ctl('put', '-r', join(local, 'tab'), at())).code, 0);
  t.equal((await ctl('rm', '-r', at('tab'))).code, 0);
  t.strictSame(
    new Set((await listed()).map(({ path, pathBase64 = '' }) => `${path} ${pathBase64}`)),
    new Set([
      ...names.map((name) => `${name} `),
      `tab/\ufffd ${Buffer.from('tab/\xff', 'latin1').toString('base64')}`,
    ]),
  );
  const offered = async (path: string) => (await ctl('complete-path', '--trash', at(path))).stdout;
  t.equal(await offered('t'), 'tab/\n');
  t.equal(await offered('tab/'), 'tab/n\\nl\ntab/sub/\n');
  t.equal(await offered('tab/sub/f'), 'tab/sub/f\n');
  t.equal((await ctl('trash empty', at())).code, 0);
});

t.test('what is charged as in the trash, and is not there, is told and repaired', async (t) => {
  await put('moved', '12345');
  t.equal((await ctl('rm', at('moved'))).code, 0);
  const trashed = join(daemon.home('alice'), '.ftpmount/trash');
  const [item] = fs
    .readdirSync(trashed, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/moved$/.test(name));
  fs.renameSync(join(trashed, item ?? ''), join(daemon.home('alice'), 'moved'));
  const differs =
    /^alice: charged (.*) \(trash: 5 bytes, 4 files\), but the home holds \1 \(trash: 0 bytes, 3 files\): /;
  const check = (...args: string[]): Promise<RunResult> =>
    daemon.ftpctl(['quota', 'check', ...args, 'alice']);
  t.match(await check(), { code: 1, stdout: differs });
  t.match(await check('--repair'), { code: 0, stdout: /repaired$/m });
  t.match(await check(), { code: 0, stdout: / \(trash: 0 bytes, 3 files\): right$/m });
  t.equal((await ctl('trash empty', at())).code, 0);
  t.equal((await ctl('rm', at('moved'))).code, 0);
  t.equal((await ctl('trash empty', at())).code, 0);
});

t.test('at the prompt', async (t) => {
  const shell = (input: string): Promise<RunResult> => daemon.ftpctl(['shell', ...login, at()], { input });
  await put('prompt/f.txt', 'f');
  await put('prompt/g', 'g');
  t.match(await shell('rm prompt/f.txt prompt/g\ntrash prompt\n'), {
    code: 0,
    stdout: /^Removed [^]*prompt\/f\.txt\n[^]*prompt\/g\n|prompt\/g\n[^]*prompt\/f\.txt\n$/,
  });
  t.match(await shell('cd prompt\ntrash restore *.txt\ncat f.txt\n'), { code: 0, stdout: 'f' });
  for (const [line, hint] of [
    ['trash emtpy', "there is no 'trash emtpy': 'trash empty' may be meant (a path: ./emtpy)"],
    ['trash restor photos', "there is no 'trash restor': 'trash restore' may be meant (a path: ./restor)"],
    ['uploads lst', "there is no 'uploads lst': 'uploads list' may be meant (a path: ./lst)"],
  ] as const) {
    const { code, stderr } = await shell(`${line}\n`);
    t.strictSame([code, stderr.split('\n')[0]], [2, `ftpctl: ${hint}`]);
  }
  t.match(await shell('trash ./emtpy\n'), { code: 1, stderr: /: nothing of it is in the trash/ });
  t.match(await shell('trash --help\n'), { code: 0, stdout: /^trash .*\[VERB\] \[PATH\.\.\.\]\n/ });
  t.match(await shell('trash empty x\n'), { code: 2 });
  t.match(await shell('trash rm\n'), { code: 2, stderr: /empty removes all of it/ });
  t.match(await shell('trash rm prompt/g\nrm prompt/f.txt\ntrash empty\ntrash\n'), {
    code: 0,
    stdout: '',
  });
});

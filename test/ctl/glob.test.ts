import t from 'tap';
import { expand, matches, type Entry, type Lister } from '../../ctl/glob.js';

const isMatch = (pattern: string, name: string): boolean => matches(pattern, Buffer.from(name));

t.test('what matches', async (t) => {
  for (const [pattern, names] of [
    ['*', ['a', 'abc', 'grün']],
    ['*.txt', ['a.txt', 'a.b.txt']],
    ['a*b*c', ['abc', 'axbxbxc']],
    ['?', ['a', 'ü', '😀']],
    ['[ab]x', ['ax', 'bx']],
    ['[!ab]x', ['cx']],
    ['[^ab]x', ['cx']],
    ['[a-c0-9]', ['b', '5']],
    ['[]a]', [']', 'a']],
    ['[a-]', ['a', '-']],
    ['[a', ['[a']],
    [String.raw`\*`, ['*']],
    [String.raw`[\]a]`, [']', 'a']],
    ['.*', ['.hidden']],
    [String.raw`\.h*`, ['.hidden']],
  ] as const) {
    for (const name of names) t.ok(isMatch(pattern, name), `${pattern} ${name}`);
  }
});

t.test('what does not', async (t) => {
  for (const [pattern, names] of [
    ['*.txt', ['a.txt.gz', '.txt', 'txt']],
    ['?', ['', 'ab']],
    ['*', ['.hidden']],
    ['?hidden', ['.hidden']],
    ['[.]hidden', ['.hidden']],
    ['[!a]hidden', ['.hidden']],
    ['[!ab]x', ['ax', 'x']],
    ['[a-c]', ['d', 'B']],
    [String.raw`\*`, ['a', '\\*']],
    ['a*b*c', ['ab', 'acb']],
  ] as const) {
    for (const name of names) t.notOk(isMatch(pattern, name), `${pattern} ${name}`);
  }
});

t.test('a name that is no UTF-8', async (t) => {
  const name = Buffer.from([0x61, 0xff, 0x62]);
  t.ok(matches('a?b', name));
  t.ok(matches('*b', name));
  t.notOk(matches('ab', name));
});

t.test('many stars take no time', async (t) => {
  t.notOk(isMatch(`${'*a'.repeat(60)}b`, 'a'.repeat(255)));
});

const TREE: Readonly<Record<string, readonly string[]>> = {
  '': ['b.txt', 'a.txt', 'docs/', '.hidden', 'sub/', 'na*me'],
  docs: ['one', 'two.txt'],
  'docs/': ['one', 'two.txt'],
  sub: ['two.txt', 'deep/'],
  'sub/deep': ['two.txt'],
  '/': ['top.txt', 'home/'],
  '/home': ['x.txt'],
  '..': ['up.txt'],
};

const list: Lister = (directory) => {
  const entries: Entry[] = (TREE[directory.toString()] ?? []).map((name) => ({
    name: Buffer.from(name.replace(/\/$/, '')),
    isDirectory: name.endsWith('/'),
  }));
  return Promise.resolve(entries);
};

t.test('paths', async (t) => {
  for (const [pattern, paths] of [
    ['*.txt', ['a.txt', 'b.txt']],
    ['*', ['a.txt', 'b.txt', 'docs', 'na*me', 'sub']],
    ['*/', ['docs/', 'sub/']],
    ['*/two.txt', ['docs/two.txt', 'sub/two.txt']],
    ['*/*/*', ['sub/deep/two.txt']],
    ['docs/*', ['docs/one', 'docs/two.txt']],
    ['docs//o*', ['docs/one']],
    ['/*', ['/home', '/top.txt']],
    ['/h*/*', ['/home/x.txt']],
    ['../*', ['../up.txt']],
    ['su*/../x', []],
    ['*/..', ['docs/..', 'sub/..']],
    [String.raw`na\*m?`, ['na*me']],
    ['none/*', []],
    ['a.txt/*', []],
  ] as const) {
    t.strictSame(
      (await expand(pattern, list)).map((path) => path.toString()),
      paths,
      pattern,
    );
  }
});

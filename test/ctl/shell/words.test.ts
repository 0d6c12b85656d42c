import t from 'tap';
import { literal, quoted, readLine, wordsOf } from '../../../ctl/shell/words.js';

const texts = (line: string): string[] => wordsOf(line).map(({ text }) => text);

t.test('words are those of a shell', async (t) => {
  for (const [line, words] of [
    ['', []],
    ['  \t ', []],
    ['ls', ['ls']],
    [' put  a\tb ', ['put', 'a', 'b']],
    [String.raw`a\ b 'c d' "e f"`, ['a b', 'c d', 'e f']],
    [String.raw`'it'\''s' "a \"b\" \n \\"`, ["it's", String.raw`a "b" \n ` + '\\']],
    [`''`, ['']],
    [`a''b"c"`, ['abc']],
    ['# all of it', []],
    ['ls # this', ['ls']],
    ['a#b', ['a#b']],
    [String.raw`\#a`, ['#a']],
    [`"'" '"'`, ["'", '"']],
    ['a\\', ['a']],
  ] as const) {
    t.strictSame(texts(line), words, line);
  }
});

t.test('what is quoted matches nothing but itself', async (t) => {
  for (const [line, pattern, isPattern] of [
    ['*.txt', '*.txt', true],
    [String.raw`\*.txt`, String.raw`\*.txt`, false],
    [`'*'.txt`, String.raw`\*.txt`, false],
    [`'*'*`, String.raw`\**`, true],
    [String.raw`a\\*`, String.raw`a\\*`, true],
    ['[a]', '[a]', true],
    ['plain', 'plain', false],
  ] as const) {
    t.match(wordsOf(line), [{ pattern, isPattern }], line);
  }
  t.equal(literal('a*[b]?\\'), String.raw`a\*\[b\]\?` + '\\\\');
});

t.test('a quote that is not closed', async (t) => {
  t.throws(() => wordsOf(`cat 'a`), { kind: 'USAGE', message: /' is not closed/ });
  t.match(readLine(`cat "a b`), { open: '"', isInWord: true, words: [{}, { text: 'a b', raw: '"a b' }] });
  t.match(readLine('cat '), { open: '', isInWord: false });
});

t.test('a name that is quoted is read as itself', async (t) => {
  for (const name of [
    'plain',
    'a b',
    "it's",
    'say "x"',
    'a\\b',
    '*?[x]',
    '~',
    '#1',
    '-r',
    '!x',
    '$HOME `x`',
    'grün',
  ]) {
    for (const open of ['', '"', "'"] as const) {
      const [word, ...more] = wordsOf(`${open}${quoted(name, open, true)}${open}`);
      t.match(word, { text: name, isPattern: false }, `${name} in ${open}`);
      t.equal(more.length, 0);
      t.notOk(open === '' && /^[-~!]/.test(word?.raw ?? ''), 'and has no other meaning');
    }
  }
});

import t from 'tap';
import { flagText, readFlags, type Flag } from '../../../ctl/shell/flags.js';
import { wordsOf } from '../../../ctl/shell/words.js';

const KNOWN: readonly Flag[] = [
  { letter: 'r', name: 'recursive', text: '' },
  { letter: 'f', name: 'force', text: '' },
  { name: 'no-resume', text: '' },
  { name: 'limit', value: 'RATE', text: '' },
];

const read = (line: string): { flags: string[]; words: string[] } => {
  const { flags, words } = readFlags(wordsOf(line), KNOWN);
  return { flags: [...flags], words: words.map(({ text }) => text) };
};

t.test('flags, anywhere', async (t) => {
  t.strictSame(read('a -rf b'), { flags: ['recursive', 'force'], words: ['a', 'b'] });
  t.strictSame(read('--no-resume -r -r x'), { flags: ['no-resume', 'recursive'], words: ['x'] });
  t.strictSame(read('-r -- -f --'), { flags: ['recursive'], words: ['-f', '--'] });
});

t.test('what only looks like one', async (t) => {
  t.strictSame(read(String.raw`\-r '-f' "-x" - ./-r`), { flags: [], words: ['-r', '-f', '-x', '-', './-r'] });
});

t.test('values, in their order', async (t) => {
  const { values, words } = readFlags(wordsOf(`a --limit 2M --limit='1 K' b --limit -- c`), KNOWN);
  t.strictSame(
    values.map(({ value }) => value),
    ['2M', '1 K', '--'],
  );
  t.strictSame(
    words.map(({ text }) => text),
    ['a', 'b', 'c'],
  );
  t.throws(() => read('a --limit'), { kind: 'USAGE', message: '--limit needs a RATE' });
  t.throws(() => read('a --no-resume=x'), { kind: 'USAGE', message: '--no-resume takes no value' });
});

t.test('unknown ones', async (t) => {
  t.throws(() => read('-rx'), { kind: 'USAGE', message: "unknown option '-x'" });
  t.throws(() => read('--recurse'), { kind: 'USAGE', message: "unknown option '--recurse'" });
});

t.test('in the help', async (t) => {
  t.strictSame(KNOWN.map(flagText), [
    '-r, --recursive',
    '-f, --force',
    '    --no-resume',
    '    --limit RATE',
  ]);
});

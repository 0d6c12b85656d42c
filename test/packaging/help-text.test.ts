/* What --help says falls into its parts, whatever is wrapped. */
import t from 'tap';
import { blocksFrom, parseHelp } from '../../packaging/help-text.js';
import { mountCompletion } from '../../packaging/mount-completion.js';

t.test('usage, lists with titles, paragraphs and examples', async (t) => {
  const help = `Usage: program [options] FILE
       program --all

Does something
for somebody.

Options:
  -a, --all        all of it, which is
                   more than one
  --file <file>    one

Text before an example:
  a = 1
  b = 2
and after it.

Exit codes:
  0    done
`;
  t.strictSame(parseHelp(help), {
    usage: ['program [options] FILE', 'program --all'],
    blocks: [
      { kind: 'paragraph', text: 'Does something for somebody.' },
      { kind: 'title', text: 'Options' },
      { kind: 'entry', term: '-a, --all', text: 'all of it, which is more than one' },
      { kind: 'entry', term: '--file <file>', text: 'one' },
      { kind: 'title', text: 'Text before an example' },
      { kind: 'example', lines: ['a = 1', 'b = 2'] },
      { kind: 'paragraph', text: 'and after it.' },
      { kind: 'title', text: 'Exit codes' },
      { kind: 'entry', term: '0', text: 'done' },
    ],
  });
});

t.test('a list is found by its title, and misses nothing in silence', async (t) => {
  const help = parseHelp(
    'Usage: program\n\nFirst:\n  a    one\n\nSecond list (with a remark):\n  b    two\n',
  );
  t.strictSame(blocksFrom(help, 'Second list'), [
    { kind: 'title', text: 'Second list (with a remark)' },
    { kind: 'entry', term: 'b', text: 'two' },
  ]);
  t.throws(() => blocksFrom(help, 'Second'), /has no 'Second'/);
  t.throws(() => mountCompletion('bash', help), /has no 'Options'/);
});

/* A document in Markdown becomes the body of a man page. */
import t from 'tap';
import { documentPages } from '../../packaging/man-pages.js';
import { markdownPage } from '../../packaging/markdown-page.js';

const DOCUMENT = `# Title

.dot and \`-o a\\b\`, [a link](there.md), [\`one\` of code](there.md), \`[no](link)\` and **bold**.

Contents: [A section](#a-section)

A paragraph with [a link over
two lines](#a-section), **bold
over two**.

## A section

- one \`a|b\`
  of two lines
1. first

| word | meaning |
| --- | --- |
| \`x\` | what \`y\` is | z |

\`\`\`text
.code -
\`\`\`
`;

t.test('its headings, lists, tables, code and links', async (t) => {
  t.strictSame(markdownPage(DOCUMENT), [
    '.PP',
    String.raw`\&.dot and \fB\-o a\eb\fR, a link, \fBone\fR of code, \fB[no](link)\fR and \fBbold\fR.`,
    '.PP',
    '.PP',
    String.raw`A paragraph with a link over two lines, \fBbold over two\fR.`,
    '.PP',
    '.SH A SECTION',
    '.PP',
    String.raw`.IP \(bu 4`,
    String.raw`one \fBa|b\fR of two lines`,
    '.IP 1. 4',
    'first',
    '.PP',
    '.PP',
    'word, meaning:',
    '.TP',
    String.raw`\fBx\fR`,
    String.raw`what \fBy\fR is \(em z`,
    '.PP',
    '.PP',
    '.nf',
    String.raw`\&.code \-`,
    '.fi',
  ]);
});

t.test('no page of a document shows its Markdown', async (t) => {
  const pages = Object.entries(documentPages());
  t.ok(pages.length > 1);
  for (const [name, page] of pages) t.notMatch(page, /\]\(|\*\*|`/, name);
});

/* A document in Markdown becomes the body of a man page. */
import t from 'tap';
import { markdownPage } from '../../packaging/markdown-page.js';

const DOCUMENT = `# Title

.dot and \`-o a\\b\`, [a link](there.md) and **bold**.

## A section

- one \`a|b\`
  of two lines
1. first

| word | meaning |
| --- | --- |
| \`x\` | what \`y\` is |

\`\`\`text
.code -
\`\`\`
`;

t.test('its headings, lists, tables, code and links', async (t) => {
  t.strictSame(markdownPage(DOCUMENT), [
    '.PP',
    String.raw`\&.dot and \fB\-o a\eb\fR, a link and \fBbold\fR.`,
    '.PP',
    '.SH A SECTION',
    '.PP',
    String.raw`.IP \(bu 4`,
    String.raw`one \fBa|b\fR`,
    'of two lines',
    '.IP 1. 4',
    'first',
    '.PP',
    '.PP',
    'word, meaning:',
    '.TP',
    String.raw`\fBx\fR`,
    String.raw`what \fBy\fR is`,
    '.PP',
    '.PP',
    '.nf',
    String.raw`\&.code \-`,
    '.fi',
  ]);
});

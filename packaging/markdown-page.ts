/*
 * The body of a man page, in roff (groff_man(7)), of a document in Markdown, so that nothing is written twice. It knows what the
 * documents here have: headings, paragraphs, lists, tables, blocks of code, and in lines code, emphasis and links. Of a table each
 * row is an entry, as columns of long texts fit no terminal.
 */
import { escaped, literal } from './roff.js';

/** Of a list. */
const ITEM = /^(-|\d+\.) +(.*)$/;
/** Code, in which nothing is a link, or a link and its text. */
const LINK = /(`[^`]+`)|\[((?:`[^`]+`|[^\]`])*)\]\([^)]*\)/g;
/** What a document for readers of web pages has in front: links into itself. */
const CONTENTS = /^Contents: /;

/** Without the title. */
export function markdownPage(markdown: string): string[] {
  const [, ...lines] = markdown.trimEnd().split('\n');
  const roff: string[] = [];
  let code: string[] | undefined;
  let isInTable = false;
  for (const line of joined(lines)) {
    if (line.startsWith('```')) {
      if (code !== undefined) roff.push(...literal(code));
      code = code === undefined ? [] : undefined;
    } else if (code !== undefined) code.push(line);
    else {
      const row = /^\|(.*)\|$/.exec(line)?.[1]?.split(/(?<!\\)\|/);
      if (row !== undefined) {
        if (!isInTable) roff.push(...head(row));
        else if (!row.every((cell) => /^ *-+ *$/.test(cell))) roff.push(...entry(row));
      } else if (!CONTENTS.test(line)) roff.push(...rendered(line));
      isInTable = row !== undefined;
    }
  }
  return roff;
}

/** With each paragraph and each item of a list in one line: what is marked in them may go over several. */
function joined(lines: readonly string[]): string[] {
  const whole: string[] = [];
  let isCode = false;
  let isOpen = false;
  for (const line of lines) {
    const isFence = line.startsWith('```');
    const isText = !isCode && !isFence && line !== '' && !/^(?:#|\|)/.test(line);
    if (isText && isOpen && !ITEM.test(line)) whole.push(`${whole.pop()} ${line.trim()}`);
    else whole.push(line);
    if (isFence) isCode = !isCode;
    isOpen = isText;
  }
  return whole;
}

/** Of a table: the titles that there are. */
function head(row: readonly string[]): string[] {
  const titles = row.filter((cell) => cell.trim() !== '');
  return titles.length === 0 ? [] : ['.PP', `${titles.map(inline).join(', ')}:`];
}

function entry([term = '', ...texts]: readonly string[]): string[] {
  return ['.TP', inline(term), texts.map(inline).join(' \\(em ') || '\\&'];
}

function rendered(line: string): string[] {
  const [, marks = '', title = ''] = /^(#+) (.*)$/.exec(line) ?? [];
  if (marks === '##') return [`.SH ${inline(title).toUpperCase()}`];
  if (marks !== '') return [`.SS ${inline(title)}`];
  if (line === '') return ['.PP'];
  const [, mark, text = ''] = ITEM.exec(line) ?? [];
  if (mark !== undefined) return [`.IP ${mark === '-' ? '\\(bu' : mark} 4`, inline(text)];
  return [inline(line.trim())];
}

/** Code and emphasis are bold, links are their texts. */
function inline(text: string): string {
  const parts = text
    .trim()
    .replaceAll('\\|', '|')
    .replaceAll(LINK, (_, code: string | undefined, shown: string) => code ?? shown)
    .split(/(`[^`]+`)/);
  const shown = parts.map((part) =>
    part.startsWith('`')
      ? bold(escaped(part.slice(1, -1)))
      : escaped(part).replaceAll(/\*\*([^*]+)\*\*/g, bold('$1')),
  );
  return shown.join('').replace(/^(?=[.'])/, '\\&');
}

function bold(text: string): string {
  return `\\fB${text}\\fR`;
}

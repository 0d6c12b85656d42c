/*
 * The body of a man page, in roff (groff_man(7)), of a document in Markdown, so that nothing is written twice. It knows what the
 * documents here have: headings, paragraphs, lists, tables, blocks of code, and in lines code, emphasis and links. Of a table each
 * row is an entry, as columns of long texts fit no terminal.
 */
import { escaped, literal } from './roff.js';

/** Without the title. */
export function markdownPage(markdown: string): string[] {
  const [, ...lines] = markdown.trimEnd().split('\n');
  const roff: string[] = [];
  let code: string[] | undefined;
  let isInTable = false;
  for (const line of lines) {
    if (line.startsWith('```')) {
      if (code !== undefined) roff.push(...literal(code));
      code = code === undefined ? [] : undefined;
    } else if (code !== undefined) code.push(line);
    else {
      const row = /^\|(.*)\|$/.exec(line)?.[1]?.split(/(?<!\\)\|/);
      if (row !== undefined) {
        if (!isInTable) roff.push(...(isEmpty(row) ? [] : ['.PP', row.map(inline).join(', ') + ':']));
        else if (!row.every((cell) => /^ *-+ *$/.test(cell))) roff.push(...entry(row));
      } else roff.push(...rendered(line));
      isInTable = row !== undefined;
    }
  }
  return roff;
}

function isEmpty(row: readonly string[]): boolean {
  return row.every((cell) => cell.trim() === '');
}

function entry([term = '', ...texts]: readonly string[]): string[] {
  return ['.TP', inline(term), texts.map(inline).join(' \\(em ') || '\\&'];
}

function rendered(line: string): string[] {
  const [, marks = '', title = ''] = /^(#+) (.*)$/.exec(line) ?? [];
  if (marks === '##') return [`.SH ${inline(title).toUpperCase()}`];
  if (marks !== '') return [`.SS ${inline(title)}`];
  if (line === '') return ['.PP'];
  const [, mark, text = ''] = /^(-|\d+\.) +(.*)$/.exec(line) ?? [];
  if (mark !== undefined) return [`.IP ${mark === '-' ? '\\(bu' : mark} 4`, inline(text)];
  return [inline(line.trim())];
}

/** Code and emphasis are bold, links are their texts. */
function inline(text: string): string {
  const parts = text
    .trim()
    .replaceAll('\\|', '|')
    .split(/(`[^`]+`)/);
  const shown = parts.map((part) =>
    part.startsWith('`')
      ? bold(escaped(part.slice(1, -1)))
      : escaped(part.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')).replaceAll(/\*\*([^*]+)\*\*/g, bold('$1')),
  );
  return shown.join('').replace(/^(?=[.'])/, '\\&');
}

function bold(text: string): string {
  return `\\fB${text}\\fR`;
}

/*
 * What a program's --help says, in parts: usage, paragraphs, and titled lists of entries (options, commands, exit codes). The
 * man pages are made of it, so that nothing is written twice.
 */
export interface Help {
  /** Each way to call it. */
  readonly usage: readonly string[];
  readonly blocks: readonly Block[];
}

export type Block =
  | { readonly kind: 'title'; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'entry'; readonly term: string; readonly text: string }
  /** Lines that stay as they are. */
  | { readonly kind: 'example'; readonly lines: readonly string[] };

const INDENT = '  ';
/** A term and, behind two spaces at least, what it means. */
const ENTRY = /^ {2}(\S.*?) {2,}(\S.*)$/;
/** Goes on with the text of an entry. */
const CONTINUED = /^ {6,}(\S.*)$/;

export function parseHelp(help: string): Help {
  const [usage = '', ...parts] = help.trimEnd().split('\n\n');
  return {
    usage: usage.split('\n').map((line) => line.replace(/^(?:Usage:)? +/, '')),
    blocks: parts.flatMap((part) => blocksOf(part.split('\n').filter((line) => line !== ''))),
  };
}

/** From a title on to the end; `title`: without its remark. Throws where the help has none, which then has another name. */
export function blocksFrom({ blocks }: Help, title: string): readonly Block[] {
  const start = blocks.findIndex((block) => block.kind === 'title' && withoutRemark(block.text) === title);
  if (start < 0) throw new Error(`the help has no '${title}'`);
  return blocks.slice(start);
}

/** A title without what is in parentheses behind it. */
export function withoutRemark(title: string): string {
  return title.replace(/ \(.*\)$/, '');
}

/** The blocks of lines without an empty one between them. */
function blocksOf([first = '', ...rest]: readonly string[]): Block[] {
  const hasTitle = first.endsWith(':') && rest[0]?.startsWith(INDENT) === true;
  const blocks: Block[] = hasTitle ? [{ kind: 'title', text: first.slice(0, -1) }] : [];
  for (const line of hasTitle ? rest : [first, ...rest]) {
    const longer = joined(blocks.at(-1), line);
    if (longer === undefined) blocks.push(blockOf(line));
    else blocks.splice(-1, 1, longer);
  }
  return blocks;
}

function blockOf(line: string): Block {
  const [, term, text] = ENTRY.exec(line) ?? [];
  if (term !== undefined && text !== undefined) return { kind: 'entry', term, text };
  if (line.startsWith(INDENT)) return { kind: 'example', lines: [line.slice(INDENT.length)] };
  return { kind: 'paragraph', text: line };
}

/** The block with a line that goes on with it; undefined where the line begins another. */
function joined(block: Block | undefined, line: string): Block | undefined {
  if (block?.kind === 'paragraph' && !line.startsWith(INDENT))
    return { ...block, text: `${block.text} ${line}` };
  const continued = CONTINUED.exec(line)?.[1];
  if (block?.kind === 'entry' && continued !== undefined)
    return { ...block, text: `${block.text} ${continued}` };
  if (block?.kind === 'example' && line.startsWith(INDENT) && !ENTRY.test(line))
    return { ...block, lines: [...block.lines, line.slice(INDENT.length)] };
  return undefined;
}

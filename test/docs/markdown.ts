/* The documents for users, and what is in them to be checked: fenced blocks with what their first line says, and inline code. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Of the project. */
export const ROOT = new URL('../../../', import.meta.url);

export interface Block {
  /** Of the fence. */
  readonly line: number;
  /** The first word after the fence; empty where there is none. */
  readonly language: string;
  /** The words after it. Markdown shows none of them. */
  readonly marks: readonly string[];
  readonly text: string;
}

export interface Document {
  /** From the root of the project. */
  readonly name: string;
  readonly blocks: readonly Block[];
  /** All that is outside of blocks. */
  readonly prose: string;
}

/** README.md and docs/. */
export function readDocuments(): Document[] {
  const below = readdirSync(new URL('docs/', ROOT)).filter((name) => name.endsWith('.md'));
  return ['README.md', ...below.toSorted().map((name) => `docs/${name}`)].map((name) => {
    return parseDocument(name, readFileSync(fileURLToPath(new URL(name, ROOT)), 'utf8'));
  });
}

export function parseDocument(name: string, text: string): Document {
  const blocks: Block[] = [];
  const prose: string[] = [];
  let begun: (Omit<Block, 'text'> & { readonly lines: string[] }) | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (begun === undefined && fence === null) prose.push(line);
    else if (begun === undefined) {
      const [language = '', ...marks] = (fence?.[1] ?? '').trim().split(/\s+/);
      begun = { line: index + 1, language, marks, lines: [] };
    } else if (fence === null) begun.lines.push(line);
    else {
      const { lines, ...rest } = begun;
      blocks.push({ ...rest, text: lines.join('\n') });
      begun = undefined;
    }
  }
  if (begun !== undefined) throw new Error(`${name}:${begun.line}: a block that does not end`);
  return { name, blocks, prose: prose.join('\n') };
}

/** What stands between backquotes outside of blocks. */
export function codeOf({ prose }: Document): string[] {
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replaceAll('\n', ' '));
}

/** Where links lead to, relative to the document. */
export function linksOf({ prose }: Document): string[] {
  return [...prose.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
}

/**
 * A line at the prompt as words, as a shell reads it: blanks separate; a backslash takes the next character as it is, '...' all
 * in it, "..." all but backslashes before " \ $ ` ; # begins a comment. And the other way: a name as a word that means it.
 */
import { Failure } from '../../protocol/failure.js';

export interface Word {
  /** As written. */
  readonly raw: string;
  /** What it says, without quotes. */
  readonly text: string;
  /** The same for glob.ts: a backslash before what is special there and was quoted. */
  readonly pattern: string;
  /** Whether something in it matches names: an unquoted * ? or [. */
  readonly isPattern: boolean;
}

/** A quote that is not closed; a backslash at the end is none: nothing is quoted by it. */
export type OpenQuote = '' | '"' | "'";

export interface Line {
  readonly words: readonly Word[];
  readonly open: OpenQuote;
  /** Whether the last word goes on where more is typed. */
  readonly isInWord: boolean;
}

const BLANK = /\s/;
const SPECIAL = /[*?[\]\\]/;
const MATCHES = /[*?[]/;
/** What a backslash has a meaning before within "...". */
const ESCAPED_IN_DOUBLE = /["\\$`]/;

/** Reads a line as far as it is typed. */
export function readLine(line: string): Line {
  const words: Word[] = [];
  let word: Draft | undefined;
  let quote: OpenQuote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? '';
    if (quote === '' && BLANK.test(character)) {
      if (word !== undefined) words.push(word.end(at));
      word = undefined;
      continue;
    }
    if (quote === '' && character === '#' && word === undefined) return { words, open: '', isInWord: false };
    word ??= new Draft(line, at);
    const next = line[at + 1];
    if (character === '\\' && quote !== "'" && (quote === '' || ESCAPED_IN_DOUBLE.test(next ?? '"'))) {
      at += 1;
      if (next !== undefined) word.add(next, true);
    } else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else word.add(character, quote !== '');
  }
  if (word !== undefined) words.push(word.end(line.length));
  return { words, open: quote, isInWord: word !== undefined };
}

/** The words of a whole line. Throws USAGE where a quote is not closed. */
export function wordsOf(line: string): readonly Word[] {
  const { words, open } = readLine(line);
  if (open !== '') throw new Failure('USAGE', `a ${open} is not closed`);
  return words;
}

/**
 * A name as it is written in a word that is open with this quote, or with none. `isStart`: whether the word begins with it, so
 * that what is special there only is quoted, too.
 */
export function quoted(name: string, open: OpenQuote, isStart: boolean): string {
  if (open === "'") return name.replaceAll("'", String.raw`'\''`);
  if (open === '"') return name.replaceAll(/["\\$`]/g, String.raw`\$&`);
  const escaped = name.replaceAll(/[\s"'\\*?[\]]/g, String.raw`\$&`);
  return isStart ? escaped.replace(/^[~#!-]/, String.raw`\$&`) : escaped;
}

/** A text of which nothing is special, as a pattern. */
export function literal(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, String.raw`\$&`);
}

class Draft {
  readonly #line: string;
  readonly #start: number;
  #text = '';
  #pattern = '';
  #isPattern = false;

  constructor(line: string, start: number) {
    this.#line = line;
    this.#start = start;
  }

  add(character: string, isQuoted: boolean): void {
    this.#text += character;
    if (!isQuoted && MATCHES.test(character)) this.#isPattern = true;
    // An unquoted backslash is never added, so none is left that is special.
    this.#pattern += isQuoted && SPECIAL.test(character) ? `\\${character}` : character;
  }

  end(at: number): Word {
    return {
      raw: this.#line.slice(this.#start, at),
      text: this.#text,
      pattern: this.#pattern,
      isPattern: this.#isPattern,
    };
  }
}

/**
 * The options of a command at the prompt: letters, together or each by itself, and long names, anywhere before `--`. None takes
 * a value.
 */
import { Failure } from '../../protocol/failure.js';
import type { Word } from './words.js';

export interface Flag {
  readonly letter?: string;
  /** Without the two dashes. */
  readonly name: string;
  /** For the help. */
  readonly text: string;
}

export interface Operands {
  /** Names of the flags that were given. */
  readonly flags: ReadonlySet<string>;
  readonly words: readonly Word[];
}

/** Takes the flags out of the words behind a command. Throws USAGE. */
export function readFlags(words: readonly Word[], known: readonly Flag[]): Operands {
  const flags = new Set<string>();
  const operands: Word[] = [];
  const add = (flag: Flag | undefined, given: string): void => {
    if (flag === undefined) throw new Failure('USAGE', `unknown option '${given}'`);
    flags.add(flag.name);
  };
  for (const [index, word] of words.entries()) {
    const { raw, text } = word;
    if (text === '--' && raw === text) return { flags, words: [...operands, ...words.slice(index + 1)] };
    // A name that begins with a dash is written with a quote, a backslash or ./ before it.
    if (!raw.startsWith('-') || text === '-') operands.push(word);
    else if (text.startsWith('--'))
      add(
        known.find(({ name }) => `--${name}` === text),
        text,
      );
    else
      for (const letter of text.slice(1))
        add(
          known.find((flag) => flag.letter === letter),
          `-${letter}`,
        );
  }
  return { flags, words: operands };
}

/** `-r, --recursive` */
export function flagText({ letter, name }: Flag): string {
  return letter === undefined ? `    --${name}` : `-${letter}, --${name}`;
}

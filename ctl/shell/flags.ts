/**
 * The options of a command at the prompt: letters, together or each by itself, and long names, anywhere before `--`. Some of
 * the long ones take a value: `--limit 2M` or `--limit=2M`.
 */
import { Failure } from '../../protocol/failure.js';
import type { Word } from './words.js';

export interface Flag {
  readonly letter?: string;
  /** Without the two dashes. */
  readonly name: string;
  /** For the help. */
  readonly text: string;
  /** What its value is called in the help; absent: it takes none. It has no letter then. */
  readonly value?: string;
}

export interface Operands {
  /** Names of the flags that were given. */
  readonly flags: ReadonlySet<string>;
  /** Of the flags that take one, in the order given. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
  readonly words: readonly Word[];
}

/** Takes the flags out of the words behind a command. Throws USAGE. */
export function readFlags(words: readonly Word[], known: readonly Flag[]): Operands {
  const flags = new Set<string>();
  const values: { name: string; value: string }[] = [];
  const operands: Word[] = [];
  const found = (flag: Flag | undefined, given: string): Flag => {
    if (flag === undefined) throw new Failure('USAGE', `unknown option '${given}'`);
    return flag;
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === undefined) break;
    const { raw, text } = word;
    if (text === '--' && raw === text) return { flags, values, words: [...operands, ...words.slice(at + 1)] };
    // A name that begins with a dash is written with a quote, a backslash or ./ before it.
    if (!raw.startsWith('-') || text === '-') operands.push(word);
    else if (text.startsWith('--')) {
      const [, name = '', inWord] = /^--([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
      const flag = found(
        known.find((one) => one.name === name),
        `--${name}`,
      );
      if (flag.value === undefined) {
        if (inWord !== undefined) throw new Failure('USAGE', `--${name} takes no value`);
        flags.add(name);
        continue;
      }
      const value = inWord ?? words[++at]?.text;
      if (value === undefined) throw new Failure('USAGE', `--${name} needs a ${flag.value}`);
      values.push({ name, value });
    } else
      for (const letter of text.slice(1))
        flags.add(
          found(
            known.find((flag) => flag.letter === letter),
            `-${letter}`,
          ).name,
        );
  }
  return { flags, values, words: operands };
}

/** Whether the word behind this one is its value. */
export function awaitsValue({ raw }: Word, known: readonly Flag[]): boolean {
  return known.some(({ name, value }) => value !== undefined && raw === `--${name}`);
}

/** `-r, --recursive` */
export function flagText({ letter, name, value }: Flag): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return letter === undefined ? `    ${long}` : `-${letter}, ${long}`;
}

/**
 * What Tab offers: commands in front, behind them what the operand of the command names, here or in the home. A word is replaced
 * as a whole, and quoted as it was begun.
 */
import { homedir } from 'node:os';
import type { Names, ShellCommand } from './command.js';
import type { Lister } from '../glob.js';
import { pathCandidates, splitTyped } from '../path-candidates.js';
import { awaitsValue } from './flags.js';
import { withoutTilde } from './operands.js';
import { quoted, readLine, type OpenQuote, type Word } from './words.js';

export interface Completed {
  /** What the word may become, with a blank behind it where it is whole. */
  readonly candidates: readonly string[];
  /** The word as it is written. */
  readonly word: string;
}

export interface Listers {
  readonly remote: Lister;
  /** See trashLister(). */
  readonly trash: Lister;
  readonly local: Lister;
}

const EMPTY: Word = { raw: '', text: '', pattern: '', isPattern: false };
const HOME = '/';

/** Completes the last word of a line that ends where the cursor is. */
export async function complete(
  line: string,
  commands: readonly ShellCommand[],
  listers: Listers,
): Promise<Completed> {
  const { words, open, isInWord } = readLine(line);
  const word = (isInWord ? words.at(-1) : undefined) ?? EMPTY;
  const [first, ...before] = isInWord ? words.slice(0, -1) : words;
  const candidates =
    first === undefined
      ? commandsFrom(word.raw, commands)
      : await candidatesAfter(first, before, word, open, commands, listers);
  return { candidates, word: word.raw };
}

function commandsFrom(begun: string, commands: readonly ShellCommand[]): string[] {
  return beginning(
    begun,
    commands.flatMap(({ names }) => names),
  );
}

function beginning(begun: string, words: readonly string[]): string[] {
  return words.filter((one) => one.startsWith(begun)).map((one) => `${one} `);
}

async function candidatesAfter(
  first: Word,
  before: readonly Word[],
  word: Word,
  open: OpenQuote,
  commands: readonly ShellCommand[],
  listers: Listers,
): Promise<string[]> {
  const command = commands.find(({ names }) => names.includes(first.text.replace(/^-/, '')));
  if (command === undefined) return [];
  const isValue = (index: number): boolean => {
    const word = before[index - 1];
    return word !== undefined && awaitsValue(word, command.flags);
  };
  if (isValue(before.length)) return [];
  const operands = before.filter(({ raw }, index) => !raw.startsWith('-') && !isValue(index));
  const texts = operands.map(({ text }) => text);
  const { verbs = [] } = command;
  const named = await candidatesFor(command.operand(operands.length, texts), word, open, commands, listers);
  return [...(operands.length === 0 ? beginning(word.raw, verbs) : []), ...named];
}

async function candidatesFor(
  names: Names,
  word: Word,
  open: OpenQuote,
  commands: readonly ShellCommand[],
  listers: Listers,
): Promise<string[]> {
  switch (names) {
    case 'nothing':
      return [];
    case 'command':
      return commandsFrom(word.raw, commands);
    case 'remote':
    case 'remote directory':
      return pathsFor(word, open, HOME, listers.remote, names === 'remote directory');
    case 'remote trash':
      return pathsFor(word, open, HOME, listers.trash, false);
    case 'local':
    case 'local directory':
      return pathsFor(word, open, homedir(), listers.local, names === 'local directory');
  }
}

async function pathsFor(
  word: Word,
  open: OpenQuote,
  home: string,
  list: Lister,
  directoriesOnly: boolean,
): Promise<string[]> {
  const candidates = await pathCandidates(withoutTilde(word, home), list);
  // What is written of the directory stays, but for its quotes; `~` does, too.
  const written = splitTyped(word.text).directory;
  return candidates
    .filter(({ isDirectory }) => isDirectory || !directoriesOnly)
    .map(({ name, isDirectory }) => {
      const tilde = open === '' && word.raw.startsWith('~/') ? '~' : '';
      const text = quoted(`${written.slice(tilde.length)}${name}`, open, tilde === '');
      return `${tilde}${open}${text}${isDirectory ? '/' : `${open} `}`;
    });
}

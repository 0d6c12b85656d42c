/**
 * Lines that a person types, edited by node's readline.
 *
 * Invariant: the terminal is in its usual mode whenever no line is being typed, so that Ctrl-C is a signal for the command that
 * runs then, and for programs that it runs. So each line has a readline of its own; what was typed or pasted beyond the line is
 * kept for the next.
 */
import { createInterface } from 'node:readline/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Completed } from './completion.js';
import type { History } from './history.js';

export class Prompt {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #history: History;
  readonly #complete: (line: string) => Promise<Completed>;
  /** Whole lines that came with an earlier one. */
  readonly #ahead: string[] = [];
  /** And the beginning of another one. */
  #begun = '';

  constructor(
    input: ReadStream,
    output: WriteStream,
    history: History,
    complete: (line: string) => Promise<Completed>,
  ) {
    this.#input = input;
    this.#output = output;
    this.#history = history;
    this.#complete = complete;
  }

  /** The next line; an empty one where Ctrl-C gave one up; undefined at the end (Ctrl-D). */
  async read(question: string): Promise<string | undefined> {
    const ahead = this.#ahead.shift();
    if (ahead === undefined) return this.#type(question);
    this.#output.write(`${question}${ahead}\n`);
    this.#history.add(ahead);
    return ahead;
  }

  async #type(question: string): Promise<string | undefined> {
    const readline = createInterface({
      input: this.#input,
      output: this.#output,
      terminal: true,
      history: this.#history.lines,
      historySize: this.#history.lines.length + 1,
      completer: async (line): Promise<[string[], string]> => {
        try {
          const { candidates, word } = await this.#complete(line);
          return [[...candidates], word];
        } catch {
          return [[], line];
        }
      },
    });
    try {
      const how = await new Promise<'typed' | 'given up' | 'ended'>((resolve) => {
        readline.on('line', (line) => {
          this.#ahead.push(line);
          resolve('typed');
        });
        readline.on('SIGINT', () => resolve('given up'));
        readline.on('close', () => resolve('ended'));
        readline.setPrompt(question);
        readline.prompt();
        readline.write(this.#begun);
        this.#begun = '';
      });
      return this.#result(how, readline.line);
    } finally {
      readline.close();
    }
  }

  /** `begun`: what readline has behind the lines that it gave. */
  #result(how: 'typed' | 'given up' | 'ended', begun: string): string | undefined {
    if (how === 'typed') {
      this.#begun = begun;
      const line = this.#ahead.shift() ?? '';
      this.#history.add(line);
      return line;
    }
    this.#output.write(how === 'ended' ? '\n' : '^C\n');
    return how === 'ended' ? undefined : '';
  }
}

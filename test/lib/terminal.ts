/*
 * A program on a pseudo-terminal, answered at its prompts. script(1) of util-linux makes the terminal: node cannot,
 * and script is part of every Debian.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Scope } from './scope.js';
import { spawnPlain } from './spawn.js';
import { PATIENCE_MS, type Exit } from './service.js';

export class Terminal {
  /** Resolves when the program has ended; `code` is the program's. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';
  #seen = 0;
  #ended = false;
  #changed: () => void = () => undefined;

  /** Starts the program; arguments may hold any character. */
  constructor(scope: Scope, command: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    // The command goes through the environment's shell: quote every word.
    const line = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    this.#child = spawnPlain('script', ['-qefc', `exec ${line}`, '/dev/null'], {
      env: { ...env, SHELL: '/bin/sh', TERM: 'xterm' },
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#output += chunk.toString();
      this.#changed();
    });
    this.#child.stdin.on('error', () => undefined);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#ended = true;
        this.#changed();
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => undefined); // Whoever waits for it sees the failure.
    scope.teardown(async () => {
      this.#child.kill('SIGKILL'); // The program gets SIGHUP as the terminal goes away.
      await this.exited;
    });
  }

  /** All that the screen was sent. */
  get output(): string {
    return this.#output;
  }

  /** Waits for text that has not been waited for yet, as a person reads on; rejects when it does not come. */
  async says(pattern: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(deadline);
        this.#changed = () => undefined;
      };
      const look = (): void => {
        const match = pattern.exec(this.#output.slice(this.#seen));
        if (match) {
          this.#seen += match.index + match[0].length;
          finish();
          resolve(match[0]);
        } else if (this.#ended) {
          finish();
          reject(new Error(`ended without saying ${pattern}:\n${this.#output}`));
        }
      };
      const deadline = setTimeout(() => {
        finish();
        reject(new Error(`did not say ${pattern}:\n${this.#output}`));
      }, PATIENCE_MS);
      this.#changed = look;
      look();
    });
  }

  /** Types; a line ends with \r, as Return does. */
  type(keys: string): void {
    this.#child.stdin.write(keys);
  }
}

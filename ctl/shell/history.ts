/**
 * The lines that were typed at the prompt, kept in a file that only its owner reads, as names of files can tell a lot. Several
 * prompts at once add to it. That it cannot be kept is no failure of anything else.
 */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_LINES = 1000;
const PRIVATE = 0o600;

export class History {
  readonly #path: string;
  /** The newest first, as readline has them. */
  readonly #lines: string[];

  private constructor(path: string, lines: string[]) {
    this.#path = path;
    this.#lines = lines;
  }

  /** Reads what is there, and makes it shorter where it is far too long. */
  static open(path: string): History {
    let lines: string[] = [];
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      lines = readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      chmodSync(path, PRIVATE);
      if (lines.length > 2 * MAX_LINES) {
        lines = lines.slice(-MAX_LINES);
        const shorter = `${path}.${process.pid}`;
        writeFileSync(shorter, `${lines.join('\n')}\n`, { mode: PRIVATE });
        renameSync(shorter, path);
      }
    } catch {
      // There is none yet, or it is not to be had.
    }
    return new History(path, lines.toReversed().slice(0, MAX_LINES));
  }

  /** A copy, the newest first. */
  get lines(): string[] {
    return [...this.#lines];
  }

  /** Adds a line, but not an empty one, one that begins with a blank, nor the last one again. */
  add(line: string): void {
    if (line.trim() === '' || line.startsWith(' ') || line === this.#lines[0]) return;
    this.#lines.unshift(line);
    this.#lines.splice(MAX_LINES);
    try {
      appendFileSync(this.#path, `${line}\n`, { mode: PRIVATE });
    } catch {
      // It is kept for this prompt only.
    }
  }
}

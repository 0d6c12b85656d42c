/*
 * A terminal as a screen of lines that is drawn again and again, beside what was on it before: the alternate screen of xterm
 * (ECMA-48, DECSET), which all terminals know by now.
 *
 * Invariant: the terminal is as it was once close() returns.
 */

/** Alternate screen; no cursor; what is too long is cut, not wrapped. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

const CTRL_C = '\x03';

export class Screen {
  readonly #onKey = (keys: string): void => {
    if (keys.includes('q') || keys.includes(CTRL_C)) this.#onQuit();
  };
  readonly #onQuit: () => void;
  readonly #onResize: () => void;

  /** `onQuit`: q or Ctrl-C was typed. */
  constructor(onQuit: () => void, onResize: () => void) {
    this.#onQuit = onQuit;
    this.#onResize = onResize;
    process.stdout.write(ENTER);
    process.stdout.on('resize', onResize);
    process.on('SIGINT', onQuit).on('SIGTERM', onQuit);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true).setEncoding('utf8').on('data', this.#onKey);
  }

  get size(): { columns: number; rows: number } {
    // A terminal without a size says 0.
    return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
  }

  /** No more lines than there are rows. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => line + CLEAR_LINE).join('\r\n');
    process.stdout.write(HOME + text + CLEAR_BELOW);
  }

  close(): void {
    process.stdout.off('resize', this.#onResize);
    process.off('SIGINT', this.#onQuit).off('SIGTERM', this.#onQuit);
    if (process.stdin.isTTY) process.stdin.off('data', this.#onKey).setRawMode(false).pause();
    process.stdout.write(LEAVE);
  }
}

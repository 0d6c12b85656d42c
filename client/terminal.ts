/**
 * The terminal of the person who runs the program: /dev/tty, so that questions work also when standard input and
 * output are files or pipes.
 *
 * Invariant: the terminal is in its usual mode (lines, echo) whenever no secret is being typed, however the typing
 * ended; node itself restores it when a signal kills the process.
 */
import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { Failure } from '../protocol/failure.js';
import { MAX_PASSWORD } from '../protocol/limits.js';

/** Asks a person. Both reject with ECANCELED when Ctrl-C is typed or the terminal goes away. */
export interface Terminal {
  /** A line, without its end. */
  ask(question: string): Promise<string>;
  /** A line that is not shown. */
  askSecret(question: string): Promise<string>;
  /** Writes a line. */
  tell(text: string): void;
  close(): void;
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/** The controlling terminal, or undefined where the process has none. */
export function openTerminal(): Terminal | undefined {
  try {
    return new DeviceTerminal();
  } catch {
    return undefined;
  }
}

class DeviceTerminal implements Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;

  constructor() {
    this.#input = new ReadStream(openSync('/dev/tty', 'r'));
    this.#input.pause();
    this.#output = new WriteStream(openSync('/dev/tty', 'w'));
  }

  ask(question: string): Promise<string> {
    this.#output.write(question);
    return this.#readLine();
  }

  async askSecret(question: string): Promise<string> {
    // Raw before the question is shown: who types fast must not see the first letters echoed.
    this.#input.setRawMode(true);
    try {
      this.#output.write(question);
      return await this.#readLine();
    } finally {
      this.#input.setRawMode(false);
      this.#output.write('\n');
    }
  }

  tell(text: string): void {
    this.#output.write(`${text}\n`);
  }

  close(): void {
    this.#input.destroy();
    this.#output.destroy();
  }

  #readLine(): Promise<string> {
    const line = new LineEditor();
    const input = this.#input;
    return new Promise<string>((resolve, reject) => {
      const finish = (action: () => void): void => {
        input.off('data', onData).off('end', onEnd).off('error', onEnd).pause();
        action();
      };
      const onEnd = (): void =>
        finish(() => reject(new Failure('ECANCELED', 'interrupted: the terminal was closed')));
      const onData = (bytes: Buffer): void => {
        for (const byte of bytes) {
          const outcome = line.type(byte);
          if (outcome === 'more') continue;
          finish(() =>
            outcome === 'interrupted'
              ? reject(new Failure('ECANCELED', 'interrupted'))
              : resolve(line.take()),
          );
          return;
        }
      };
      input.on('data', onData).on('end', onEnd).on('error', onEnd).resume();
    });
  }
}

/** What line discipline does for a terminal in its usual mode, for the keys that matter in a password. */
export class LineEditor {
  readonly #bytes = Buffer.alloc(MAX_PASSWORD + 1);
  #length = 0;

  /** Takes one typed byte. At the end of input an empty line interrupts, as there is nothing to answer. */
  type(byte: number): 'more' | 'complete' | 'interrupted' {
    switch (byte) {
      case CTRL_C:
        return 'interrupted';
      case CTRL_D:
        return this.#length === 0 ? 'interrupted' : 'complete';
      case LINE_FEED:
      case CARRIAGE_RETURN:
        return 'complete';
      case BACKSPACE:
      case DELETE:
        this.#eraseCharacter();
        return 'more';
      case CTRL_U:
        this.#length = 0;
        return 'more';
      default:
        // What does not fit stays one byte too long, so that it is refused and not cut off.
        if (this.#length < this.#bytes.length) this.#bytes[this.#length++] = byte;
        return 'more';
    }
  }

  /** The line as text; its bytes are wiped. */
  take(): string {
    const text = this.#bytes.toString('utf8', 0, this.#length);
    this.#bytes.fill(0);
    this.#length = 0;
    return text;
  }

  /** Back over the continuation bytes of UTF-8 to the byte that starts the character. */
  #eraseCharacter(): void {
    while (this.#length > 0) {
      this.#length -= 1;
      if (((this.#bytes[this.#length] ?? 0) & 0xc0) !== 0x80) return;
    }
  }
}

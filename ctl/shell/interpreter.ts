/**
 * Carries out lines: finds the command, checks what it is given, connects again where the connection was lost, tells what fails.
 * The current directory of the home is here; that of this machine is the process's.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH, type RemotePath, type ShareName } from '../../protocol/ids.js';
import { EXIT_INTERRUPTED, EXIT_OK } from '../../program/exit-codes.js';
import { report } from '../../program/report.js';
import { PROGRAM } from '../program.js';
import { isPassing, type OwnSession } from '../remote/session.js';
import type { Context, ShellCommand } from './command.js';
import { fileCommands } from './file-commands.js';
import { readFlags, type Operands } from './flags.js';
import { findCommand, localCommands, usageOf } from './local-commands.js';
import { typedPath } from './operands.js';
import { runLine } from './run-program.js';
import type { ShellSessions } from './sessions.js';
import { transferCommands } from './transfer-commands.js';
import { wordsOf, type Word } from './words.js';

export interface InterpreterOptions {
  /** See Context. */
  readonly retry: number;
  readonly isInteractive: boolean;
}

export class Interpreter {
  readonly commands: readonly ShellCommand[] = [...fileCommands, ...transferCommands, ...localCommands];
  readonly #sessions: ShellSessions;
  readonly #options: InterpreterOptions;
  #directory: RemotePath = ROOT_PATH;
  #former: RemotePath | undefined;
  #isEnded = false;

  constructor(sessions: ShellSessions, options: InterpreterOptions) {
    this.#sessions = sessions;
    this.#options = options;
  }

  /** The current directory of the home. */
  get directory(): RemotePath {
    return this.#directory;
  }

  /** Whether a command said that there are no more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Carries out a line, and tells what goes wrong. Returns the exit code; with a dash before the command that is EXIT_OK unless
   * the person interrupts.
   */
  async execute(line: string, signal: AbortSignal): Promise<number> {
    const written = line.trim();
    const isTolerant = written.startsWith('-');
    const text = isTolerant ? written.slice(1).trim() : written;
    const code = await this.#told(async () => {
      const session = await this.#sessions.of(this.#shareOf(text), signal);
      return session.run(signal, (one) => this.#run(text, one));
    });
    return isTolerant && code !== EXIT_INTERRUPTED ? EXIT_OK : code;
  }

  async #told(action: () => Promise<number>): Promise<number> {
    try {
      return await action();
    } catch (error) {
      return report(PROGRAM, error);
    }
  }

  /** In which home the operands of a line are; without any, the current directory. EXDEV: in several. */
  #shareOf(line: string): ShareName | undefined {
    if (line.startsWith('!')) return undefined;
    const [name, ...words] = commandWords(line);
    if (name === undefined) return undefined;
    const command = findCommand(this.commands, name.text);
    const operands = this.#operands(command, () => readFlags(words, command.flags)).words;
    const texts = operands.map(({ text }) => text);
    const paths = operands
      .filter((_, index) => command.operand(index, texts).startsWith('remote'))
      .map((word) => typedPath(word, this.#directory));
    const [first, ...others] = paths.length === 0 ? [this.#directory] : paths;
    const share = first && this.#sessions.shareIn(first);
    if (others.some((path) => this.#sessions.shareIn(path) !== share)) throw severalHomes();
    return share;
  }

  async #run(line: string, session: OwnSession): Promise<number> {
    const context = this.#context(session);
    if (line.startsWith('!')) return runLine(context, line.slice(1).trim());
    const [name, ...words] = commandWords(line);
    if (name === undefined) return EXIT_OK;
    const command = findCommand(this.commands, name.text);
    const operands = this.#operands(command, () => readFlags(words, command.flags));
    if (command.isLocal !== true && !session.client.open)
      await this.#reconnect(session, 'the connection was lost');
    try {
      return await command.run(context, operands);
    } catch (error) {
      if (command.asks !== true || !isPassing(error)) throw error;
      await this.#reconnect(session, Failure.from(error).message);
      return command.run(context, operands);
    }
  }

  /** What the command is given, if it takes so much. Throws USAGE that says how it is used. */
  #operands(command: ShellCommand, read: () => Operands): Operands {
    const usage = `usage: ${usageOf(command)} (help ${command.names[0]} tells more)`;
    let operands: Operands;
    try {
      operands = read();
    } catch (error) {
      throw new Failure('USAGE', `${Failure.from(error).message}: ${usage}`, { cause: error });
    }
    const { length } = operands.words;
    if (length < command.least) throw new Failure('USAGE', `something is missing: ${usage}`);
    if (length > command.most) throw new Failure('USAGE', `that is too much: ${usage}`);
    return operands;
  }

  async #reconnect(session: OwnSession, why: string): Promise<void> {
    process.stderr.write(`${PROGRAM}: ${why}: connecting again\n`);
    await session.reconnect(this.#options.retry * 1000);
  }

  #context(session: OwnSession): Context {
    const directory = (): RemotePath => this.#directory;
    const former = (): RemotePath | undefined => this.#former;
    return {
      session,
      commands: this.commands,
      ...this.#options,
      get directory() {
        return directory();
      },
      get former() {
        return former();
      },
      changeDirectory: (path) => {
        this.#former = this.#directory;
        this.#directory = path;
      },
      end: () => {
        this.#isEnded = true;
      },
    };
  }
}

/** The words of a line, where `COMMAND --help` is `help COMMAND`. */
function commandWords(line: string): readonly Word[] {
  const words = wordsOf(line);
  const [name, option] = words;
  return name !== undefined && option?.raw === '--help' ? wordsOf(`help ${name.raw}`) : words;
}

function severalHomes(): Failure {
  return new Failure(
    'EXDEV',
    'a share is a home of its own: name what is in it by a command of its own, and to move it get it, put it, and rm it',
  );
}

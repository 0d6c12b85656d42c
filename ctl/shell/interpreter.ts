/**
 * Carries out lines: finds the command, checks what it is given, connects again where the connection was lost, tells what fails.
 * The current directory of the home is here; that of this machine is the process's.
 */
import { Failure } from '../../protocol/failure.js';
import { ROOT_PATH, type RemotePath } from '../../protocol/ids.js';
import { EXIT_INTERRUPTED, EXIT_OK } from '../../protocol/login/exit-codes.js';
import { report } from '../../protocol/login/report.js';
import { PROGRAM } from '../program.js';
import { isPassing, type LastingSession, type OwnSession } from '../remote/session.js';
import type { Context, ShellCommand } from './command.js';
import { fileCommands } from './file-commands.js';
import { readFlags, type Operands } from './flags.js';
import { findCommand, localCommands, usageOf } from './local-commands.js';
import { runLine } from './run-program.js';
import { transferCommands } from './transfer-commands.js';
import { wordsOf } from './words.js';

export interface InterpreterOptions {
  /** See Context. */
  readonly retry: number;
  readonly isInteractive: boolean;
}

export class Interpreter {
  readonly commands: readonly ShellCommand[] = [...fileCommands, ...transferCommands, ...localCommands];
  readonly #session: LastingSession;
  readonly #options: InterpreterOptions;
  #directory: RemotePath = ROOT_PATH;
  #former: RemotePath | undefined;
  #isEnded = false;

  constructor(session: LastingSession, options: InterpreterOptions) {
    this.#session = session;
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
    const text = line.trim();
    const isTolerant = text.startsWith('-');
    const code = await this.#told(() =>
      this.#session.run(signal, (session) => this.#run(isTolerant ? text.slice(1).trim() : text, session)),
    );
    return isTolerant && code !== EXIT_INTERRUPTED ? EXIT_OK : code;
  }

  async #told(action: () => Promise<number>): Promise<number> {
    try {
      return await action();
    } catch (error) {
      return report(PROGRAM, error);
    }
  }

  async #run(line: string, session: OwnSession): Promise<number> {
    const context = this.#context(session);
    if (line.startsWith('!')) return runLine(context, line.slice(1).trim());
    const [name, ...words] = wordsOf(line);
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
